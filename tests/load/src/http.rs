//! One HTTP request and its answer on a connection of its own, blocking: WHIP needs an offer taken and a session ended.

use crate::template::Target;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use weft_testkit::http::{self, Response};

/// Between two bytes of an answer at most.
const LIMIT: Duration = Duration::from_secs(10);

/// Sends a request.
///
/// # Errors
/// When nobody listens there, or what listens does not answer in HTTP; the message names the address.
pub(crate) fn request(
    method: &str,
    target: &Target,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response> {
    let Target { authority, path, .. } = target;
    let address = target.address()?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).with_context(|| {
        format!(
            "nobody listens at {authority} ({method} {}): start the server, or mend the address",
            target.url
        )
    })?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    let authorization = target
        .authorization
        .as_deref()
        .map(|value| ("Authorization", value));
    for (name, value) in headers.iter().copied().chain(authorization) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let what = || format!("{method} {}", target.url);
    stream.write_all(head.as_bytes()).with_context(what)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    // Not every server closes as it was asked to.
    while !complete(&answer) {
        match stream.read(&mut buffer).with_context(what)? {
            0 => break,
            length => answer.extend_from_slice(&buffer[..length]),
        }
    }
    if answer.is_empty() {
        bail!(
            "{method} {}: closed without an answer; is it an HTTP port?",
            target.url
        );
    }
    http::parse(&answer).with_context(what)
}

/// Whether all that the head announces is there.
fn complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => answer.len() >= end + 4 + length,
        None if head.contains("chunked") => answer.ends_with(b"0\r\n\r\n"),
        None => head.contains(" 204"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        assert!(!complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx"));
        assert!(complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxy"));
        assert!(complete(b"HTTP/1.1 204 No Content\r\n\r\n"));
        assert!(!complete(b"HTTP/1.1 200 OK\r\n\r\nx"));
    }
}
