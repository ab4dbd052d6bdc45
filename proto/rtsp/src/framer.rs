//! Cuts the bytes of a connection into requests and interleaved frames (RFC 2326 §4, §10.12), within fixed bounds.
//! Liberal in line ends, folding, duplicates and leading blank lines; how long a client may take is the caller's clock.

use crate::{Error, Headers, Method, Request, Version};
use bytes::{Buf, Bytes, BytesMut};

/// Most bytes of request line and headers together.
pub const MAX_HEAD: usize = 16 * 1024;
/// Most bytes of a body; an announced larger one is refused before it is read.
pub const MAX_BODY: usize = 64 * 1024;
/// Most header lines.
pub const MAX_HEADERS: usize = 128;

/// One thing a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A request.
    Request(Request),
    /// `$`, a channel and its data: RTCP of a reader, RTP of a publisher.
    Interleaved {
        /// The channel.
        channel: u8,
        /// What it carries, at most 65535 bytes.
        data: Bytes,
    },
    /// An answer to a request we may have sent; nobody waits for one.
    Response,
}

/// Reads frames off the front of a buffer that the caller appends to.
#[derive(Debug, Default)]
pub struct Framer {
    /// Bytes at the front that are known to hold no end of the head, so that a slow sender is not read again and again.
    scanned: usize,
    /// The first line has been looked at and begins a message.
    begun: bool,
}

impl Framer {
    /// Takes the next frame off `buffer`; `None` when it is not there as a whole yet.
    ///
    /// # Errors
    /// [`Error`] when the bytes cannot be framed; [`Framer::cseq_of`] finds the sequence number for the answer.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Error> {
        if !self.begun {
            let blank = buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            buffer.advance(blank);
        }
        match buffer.first() {
            None => Ok(None),
            Some(b'$') => Ok(take_interleaved(buffer)),
            Some(b) if b.is_ascii_alphabetic() => self.take_message(buffer),
            Some(b) => Err(Error::NotRtsp(*b)),
        }
    }

    /// The value of a `CSeq` line anywhere in these bytes, for the answer to what could not be parsed.
    #[must_use]
    pub fn cseq_of(bytes: &[u8]) -> Option<u64> {
        let head = &bytes[..bytes.len().min(MAX_HEAD)];
        head.split(|b| *b == b'\n').find_map(|line| {
            let (name, value) = line.split_at_checked(5)?;
            let value = name.eq_ignore_ascii_case(b"cseq:").then_some(value)?;
            std::str::from_utf8(value).ok()?.trim().parse().ok()
        })
    }

    fn take_message(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Error> {
        let Some(end) = self.find_head_end(buffer)? else {
            return Ok(None);
        };
        let (start, headers) = parse_head(&buffer[..end])?;
        let body_len = content_length(&headers)?;
        if buffer.len() < end + body_len {
            // The head is parsed again when the body is there: at most a few times, for a body of at most 64 KiB.
            return Ok(None);
        }
        *self = Self::default();
        buffer.advance(end);
        let body = buffer.split_to(body_len).freeze();
        Ok(Some(match start {
            StartLine::Response => Frame::Response,
            StartLine::Request { method, uri, version } => Frame::Request(Request {
                method,
                uri,
                version,
                headers,
                body,
            }),
        }))
    }

    /// Where the head ends, its blank line included.
    fn find_head_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, Error> {
        let mut at = self.scanned;
        while let Some(found) = buffer[at..].iter().position(|b| *b == b'\n') {
            let lf = at + found;
            if lf >= MAX_HEAD {
                return Err(Error::HeadTooLarge);
            }
            if !self.begun {
                // Refused at the first line: garbage is not held until its limit.
                StartLine::parse(&buffer[..lf])?;
                self.begun = true;
            }
            match (buffer.get(lf + 1), buffer.get(lf + 2)) {
                (Some(b'\n'), _) => return Ok(Some(lf + 2)),
                (Some(b'\r'), Some(b'\n')) => return Ok(Some(lf + 3)),
                (None, _) | (Some(b'\r'), None) => {
                    self.scanned = lf;
                    return Ok(None);
                }
                _ => at = lf + 1,
            }
        }
        if buffer.len() > MAX_HEAD {
            return Err(Error::HeadTooLarge);
        }
        self.scanned = buffer.len();
        Ok(None)
    }
}

fn take_interleaved(buffer: &mut BytesMut) -> Option<Frame> {
    let &[_, channel, high, low] = buffer.first_chunk()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if buffer.len() < 4 + len {
        return None;
    }
    buffer.advance(4);
    let data = buffer.split_to(len).freeze();
    Some(Frame::Interleaved { channel, data })
}

enum StartLine {
    Request {
        method: Method,
        uri: String,
        version: Version,
    },
    Response,
}

impl StartLine {
    fn parse(line: &[u8]) -> Result<Self, Error> {
        let line = std::str::from_utf8(line).map_err(|_| Error::RequestLine)?;
        let line = line.trim_end_matches(['\r', ' ', '\t']);
        if line.starts_with("RTSP/") {
            return Ok(Self::Response);
        }
        let mut words = line.split(' ').filter(|w| !w.is_empty());
        let (Some(method), Some(uri), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Error::RequestLine);
        };
        if !is_token(method) || uri.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Error::RequestLine);
        }
        let version = match version {
            "RTSP/1.0" => Version::V1,
            other if other.starts_with("RTSP/") => Version::Other,
            _ => return Err(Error::RequestLine),
        };
        Ok(Self::Request {
            method: Method::from(method),
            uri: uri.to_owned(),
            version,
        })
    }
}

/// `token` of RFC 2326 §15.1.
fn is_token(text: &str) -> bool {
    let special = |b| b"()<>@,;:\\\"/[]?={} \t".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !special(b))
}

fn parse_head(head: &[u8]) -> Result<(StartLine, Headers), Error> {
    let mut lines = head
        .split(|b| *b == b'\n')
        .map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let start = StartLine::parse(lines.next().unwrap_or_default())?;
    let mut headers: Vec<(String, String)> = Vec::with_capacity(12);
    for line in lines.filter(|l| !l.is_empty()) {
        // Some cameras and players write Latin-1 in User-Agent; what is not UTF-8 is replaced, not refused.
        let line = String::from_utf8_lossy(line);
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or(Error::Header)?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(Error::Header)?;
        let name = name.trim_end();
        if !is_token(name) {
            return Err(Error::Header);
        }
        if headers.len() == MAX_HEADERS {
            return Err(Error::HeadTooLarge);
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok((start, Headers(headers)))
}

fn content_length(headers: &Headers) -> Result<usize, Error> {
    let mut found = None;
    for value in headers.all("Content-Length") {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        // More digits than a u64 has is still a length, and too large.
        let len = if digits {
            value.parse().unwrap_or(u64::MAX)
        } else {
            return Err(Error::ContentLength);
        };
        if found.is_some_and(|f| f != len) {
            return Err(Error::ContentLength);
        }
        found = Some(len);
    }
    let len = found.unwrap_or(0);
    match usize::try_from(len) {
        Ok(len) if len <= MAX_BODY => Ok(len),
        _ => Err(Error::BodyTooLarge(len)),
    }
}

#[cfg(test)]
#[path = "framer_tests.rs"]
mod tests;
