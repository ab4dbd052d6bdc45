//! The browser-like publisher: no keyframe of its own accord, one at once when asked. A reader that comes when the owner's
//! cache holds nothing to start with must get its first picture because the publisher was asked for one.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weft::demo::publisher::Options;
use weft::demo::{Clip, ClipLoop, Publisher};
use weft::{Node, Role};
use weft_config::Config;
use weft_testkit::oracle::{self, Over};
use weft_testkit::{figure, until};

/// One keyframe at its start, none in the 80 s after it.
static ONE_KEY: &[u8] = include_bytes!("../../../tests/fixtures/one-key.clip");

/// Long enough that the owner has given the endless group of pictures up (10 s).
const SILENCE: u64 = 115;

#[test]
fn a_publisher_that_sends_keyframes_only_on_request_is_asked_and_answers() {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    system.block_on(async {
        let ports = [
            "webrtc",
            "webrtcLocalUDP",
            "rtsp",
            "rtp",
            "rtcp",
            "hls",
            "api",
            "metrics",
        ]
        .map(|key| format!("{key}Address: 127.0.0.1:0\n"))
        .concat();
        let node = Node::build(Config::parse(&ports, "test").unwrap(), Role::Standalone)
            .await
            .unwrap();
        let url = format!("rtsp://{}/quiet", node.addresses().rtsp.unwrap());
        let whip = node.whip_url("quiet").unwrap();
        let shutdown = CancellationToken::new();
        let done = actix_rt::spawn(node.run(shutdown.clone()));

        let options = Options {
            obey_keyframes: true,
            ..Options::default()
        };
        let clip = Clip::parse(ONE_KEY.into()).unwrap();
        let publisher = Publisher::start(&whip, ClipLoop::new(clip), options)
            .await
            .unwrap();
        let sent = until("12 s of units", Duration::from_secs(20), || async {
            (publisher.stats().units > SILENCE).then_some(())
        });
        sent.await.unwrap();
        let before = publisher.stats().keyframe_requests;

        let mut reader = oracle::open(&url, Over::Tcp).await.unwrap().play().await.unwrap();
        let first = reader
            .read_units(1, Duration::from_secs(5))
            .await
            .unwrap()
            .remove(0);
        let took = first.arrival - reader.played;
        figure(format!("first picture after {took:?}, frames every 100 ms"));
        assert!(first.key);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert!(publisher.stats().keyframe_requests > before);

        publisher.stop().await.unwrap();
        shutdown.cancel();
        done.await.unwrap().unwrap();
    });
}
