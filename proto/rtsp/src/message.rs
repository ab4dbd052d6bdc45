//! Requests as parsed and responses as written (RFC 2326 §6, §7).
//! Where one message ends and the next begins is the framer's business.

use crate::Status;
use bytes::{BufMut, Bytes, BytesMut};

/// What a client asks for. Names are case-sensitive (RFC 2326 §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// RFC 2326 §10.1.
    Options,
    /// RFC 2326 §10.2.
    Describe,
    /// RFC 2326 §10.3.
    Announce,
    /// RFC 2326 §10.4.
    Setup,
    /// RFC 2326 §10.5.
    Play,
    /// RFC 2326 §10.6.
    Pause,
    /// RFC 2326 §10.7.
    Teardown,
    /// RFC 2326 §10.8.
    GetParameter,
    /// RFC 2326 §10.9.
    SetParameter,
    /// RFC 2326 §10.11.
    Record,
    /// Any other token.
    Other(String),
}

impl Method {
    /// Its token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Announce => "ANNOUNCE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Pause => "PAUSE",
            Self::Teardown => "TEARDOWN",
            Self::GetParameter => "GET_PARAMETER",
            Self::SetParameter => "SET_PARAMETER",
            Self::Record => "RECORD",
            Self::Other(token) => token,
        }
    }
}

impl From<&str> for Method {
    fn from(token: &str) -> Self {
        match token {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "ANNOUNCE" => Self::Announce,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            "RECORD" => Self::Record,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Version on the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RTSP/1.0, the one we speak.
    V1,
    /// Any other RTSP.
    Other,
}

/// Header lines in order of arrival. Names compare without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of this name, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One request, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// The URI as the client wrote it, or `*`.
    pub uri: String,
    /// Version on the request line.
    pub version: Version,
    /// Its headers.
    pub headers: Headers,
    /// Its body, at most [`crate::MAX_BODY`] bytes.
    pub body: Bytes,
}

impl Request {
    /// The sequence number (RFC 2326 §12.17); `None` when it is missing or no number.
    #[must_use]
    pub fn cseq(&self) -> Option<u64> {
        self.headers.get("CSeq")?.parse().ok()
    }

    /// The session's id without its parameters (RFC 2326 §12.37).
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        let value = self.headers.get("Session")?;
        Some(value.split(';').next().unwrap_or(value).trim())
    }

    /// The beginning of an answer to this request.
    #[must_use]
    pub fn answer(&self, status: Status) -> Response {
        Response::new(status, self.cseq())
    }

    /// An answer that says in words what is wrong.
    #[must_use]
    pub fn refuse(&self, status: Status, why: &str) -> Response {
        Response::refusal(status, self.cseq(), why)
    }
}

/// One response, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its code.
    pub status: Status,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Response {
    /// A response without a body; `cseq` is echoed where the request had one.
    #[must_use]
    pub fn new(status: Status, cseq: Option<u64>) -> Self {
        let mut headers = Vec::with_capacity(6);
        if let Some(cseq) = cseq {
            headers.push(("CSeq", cseq.to_string()));
        }
        headers.push(("Server", "weft".to_owned()));
        Self {
            status,
            headers,
            body: Bytes::new(),
        }
    }

    /// A response whose body says in words what is wrong.
    #[must_use]
    pub fn refusal(status: Status, cseq: Option<u64>, why: &str) -> Self {
        Self::new(status, cseq).with_body("text/plain", Bytes::from(format!("{why}\r\n")))
    }

    /// Adds a header line; the same name may be added again. Control characters in the value become spaces.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if value.contains(char::is_control) {
            value = value.replace(char::is_control, " ");
        }
        self.headers.push((name, value));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: Bytes) -> Self {
        self.body = body;
        self.with("Content-Type", content_type)
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str())
    }

    /// Appends its bytes to `out`.
    pub fn write(&self, out: &mut BytesMut) {
        let size: usize = self.headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
        out.reserve(size + self.body.len() + 80);
        out.put_slice(format!("RTSP/1.0 {} {}\r\n", self.status.0, self.status.reason()).as_bytes());
        for (name, value) in &self.headers {
            out.put_slice(name.as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
        if !self.body.is_empty() {
            out.put_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.put_slice(b"\r\n");
        out.put_slice(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_written_with_right_reason_and_lines_of_one_name_apart() {
        let mut out = BytesMut::new();
        Response::new(Status::UNAUTHORIZED, Some(7))
            .with("WWW-Authenticate", "Digest realm=\"weft\"")
            .with("WWW-Authenticate", "Basic realm=\"weft\"")
            .with_body("text/plain", Bytes::from_static(b"who are you?"))
            .write(&mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "RTSP/1.0 401 Unauthorized\r\nCSeq: 7\r\nServer: weft\r\nWWW-Authenticate: Digest realm=\"weft\"\r\n\
             WWW-Authenticate: Basic realm=\"weft\"\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nwho are you?"
        );
    }

    #[test]
    fn a_header_value_cannot_begin_a_new_line() {
        let response = Response::new(Status::OK, None).with("Location", "rtsp://a/b\r\nEvil: 1");
        assert_eq!(response.header("location"), Some("rtsp://a/b  Evil: 1"));
    }
}
