//! Loss on the way. Between publisher and ingest, 3 % and reordering, both ways: no damaged unit may reach a reader, and at
//! least 99 % of the units sent must, those withheld while waiting for a keyframe counted as missing. Between NATS and egress:
//! everything is repaired.

use anyhow::{Context, Result, bail, ensure};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weft::demo::clip::{ClipTrack, ClipUnit};
use weft::demo::publisher::Options;
use weft::demo::{ClipLoop, Publisher};
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_egress::{Egress, EgressConfig};
use weft_rtsp_server::{Server, ServerConfig};
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::relay::{Relay, Weather};
use weft_testkit::whip_proxy::WhipProxy;
use weft_testkit::{full, publish, units};
use weft_wire::{Codec, NodeName};

const VIDEO_CLOCK: u32 = 90_000;

const BAD: Weather = Weather {
    loss: 0.03,
    reorder: 0.05,
    delay: Duration::from_millis(10),
    jitter: Duration::ZERO,
};

#[tokio::test(flavor = "multi_thread")]
async fn three_percent_loss_from_ffmpeg_damages_nothing_and_loses_less_than_one_percent() -> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    let (node, relay, proxy) = lossy_way(3).await?;
    let mut publisher = publish::ffmpeg_copy(&proxy.whip("lossy"), &clip)?;
    survives(&node, &relay, &clip)
        .await
        .with_context(|| publisher.last_lines())?;
    ensure!(
        publisher.running(),
        "the publisher ended: {}",
        publisher.last_lines()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_percent_loss_from_the_webrtc_crate_damages_nothing_and_loses_less_than_one_percent()
-> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    let (node, relay, proxy) = lossy_way(4).await?;
    let source = ClipLoop::new(video_of(&clip)?);
    let publisher = Box::pin(Publisher::start(&proxy.whip("lossy"), source, Options::default())).await?;
    survives(&node, &relay, &clip).await?;
    publisher.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_between_nats_and_egress_is_repaired_and_nothing_is_missing() -> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let _publisher = publish::ffmpeg_copy(&ingest.whip("lossy")?, &clip)?;

    let name: NodeName = "faulty-egress".parse()?;
    let (bus, _registry, _leases) =
        NatsBus::connect(NatsConfig::new(vec![nats.url()], "egress", name.clone())).await?;
    let faulty = Faulty::wrap(bus, Faults::default());
    let egress = Egress::start(
        EgressConfig::default(),
        faulty.clone(),
        weft_bus::Members::alone(name),
    );
    let local = ServerConfig {
        rtsp_address: Some("127.0.0.1:0".parse()?),
        udp: None,
        ..ServerConfig::default()
    };
    let server = Server::bind(local, Arc::new(egress))?;
    let address = server.addresses().rtsp.context("no RTSP")?;
    let url = format!("rtsp://{address}/lossy");
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.run(stop.clone()));

    let mut reader = oracle::open_when_there(&url, Over::Tcp, Duration::from_secs(20)).await?;
    let mut units = reader.read_units(1, Duration::from_secs(5)).await?;
    faulty.set(Faults {
        seed: 8,
        loss: 0.03,
        jitter: Duration::from_millis(5),
        ..Faults::default()
    });
    units.extend(
        reader
            .read_for(Duration::from_secs(if full() { 60 } else { 20 }))
            .await?,
    );
    weft_testkit::figure(format!(
        "{} units, {} messages lost on the way",
        units.len(),
        faulty.lost()
    ));
    oracle::exact(&clip.units, &units)?;
    ensure!(faulty.lost() > 10, "only {} messages were lost", faulty.lost());
    stop.cancel();
    serving.await?;
    Ok(())
}

/// The clip's video as the built-in publisher takes it.
fn video_of(clip: &Clip) -> Result<weft::demo::Clip> {
    let raw = std::fs::read(&clip.raw)?;
    let ticks = VIDEO_CLOCK / clip.rate;
    let unit = |(number, nals): (usize, Vec<&[u8]>)| ClipUnit {
        track: 0,
        key: units::is_key(&nals),
        pts: number as u32 * ticks,
        data: units::length_prefix(&nals).into(),
    };
    let units: Vec<ClipUnit> = units::pictures(&raw).into_iter().enumerate().map(unit).collect();
    Ok(weft::demo::Clip {
        tracks: vec![ClipTrack {
            codec: Codec::H264,
            clock_rate: VIDEO_CLOCK,
            channels: 0,
        }],
        duration: Duration::from_secs(units.len() as u64) / clip.rate,
        units,
    })
}

/// A node behind a relay that is fair until `survives` makes it bad.
async fn lossy_way(seed: u64) -> Result<(Node, Relay, WhipProxy)> {
    let node = Plan::new(Role::Standalone).start().await?;
    let relay = Relay::start(node.address("ice")?.parse()?, seed).await?;
    let proxy = WhipProxy::start(node.address("webrtc")?.to_owned(), &relay).await?;
    Ok((node, relay, proxy))
}

async fn survives(node: &Node, relay: &Relay, clip: &Clip) -> Result<()> {
    node.wait_for("lossy", Duration::from_secs(20)).await?;
    let mut reader =
        oracle::open_when_there(&node.rtsp("lossy")?, Over::Tcp, Duration::from_secs(10)).await?;
    let mut units = reader.read_units(1, Duration::from_secs(5)).await?;
    let (_, lost_before) = relay.counts();
    relay.set(BAD);
    units.extend(
        reader
            .read_for(Duration::from_secs(if full() { 60 } else { 20 }))
            .await?,
    );
    let (_, lost) = relay.counts();
    let delivery = oracle::follow(&clip.units, &units)?;
    weft_testkit::figure(format!(
        "{delivery:?}, {} datagrams lost on the way",
        lost - lost_before
    ));
    ensure!(
        lost - lost_before > 30,
        "the relay lost only {} datagrams",
        lost - lost_before
    );
    let sent = delivery.delivered + delivery.missing;
    if delivery.delivered * 100 < sent * 99 {
        bail!("{delivery:?}\n{}", node.metrics().await);
    }
    Ok(())
}
