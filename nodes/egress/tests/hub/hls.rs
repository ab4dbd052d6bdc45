//! HLS of a whole hub, by requests as players make them: the muxer lives while somebody watches, goes on with another publisher,
//! tells the end, and nobody waits for what will not come. What playlists must be is tested beside `hls/playlist`.

use crate::camera::*;
use crate::viewer::*;
use actix_web::{App, test};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_auth::Gate;
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members, NodesView, SeenNode};
use weft_config::{Config, Live};
use weft_egress::{Egress, EgressConfig, Hls};
use weft_wire::*;

/// 640x360, from the demo clip.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
];
const PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc8];

fn setup(session: u8) -> Setup {
    Setup {
        revision: u64::from(session),
        session,
        sets: [SPS, PPS],
        ..Setup::default()
    }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn scene() -> (Arc<dyn Bus>, Camera, Egress, Hls) {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let camera = Camera::start(&bus, setup(1)).await;
    sleep(Duration::from_millis(700)).await;
    let egress = egress(&bus);
    let hls = Hls::new(egress.clone(), Live::default(), Gate::open());
    (bus, camera, egress, hls)
}

/// Status and text of an answer.
macro_rules! get {
    ($hls:expr, $file:expr) => {{
        let app = test::init_service(App::new().configure($hls.routes())).await;
        let request = test::TestRequest::get()
            .uri(&format!("/exam/1/{}", $file))
            .to_request();
        let response = test::call_service(&app, request).await;
        let status = response.status().as_u16();
        let body = test::read_body(response).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }};
}

#[tokio::test(start_paused = true)]
async fn a_muxer_is_opened_by_the_first_request_and_closed_a_minute_after_the_last() {
    let (_bus, camera, egress, hls) = scene().await;
    assert!(egress.hubs().is_empty(), "nobody watches, nothing is read");
    let before = Instant::now();
    let (status, index) = get!(hls, "index.m3u8");
    assert_eq!(status, 200, "{index}");
    // The group that is cached ends soon, and makes the first whole segment.
    assert!(
        before.elapsed() < Duration::from_millis(2300),
        "{:?}",
        before.elapsed()
    );
    assert!(index.contains("avc1.42c01f,opus"), "{index}");
    assert_eq!(egress.hubs()[0].taps.len(), 1);
    assert_eq!(egress.readers(), 1);
    assert!(camera.wishes().iter().any(|wish| wish.interval_ms > 0));
    sleep(s(50)).await;
    assert_eq!(get!(hls, "video.m3u8").0, 200);
    sleep(s(50)).await;
    assert_eq!(hls.report(&[]).len(), 1);
    sleep(s(30)).await;
    assert!(hls.report(&[]).is_empty() && egress.hubs().is_empty() && egress.readers() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_reload_waits_for_its_part_and_no_longer() {
    let (_bus, _camera, _egress, hls) = scene().await;
    get!(hls, "index.m3u8");
    let (_, text) = get!(hls, "video.m3u8");
    let sequence = text
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let sequence: u64 = sequence.unwrap().parse().unwrap();
    let parts = text.matches("#EXT-X-PART:").count();
    let before = Instant::now();
    let (status, later) = get!(hls, format!("video.m3u8?_HLS_msn={sequence}&_HLS_part={parts}"));
    assert_eq!(status, 200, "{later}");
    assert!(later.matches("#EXT-X-PART:").count() > parts);
    assert!(
        before.elapsed() <= Duration::from_millis(260),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn another_publisher_continues_the_playlist_with_a_discontinuity() {
    let (bus, camera, _egress, hls) = scene().await;
    get!(hls, "index.m3u8");
    sleep(s(5)).await;
    let (_, before) = get!(hls, "video.m3u8");
    camera.vanish().await;
    sleep(s(3)).await;
    let _other = Camera::start(&bus, setup(2)).await;
    sleep(s(5)).await;
    for name in ["video", "audio"] {
        let (status, text) = get!(hls, format!("{name}.m3u8"));
        assert_eq!(status, 200);
        assert_eq!(
            text.matches("#EXT-X-DISCONTINUITY\n").count(),
            1,
            "{name}: {text}"
        );
        assert!(!text.contains("ENDLIST"));
    }
    let (_, after) = get!(hls, "video.m3u8");
    let whole = before.lines().rfind(|line| line.contains("_seg")).unwrap();
    assert!(after.contains(whole), "what was there still is");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_is_told_and_then_there_is_nothing() {
    let (_bus, camera, _egress, hls) = scene().await;
    get!(hls, "index.m3u8");
    sleep(s(2)).await;
    camera.end(CloseReason::PeerLeft).await;
    sleep(s(4)).await;
    let text = get!(hls, "video.m3u8").1;
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    assert_eq!(get!(hls, "index.m3u8").0, 404);
    sleep(s(20)).await;
    assert!(hls.report(&[]).is_empty());
    assert_eq!(get!(hls, "video.m3u8").0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_pictures_yet_is_asked_for_again() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let setup = Setup { cache: 0, ..setup(1) };
    let camera = Camera::start(&bus, setup).await;
    camera.silence(true);
    let hls = Hls::new(egress(&bus), Live::default(), Gate::open());
    let before = Instant::now();
    let (status, text) = get!(hls, "index.m3u8");
    assert_eq!(status, 503, "{text}");
    assert!(before.elapsed() < s(12), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_full_node_sends_each_viewer_to_another_one_with_its_own_query() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let _camera = Camera::start(&bus, setup(1)).await;
    sleep(Duration::from_millis(700)).await;
    let own = Members::alone(NodeName::new("egress").unwrap()).own();
    let mut record = own.clone();
    record.role = NodeRole::Egress;
    record.addresses.hls = "[::1]:8888".into();
    let heard = Instant::now();
    let other = (NodeName::new("other").unwrap(), SeenNode { record, heard });
    let view = NodesView {
        nodes: [other].into(),
        as_of: Some(heard),
    };
    let (_keep, view) = tokio::sync::watch::channel(Arc::new(view));
    let describe = Arc::new(move || own.clone());
    let members = Members::seeing(NodeName::new("egress").unwrap(), describe, view);
    let config = EgressConfig {
        max_readers: 1,
        ..EgressConfig::default()
    };
    let egress = Egress::start(config, bus, members);
    let hls = Hls::new(egress.clone(), Live::default(), Gate::open());
    let reader = Viewer::join(&egress, &[0]).await;
    let app = test::init_service(App::new().configure(hls.routes())).await;
    let ask = async |uri: &str| {
        let request = test::TestRequest::get().uri(uri).to_request();
        let response = test::call_service(&app, request).await;
        let location = response.headers().get("location");
        let location = location.map(|url| url.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    };
    // Both wait for the same muxer, and neither gets to see the other's token.
    let (first, second) = tokio::join!(
        ask("/exam/1/index.m3u8?token=first"),
        ask("/exam/1/index.m3u8?token=second")
    );
    for (answer, token) in [(first, "first"), (second, "second")] {
        let there = format!("http://[::1]:8888/exam/1/index.m3u8?token={token}");
        assert_eq!(answer, (302, Some(there)));
    }
    drop(reader);
    assert_eq!(ask("/exam/1/index.m3u8").await.0, 200, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn who_a_viewer_is_is_believed_of_trusted_proxies_alone() {
    let (_bus, _camera, egress, _) = scene().await;
    let status = async |proxies: &str| {
        let users = "authInternalUsers: [{user: any, ips: [192.0.2.7], permissions: [{action: read}]}]";
        let config = Config::parse(&format!("{users}\n{proxies}"), "test").unwrap();
        let live = Live::fixed(config);
        let hls = Hls::new(egress.clone(), live.clone(), Gate::new(live));
        let app = test::init_service(App::new().configure(hls.routes())).await;
        let request = test::TestRequest::get()
            .uri("/exam/1/index.m3u8")
            .peer_addr("127.0.0.1:5".parse().unwrap())
            .insert_header(("X-Forwarded-For", "192.0.2.7"));
        test::call_service(&app, request.to_request())
            .await
            .status()
            .as_u16()
    };
    assert_eq!(status("hlsTrustedProxies: [127.0.0.1]").await, 200);
    assert_eq!(status("hlsTrustedProxies: [127.0.0.2]").await, 401);
    assert_eq!(status("webrtcTrustedProxies: [127.0.0.1]").await, 401);
}
