//! A reader over RTSP on TCP that looks for the ends of pictures only, in a buffer that it keeps.
//! It allocates nothing once it plays, so that what is counted is the server's.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// More than a key unit takes.
const BUFFER: usize = 1 << 20;

/// The player.
pub(crate) struct Player {
    stream: TcpStream,
    buffer: Box<[u8]>,
    filled: usize,
    /// How far the frames in the buffer were looked at.
    seen: usize,
}

impl Player {
    /// Plays the video of a stream.
    pub(crate) async fn play(server: SocketAddr, path: &str) -> Self {
        let mut player = Self {
            stream: TcpStream::connect(server).await.expect("a connection"),
            buffer: vec![0; BUFFER].into(),
            filled: 0,
            seen: 0,
        };
        let url = format!("rtsp://{server}/{path}");
        player.ask("DESCRIBE", &url, 1, "").await;
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        let answer = player
            .ask("SETUP", &format!("{url}/trackID=0"), 2, transport)
            .await;
        let session = answer.lines().find(|line| line.starts_with("Session: "));
        let session = session
            .and_then(|line| line.split(';').next())
            .expect("a session");
        player.ask("PLAY", &url, 3, &format!("{session}\r\n")).await;
        player
    }

    /// Asks and reads the answer's head byte by byte, its body after it: nothing that follows is touched.
    async fn ask(&mut self, method: &str, url: &str, number: u32, headers: &str) -> String {
        let request = format!("{method} {url} RTSP/1.0\r\nCSeq: {number}\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await.expect("a server");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("RTSP/1.0 200"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a body");
        head
    }

    /// Waits for the end of the next picture.
    pub(crate) async fn picture(&mut self) {
        while !self.take_picture() {
            self.fill().await;
        }
    }

    /// Takes what comes until nothing has come for so long.
    pub(crate) async fn drain(&mut self, quiet: Duration) {
        while timeout_at(Instant::now() + quiet, self.picture()).await.is_ok() {}
        assert_eq!(self.seen, self.filled, "a picture is whole or not there");
    }

    async fn fill(&mut self) {
        self.buffer.copy_within(self.seen..self.filled, 0);
        self.filled -= self.seen;
        self.seen = 0;
        self.stream.readable().await.expect("a server");
        match self.stream.try_read(&mut self.buffer[self.filled..]) {
            Ok(0) => panic!("closed"),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Passes over frames (RFC 2326 §10.12) up to one of RTP with the marker.
    fn take_picture(&mut self) -> bool {
        while let [b'$', channel, high, low, rest @ ..] = &self.buffer[self.seen..self.filled] {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(packet) = rest.get(..length) else {
                return false;
            };
            let ends = *channel == 0 && packet[1] & 0x80 != 0;
            self.seen += 4 + length;
            if ends {
                return true;
            }
        }
        false
    }
}
