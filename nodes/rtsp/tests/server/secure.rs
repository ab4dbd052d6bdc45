//! The server over TLS: requests, interleaved packets, a reader that does not read, and what must not go in the clear.
//! Real players over TLS meet it in `tests/operators`.

use crate::mock::{self, Running};
use rcgen::{CertificateParams, KeyPair};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use weft_config::TlsFiles;
use weft_rtsp_server::{ReaderEvent, ServerConfig, TlsListener};
use weft_tls::{Acceptor, Certificates, Keys};

/// A server that speaks nothing but TLS, and who trusts it.
fn start(name: &str, config: ServerConfig) -> (Running, TlsConnector) {
    let folder = std::env::temp_dir().join(format!("weft-rtsps-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = TlsFiles {
        certificate: folder.join("a.crt"),
        key: folder.join("a.key"),
    };
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let keys = Keys {
        certificate: "rtspServerCert",
        key: "rtspServerKey",
    };
    let certificates = Certificates::load(&files, keys, Arc::default()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let server = mock::start_with(ServerConfig {
        rtsp_address: None,
        tls: Some(TlsListener {
            address: "127.0.0.1:0".parse().unwrap(),
            acceptor: Acceptor::new(&certificates, &[]),
        }),
        ..config
    });
    assert_eq!(server.addresses().rtsp, None);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, TlsConnector::from(Arc::new(client)))
}

struct Client {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    session: String,
}

impl Client {
    async fn connect(server: &Running, connector: &TlsConnector) -> Self {
        let tcp = TcpStream::connect(server.addresses().rtsps.unwrap())
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            stream: connector.connect(name, tcp).await.unwrap(),
            buffer: Vec::new(),
            session: String::new(),
        }
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or_default() > 0
    }

    /// The next answer: its first line and all of it; interleaved frames are passed over.
    async fn ask(&mut self, method: &str, url: &str, headers: &str) -> (String, String) {
        let session = match self.session.as_str() {
            "" => String::new(),
            id => format!("Session: {id}\r\n"),
        };
        let text = format!("{method} {url} RTSP/1.0\r\nCSeq: 1\r\n{session}{headers}\r\n");
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
        loop {
            while self.buffer.first() == Some(&b'$') {
                self.frame().await;
            }
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("Content-Length: ")?.parse().ok())
                    .unwrap_or(0);
                while self.buffer.len() < end + 4 + length {
                    assert!(self.more().await);
                }
                self.buffer.drain(..end + 4 + length);
                return (head.lines().next().unwrap().to_owned(), head);
            }
            assert!(self.more().await, "closed instead of an answer");
        }
    }

    /// The next interleaved frame's channel and size.
    async fn frame(&mut self) -> (u8, usize) {
        while self.buffer.len() < 4 {
            assert!(self.more().await);
        }
        assert_eq!(self.buffer[0], b'$');
        let (channel, size) = (
            self.buffer[1],
            usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]])),
        );
        while self.buffer.len() < 4 + size {
            assert!(self.more().await);
        }
        self.buffer.drain(..4 + size);
        (channel, size)
    }

    async fn play(&mut self, url: &str) {
        assert_eq!(self.ask("DESCRIBE", url, "").await.0, "RTSP/1.0 200 OK");
        let tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        let (status, head) = self.ask("SETUP", &format!("{url}/trackID=0"), tcp).await;
        assert_eq!(status, "RTSP/1.0 200 OK");
        let session = head.lines().find_map(|l| l.strip_prefix("Session: ")).unwrap();
        self.session = session.split(';').next().unwrap().to_owned();
        assert_eq!(self.ask("PLAY", url, "").await.0, "RTSP/1.0 200 OK");
    }
}

#[tokio::test]
async fn a_reader_over_tls_is_told_everything_by_tls_urls_and_gets_every_packet() {
    let (server, connector) = start("plays", mock::config());
    let mut client = Client::connect(&server, &connector).await;
    let (status, head) = client.ask("DESCRIBE", "rtsps://localhost/video", "").await;
    assert_eq!(status, "RTSP/1.0 200 OK");
    assert!(head.contains("Content-Base: rtsps://localhost/video/"), "{head}");
    client.play("rtsps://localhost/video").await;
    let view = server.handle.sessions().remove(0);
    assert!(view.secure && view.transport == "TCP");
    assert_eq!(
        (server.counter("rtsps_conns"), server.counter("rtsps_sessions")),
        (1, 1)
    );
    assert_eq!(
        (server.counter("rtsp_conns"), server.counter("rtsp_sessions")),
        (0, 0)
    );

    // The first sender report, then pictures larger than TLS holds at once.
    assert_eq!(client.frame().await.0, 1);
    let mut packets = 0;
    for _ in 0..20 {
        let picture = server.video.picture(true, 100_000);
        packets += picture.len();
        server.video.tell(&ReaderEvent::Block(picture));
    }
    for number in 0..packets {
        assert_eq!(client.frame().await.0, 0, "packet {number}");
    }
    let (status, _) = client.ask("TEARDOWN", "rtsps://localhost/video", "").await;
    assert_eq!(status, "RTSP/1.0 200 OK");
    // The last word of TLS is there too: the stream ends, it does not break.
    assert_eq!(client.stream.read_buf(&mut client.buffer).await.unwrap(), 0);
    server.until(|| server.counter("rtsps_conns") == 0).await;
}

#[tokio::test]
async fn udp_is_refused_over_tls_so_that_clients_take_tcp() {
    let (server, connector) = start("udp", mock::config());
    let mut client = Client::connect(&server, &connector).await;
    let url = "rtsps://localhost/video";
    assert_eq!(client.ask("DESCRIBE", url, "").await.0, "RTSP/1.0 200 OK");
    let udp = "Transport: RTP/AVP;unicast;client_port=40000-40001\r\n";
    let (status, _) = client.ask("SETUP", &format!("{url}/trackID=0"), udp).await;
    assert!(status.starts_with("RTSP/1.0 461"), "{status}");
    client.play(url).await;
}

#[tokio::test]
async fn a_reader_over_tls_that_takes_nothing_is_closed_in_time_and_holds_nothing() {
    let (server, connector) = start(
        "stuck",
        ServerConfig {
            write_timeout: Duration::from_millis(600),
            send_buffer: 64 * 1024,
            ..mock::config()
        },
    );
    let mut client = Client::connect(&server, &connector).await;
    client.play("rtsps://localhost/video").await;
    server
        .until(|| {
            server
                .video
                .tell(&ReaderEvent::Block(server.video.picture(true, 200_000)));
            server.counter("weft_rtsp_readers_too_slow_total") == 1
        })
        .await;
    server
        .until(|| server.video.readers() == 0 && server.counter("rtsps_conns") == 0)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_go_on_with_its_handshake_is_closed_in_time() {
    let (server, _) = start("half", mock::config());
    let mut tcp = TcpStream::connect(server.addresses().rtsps.unwrap())
        .await
        .unwrap();
    tcp.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(tcp.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert_eq!(began.elapsed().as_secs(), 10);
    server.until(|| server.counter("rtsps_conns") == 0).await;
}
