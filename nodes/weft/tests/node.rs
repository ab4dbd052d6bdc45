//! A whole node in one process, with the built-in publisher as its client over real sockets: coming, going, vanishing,
//! taking over, and what a node says that cannot start. Readers and several nodes are tested end to end.
#![allow(clippy::unwrap_used)] // a helper of a test fails by panicking

use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use weft::demo::publisher::Options;
use weft::demo::{Clip, ClipLoop, Publisher};
use weft::node::Addresses;
use weft::{Node, Role, StartError};
use weft_config::Config;

const FREE_PORTS: &str = "webrtcAddress: 127.0.0.1:0\nwebrtcLocalUDPAddress: 127.0.0.1:0\nrtspAddress: 127.0.0.1:0\n\
    rtpAddress: 127.0.0.1:0\nrtcpAddress: 127.0.0.1:0\nhlsAddress: 127.0.0.1:0\napiAddress: 127.0.0.1:0\nmetricsAddress: 127.0.0.1:0\n";

struct Running {
    addresses: Addresses,
    whip: String,
    shutdown: CancellationToken,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start() -> Self {
        Self::start_with(FREE_PORTS).await
    }

    async fn start_with(config: &str) -> Self {
        let config = Config::parse(config, "test").unwrap();
        let node = Node::build(config, Role::Standalone).await.unwrap();
        let shutdown = CancellationToken::new();
        Self {
            addresses: *node.addresses(),
            whip: node.whip_url("cam").unwrap(),
            done: actix_rt::spawn(node.run(shutdown.clone())),
            shutdown,
        }
    }

    async fn publish(&self) -> Publisher {
        Publisher::start(&self.whip, ClipLoop::new(Clip::demo()), Options::default())
            .await
            .unwrap()
    }

    async fn cam(&self) -> (u16, Value) {
        get(self.addresses.api.unwrap(), "/v3/paths/get/cam").await
    }

    /// Waits until the stream is as wanted, and says how long it took.
    async fn until(&self, limit: Duration, wanted: impl Fn(u16, &Value) -> bool) -> Duration {
        let start = Instant::now();
        let reached = async {
            loop {
                let (status, body) = self.cam().await;
                if wanted(status, &body) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(limit, reached)
            .await
            .expect("the stream in the wanted state in time");
        start.elapsed()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(8), self.done)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// As the program runs: an actix system on a multi-threaded runtime.
fn run(test: impl Future<Output = ()>) {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    system.block_on(test);
}

#[test]
fn a_publisher_comes_and_goes() {
    run(async {
        let node = Running::start().await;
        assert_eq!(node.cam().await.0, 404);
        let publisher = node.publish().await;
        node.until(Duration::from_secs(5), |_, cam| cam["ready"] == true)
            .await;
        let (_, cam) = node.cam().await;
        assert_eq!(cam["tracks"], serde_json::json!(["H264", "Opus"]));
        assert_eq!(cam["tracks2"][0]["codecProps"]["width"], 640);
        assert_eq!(cam["source"]["id"].as_str(), publisher.id());
        let (status, _) = get(node.addresses.webrtc.unwrap(), "/v3/paths/get/cam").await;
        assert_eq!(status, 200, "the API is on the WebRTC port too");
        node.until(Duration::from_secs(5), |_, cam| {
            cam["inboundBytes"].as_u64() > Some(100_000)
        })
        .await;
        assert!(publisher.stats().units > 10);
        publisher.stop().await.unwrap();
        assert_eq!(node.cam().await.0, 404, "DELETE ends the stream at once");
        node.stop().await;
    });
}

#[test]
fn a_publisher_that_vanishes_is_noticed_within_five_seconds() {
    run(async {
        let node = Running::start().await;
        let publisher = node.publish().await;
        node.until(Duration::from_secs(5), |_, cam| cam["ready"] == true)
            .await;
        publisher.kill();
        let took = node
            .until(Duration::from_secs(5), |_, cam| cam["ready"] != true)
            .await;
        assert!(took > Duration::from_secs(2), "it said no farewell: {took:?}");
        node.stop().await;
    });
}

#[test]
fn a_silent_publisher_stalls_and_comes_back() {
    run(async {
        let node = Running::start().await;
        let publisher = node.publish().await;
        node.until(Duration::from_secs(5), |_, cam| cam["ready"] == true)
            .await;
        let mute = |muted| [0, 1].map(|track| publisher.mute(track, muted));
        mute(true);
        node.until(Duration::from_secs(6), |_, cam| cam["ready"] == false)
            .await;
        mute(false);
        node.until(Duration::from_secs(6), |_, cam| cam["ready"] == true)
            .await;
        publisher.stop().await.unwrap();
        node.stop().await;
    });
}

#[test]
fn a_newcomer_takes_the_name_over_and_the_old_publisher_is_closed() {
    run(async {
        let node = Running::start().await;
        let old = node.publish().await;
        node.until(Duration::from_secs(5), |_, cam| cam["ready"] == true)
            .await;
        let new = node.publish().await;
        timeout(Duration::from_secs(5), old.ended()).await.unwrap();
        let id = new.id().map(str::to_owned);
        node.until(Duration::from_secs(5), |_, cam| {
            cam["source"]["id"].as_str() == id.as_deref()
        })
        .await;
        old.close().await;
        new.stop().await.unwrap();
        node.stop().await;
    });
}

#[test]
fn a_node_that_ends_closes_its_publishers() {
    run(async {
        let node = Running::start().await;
        let publisher = node.publish().await;
        node.until(Duration::from_secs(5), |_, cam| cam["ready"] == true)
            .await;
        node.stop().await;
        timeout(Duration::from_secs(2), publisher.ended()).await.unwrap();
        publisher.close().await;
    });
}

#[test]
fn without_the_api_the_port_of_publishers_does_not_serve_it_either() {
    run(async {
        let node = Running::start().await;
        assert_eq!(get(node.addresses.webrtc.unwrap(), "/v3/info").await.0, 200);
        node.stop().await;
        let node = Running::start_with(&format!("{FREE_PORTS}api: no\n")).await;
        assert_eq!(node.addresses.api, None);
        let stream = node.publish().await;
        let webrtc = node.addresses.webrtc.unwrap();
        assert_eq!(get(webrtc, "/v3/paths/list").await.0, 404);
        stream.close().await;
        node.stop().await;
    });
}

#[test]
fn a_refused_offer_says_why_and_leaves_nothing_behind() {
    run(async {
        let node = Running::start().await;
        let url = node.whip.replace("/cam/", "/a..b//c/");
        let refused = Publisher::start(&url, ClipLoop::new(Clip::demo()), Options::default()).await;
        let text = refused.err().unwrap().to_string();
        assert!(text.contains("refused with 400"), "{text}");
        node.stop().await;
    });
}

#[test]
fn a_node_that_cannot_start_says_what_to_change() {
    run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let text = FREE_PORTS.replace(
            "rtspAddress: 127.0.0.1:0",
            &format!("rtspAddress: 127.0.0.1:{port}"),
        );
        let config = Config::parse(&text, "test").unwrap();
        let error = Node::build(config, Role::Standalone).await.err().unwrap();
        let words = error.to_string();
        assert!(
            words.starts_with(&format!("TCP port {port} (rtspAddress) is in use")),
            "{words}"
        );
        assert!(words.contains("--rtsp :PORT"), "{words}");
        let alone = Node::build(Config::parse(FREE_PORTS, "test").unwrap(), Role::Ingest).await;
        assert!(matches!(alone.err().unwrap(), StartError::NoNats("ingest")));
    });
}
