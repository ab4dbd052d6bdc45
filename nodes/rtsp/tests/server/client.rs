//! A client that writes what the test tells it to and reads answers and interleaved frames as they come.
//! It knows nothing of the server's own parser.

use crate::mock::Running;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Client {
    pub stream: TcpStream,
    pub server: SocketAddr,
    buffer: Vec<u8>,
    cseq: u32,
    pub session: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub reason: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Answer(Answer),
    Frame(u8, Vec<u8>),
    Closed,
}

/// The fields of an RTP packet that tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtp {
    pub seq: u16,
    pub time: u32,
    pub ssrc: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub payload: Vec<u8>,
}

pub fn rtp(packet: &[u8]) -> Rtp {
    let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
    assert_eq!(packet[0], 0x80);
    Rtp {
        seq: u16::from_be_bytes([packet[2], packet[3]]),
        time: word(4),
        ssrc: word(8),
        marker: packet[1] & 0x80 != 0,
        payload_type: packet[1] & 0x7f,
        payload: packet[12..].to_vec(),
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(&name.to_ascii_lowercase())
            .map_or("", String::as_str)
    }
}

impl Client {
    pub async fn connect(server: &Running) -> Self {
        Self::connect_to(server.addresses().rtsp.unwrap()).await
    }

    pub async fn connect_to(server: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(server).await.unwrap(),
            server,
            buffer: Vec::new(),
            cseq: 0,
            session: None,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("rtsp://{}/{path}", self.server)
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request with the next sequence number and the session, and waits for its answer; frames are passed over.
    pub async fn ask(&mut self, method: &str, url: &str, headers: &str) -> Answer {
        self.cseq += 1;
        let session = self
            .session
            .as_ref()
            .map(|s| format!("Session: {s}\r\n"))
            .unwrap_or_default();
        let text = format!(
            "{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{session}{headers}\r\n",
            self.cseq
        );
        self.send(text).await;
        let answer = self.answer().await;
        assert_eq!(answer.header("cseq"), self.cseq.to_string());
        answer
    }

    pub async fn answer(&mut self) -> Answer {
        loop {
            match self.item().await {
                Item::Answer(answer) => return answer,
                Item::Frame(..) => {}
                Item::Closed => panic!("closed instead of an answer"),
            }
        }
    }

    /// DESCRIBE, SETUP of these tracks (interleaved, as the client likes) and PLAY; gives the answer to PLAY.
    pub async fn play(&mut self, path: &str, tracks: &[u8]) -> Answer {
        let url = self.url(path);
        assert_eq!(self.ask("DESCRIBE", &url, "").await.status, 200);
        for track in tracks {
            let channels = format!(
                "Transport: RTP/AVP/TCP;unicast;interleaved={}-{}\r\n",
                2 * track,
                2 * track + 1
            );
            self.set_up(&format!("{url}/trackID={track}"), &channels).await;
        }
        let answer = self.ask("PLAY", &url, "Range: npt=0.000-\r\n").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// SETUP that must succeed; remembers the session.
    pub async fn set_up(&mut self, url: &str, headers: &str) -> Answer {
        let answer = self.ask("SETUP", url, headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let (id, timeout) = answer.header("session").split_once(';').unwrap();
        assert_eq!(timeout, "timeout=60");
        self.session = Some(id.to_owned());
        answer
    }

    /// The next interleaved frame.
    pub async fn frame(&mut self) -> (u8, Vec<u8>) {
        match self.item().await {
            Item::Frame(channel, data) => (channel, data),
            other => panic!("{other:?} instead of a frame"),
        }
    }

    /// The next answer, frame, or the end.
    pub async fn item(&mut self) -> Item {
        loop {
            if let Some((item, used)) = parse(&self.buffer) {
                self.buffer.drain(..used);
                return item;
            }
            self.buffer.reserve(65536);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) if self.buffer.is_empty() => return Item::Closed,
                Ok(0) | Err(_) => panic!(
                    "closed within a message: {:?}",
                    String::from_utf8_lossy(&self.buffer)
                ),
                Ok(_) => {}
            }
        }
    }

    /// Reads until the server closes; the last answer on the way.
    pub async fn until_closed(&mut self) -> Option<Answer> {
        let mut last = None;
        loop {
            match self.item().await {
                Item::Closed => return last,
                Item::Answer(answer) => last = Some(answer),
                Item::Frame(..) => {}
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Item, usize)> {
    if let [b'$', channel, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        return Some((Item::Frame(*channel, rest.get(..len)?.to_vec()), 4 + len));
    }
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next().unwrap().splitn(3, ' ');
    assert_eq!(first.next(), Some("RTSP/1.0"));
    let status = first.next().unwrap().parse().unwrap();
    let reason = first.next().unwrap().to_owned();
    let headers: HashMap<_, _> = lines
        .map(|l| l.split_once(": ").unwrap())
        .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
        .collect();
    let len = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    let body = String::from_utf8(bytes.get(end..end + len)?.to_vec()).unwrap();
    let answer = Answer {
        status,
        reason,
        headers,
        body,
    };
    Some((Item::Answer(answer), end + len))
}
