//! What one access unit costs in allocations on its way from a publisher's packets to a reader's socket, all in our own code.
//! Counted on one thread, on which all of it runs; what a packet costs before it is decrypted is the WebRTC core's.

mod camera;
mod player;

use camera::{Camera, GOP};
use player::Player;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weft_allocations::{count, tell};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members, Registry};
use weft_egress::{Egress, EgressConfig};
use weft_ingest::synthetic::fed_by_hand;
use weft_rtsp_server::{
    DescribeRequest, PlayHandler, PlayReader, ReaderEvent, ReaderSpec, Server, ServerConfig,
};
use weft_wire::{CloseReason, NodeName, StreamName, TrackId};

/// The most that a unit of video may cost (the aim is 3).
const MOST: f64 = 6.0;
/// Units that are not counted: buffers find their sizes in them.
const WARM_UP: usize = 2 * GOP;
/// Units that are counted.
const COUNTED: usize = 4 * GOP;

/// Allocations of one unit.
#[derive(Clone, Copy)]
struct Cost {
    /// From the packets to the bus, its queues included.
    publish: f64,
    /// From there to where the test takes it.
    rest: f64,
}

#[test]
fn a_unit_costs_few_allocations_from_its_packets_to_the_reader_s_socket() {
    actix_rt::System::new().block_on(async {
        let bus = MemoryBus::new();
        let (registry, bus): (Arc<dyn Registry>, Arc<dyn Bus>) = (Arc::new(bus.clone()), Arc::new(bus));
        let stream = StreamName::new("way").expect("a name");
        let (ingest, receiver) = fed_by_hand(bus.clone(), registry, "here", stream.clone())
            .await
            .expect("a publisher");
        let mut camera = Camera::new(receiver);
        // The name is claimed with the first key unit.
        for _ in 0..GOP {
            camera.unit().await;
        }
        let members = Members::alone(NodeName::new("here").expect("a name"));
        let egress = Egress::start(EgressConfig::default(), bus, members);

        let queued = to_the_queue(&egress, &mut camera, &stream).await;
        let sent = to_the_socket(&egress, &mut camera, &stream).await;
        tell("packets to bus (reorder, depacketise, publish)", sent.publish);
        tell("bus to a reader's queue (hub, packetise)", queued.rest);
        tell("queue to socket (RTSP over TCP)", sent.rest - queued.rest);
        let all = sent.publish + sent.rest;
        tell("the whole way", all);
        assert!(all <= MOST, "{all:.2} allocations for a unit of video");
        egress.shutdown(CloseReason::Shutdown).await;
        ingest.shutdown(CloseReason::Shutdown).await;
    });
}

/// A reader whose events the test takes itself.
async fn to_the_queue(egress: &Egress, camera: &mut Camera, stream: &StreamName) -> Cost {
    let peer = "127.0.0.1:5000".parse().expect("an address");
    let source = egress.describe(DescribeRequest {
        stream: stream.clone(),
        query: None,
        peer,
        user_agent: None,
        principal: String::new(),
    });
    let source = source.await.expect("a stream");
    let joined = source.join(ReaderSpec {
        id: uuid::Uuid::new_v4(),
        peer,
        transport: "TCP",
        secure: false,
        tracks: vec![TrackId(0)],
        query: String::new(),
        user_agent: String::new(),
        principal: String::new(),
    });
    let mut reader = joined.await.expect("a place").reader;
    while reader.try_next().is_some() {}
    cost(camera, async || take(&mut *reader).await).await
}

async fn take(reader: &mut dyn PlayReader) {
    loop {
        match reader.try_next() {
            Some(ReaderEvent::Block(_)) => return,
            Some(ReaderEvent::Report(..)) => {}
            Some(ReaderEvent::Closed(reason)) => panic!("closed: {reason:?}"),
            None => tokio::task::yield_now().await,
        }
    }
}

/// A reader over RTSP, interleaved, on the loopback.
async fn to_the_socket(egress: &Egress, camera: &mut Camera, stream: &StreamName) -> Cost {
    let any = "127.0.0.1:0".parse().ok();
    let config = ServerConfig {
        rtsp_address: any,
        udp: None,
        ..ServerConfig::default()
    };
    let server = Server::bind(config, Arc::new(egress.clone())).expect("a port");
    let (address, stop) = (server.addresses().rtsp.expect("a port"), CancellationToken::new());
    let running = tokio::spawn(server.run(stop.clone()));
    let mut player = Player::play(address, stream.as_str()).await;
    // What it began with was from before.
    player.drain(Duration::from_millis(50)).await;
    let cost = cost(camera, async || player.picture().await).await;
    stop.cancel();
    running.await.expect("the server ends");
    cost
}

/// Counts what units cost: each is sent, then waited for at the end of its way.
async fn cost(camera: &mut Camera, mut arrived: impl AsyncFnMut()) -> Cost {
    let (mut publish, mut rest) = (0, 0);
    for n in 0..WARM_UP + COUNTED {
        let made = camera.make();
        let begun = count();
        camera.send(made);
        let published = count();
        arrived().await;
        if n >= WARM_UP {
            publish += published - begun;
            rest += count() - published;
        }
        camera.pause().await;
    }
    Cost {
        publish: publish as f64 / COUNTED as f64,
        rest: rest as f64 / COUNTED as f64,
    }
}
