//! The server as retina sees it, an independent client that is strict about what it reads.
//! Players that decode are met in `tests/interop`.

use crate::mock::{self, CAPTURE_START, Running};
use futures::StreamExt;
use retina::client::{PacketItem, PlayOptions, Session, SessionOptions, SetupOptions, Transport};
use retina::codec::CodecItem;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Pushes pictures and sound in their rhythm until dropped.
fn live(server: &Running) -> tokio::task::JoinHandle<()> {
    let stream = std::sync::Arc::clone(&server.demo);
    tokio::spawn(async move {
        for n in 0_u32.. {
            stream.picture(
                n.is_multiple_of(10),
                if n.is_multiple_of(10) { 60_000 } else { 6000 },
            );
            stream.sound();
            stream.sound();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
}

async fn described(server: &Running, path: &str) -> Session<retina::client::Described> {
    let url = url::Url::parse(&format!("rtsp://{}/{path}", server.addresses().rtsp.unwrap())).unwrap();
    Session::describe(url, SessionOptions::default()).await.unwrap()
}

async fn video_plays(transport: fn() -> Transport) {
    let server = mock::start();
    let source = live(&server);
    let mut session = described(&server, "demo").await;
    assert_eq!(session.streams().len(), 2);
    assert_eq!(session.streams()[1].encoding_name(), "opus");
    let options = SetupOptions::default().transport(transport());
    session.setup(0, options).await.unwrap();
    let mut frames = session
        .play(PlayOptions::default())
        .await
        .unwrap()
        .demuxed()
        .unwrap();
    let (mut count, mut reports, mut last) = (0, 0, None);
    while count < 100 {
        match tokio::time::timeout(LIMIT, frames.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            CodecItem::VideoFrame(frame) => {
                assert_eq!(frame.loss(), 0, "frame {count}");
                assert!(
                    count > 0 || frame.is_random_access_point(),
                    "begins at a key unit"
                );
                assert!(
                    count == 0 || reports == 1,
                    "the report comes before the first packet"
                );
                let time = frame.timestamp().timestamp();
                assert_eq!(time - last.unwrap_or(time - 3600), 3600);
                last = Some(time);
                count += 1;
            }
            CodecItem::Rtcp(report) => {
                let sent = report
                    .pkts()
                    .find_map(|p| p.as_sender_report().ok().flatten())
                    .unwrap();
                assert_eq!(sent.ntp_timestamp().0, CAPTURE_START.to_ntp());
                assert_eq!(sent.rtp_timestamp(), mock::VIDEO_START);
                reports += 1;
            }
            _ => {}
        }
    }
    source.abort();
}

#[tokio::test]
async fn retina_plays_video_over_tcp_without_loss() {
    video_plays(|| Transport::Tcp(Default::default())).await;
}

#[tokio::test]
async fn retina_plays_video_over_udp_without_loss() {
    video_plays(|| Transport::Udp(Default::default())).await;
}

#[tokio::test]
async fn retina_gets_both_tracks_whole_from_the_announced_packets_on() {
    let server = mock::start();
    let source = live(&server);
    let mut session = described(&server, "demo").await;
    for track in 0..2 {
        let options = SetupOptions::default().transport(Transport::Tcp(Default::default()));
        session.setup(track, options).await.unwrap();
    }
    let playing = session.play(PlayOptions::default()).await.unwrap();
    tokio::pin!(playing);
    let mut count = [0; 2];
    while count.iter().any(|c| *c < 50) {
        match tokio::time::timeout(LIMIT, playing.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            PacketItem::Rtp(packet) => {
                assert_eq!(packet.loss(), 0);
                count[packet.stream_id()] += 1;
            }
            PacketItem::Rtcp(_) => {}
            other => panic!("{other:?}"),
        }
    }
    source.abort();
}
