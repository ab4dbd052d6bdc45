//! A node whose publishers are synthetic: everything of the ingest role is real but WebRTC, so that a thousand of them fit on
//! one machine. Each picture carries its publisher's mark, by which readers tell publishers apart.

use crate::error::Error;
use crate::messages::Publish;
use crate::steer::{Answerer, MakeReceiver, Peer};
use crate::testing::{Source, lock, video};
use crate::{Identity, Ingest, IngestConfig};
use actix_rt::Arbiter;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use uuid::Uuid;
use weft_bus::{Bus, Members, Registry};
use weft_rtc::{Feedback, MediaReceiver, PeerAddresses};
use weft_wire::{CloseReason, NodeName, SessionId, StreamName};

/// What stands before a mark in a picture.
const MAGIC: &[u8; 8] = b"WEFTMARK";

/// What a publisher sends, and when.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time between pictures.
    pub interval: Duration,
    /// Every so many pictures a key unit.
    pub gop: u32,
    /// Bytes of a picture; a key unit has four times as many.
    pub bytes: usize,
    /// From the answer to the first picture; `None`: ICE never completes and none comes.
    pub first: Option<Duration>,
    /// The publisher's mark.
    pub mark: u64,
}

/// The mark in a picture or in the packets made of it.
#[must_use]
pub fn mark_of(bytes: &[u8]) -> Option<u64> {
    let at = bytes.windows(MAGIC.len()).position(|window| window == MAGIC)? + MAGIC.len();
    let nibbles = bytes.get(at..at + 16)?;
    Some(
        nibbles
            .iter()
            .fold(0, |mark, nibble| mark << 4 | u64::from(nibble & 0x0f)),
    )
}

/// A slice with a mark; no byte of it is zero, so nothing needs escaping.
fn slice(key: bool, mark: u64, bytes: usize) -> Vec<u8> {
    let mut slice = vec![if key { 0x65 } else { 0x41 }];
    slice.extend_from_slice(MAGIC);
    slice.extend((0..16).rev().map(|i| 0x40 | (mark >> (4 * i)) as u8 & 0x0f));
    slice.resize(bytes.max(slice.len()), 0x55);
    slice
}

/// A node with synthetic publishers.
pub struct SyntheticNode {
    ingest: Ingest,
    answerer: Arc<Orders>,
    arbiter: Arbiter,
}

/// A publisher of such a node. Dropping it is the end of its media, without a word.
#[derive(Debug)]
pub struct SyntheticPublisher {
    /// Its session.
    pub session: SessionId,
    live: Arc<crate::live::Live>,
    peer: Arc<Steered>,
}

impl SyntheticNode {
    /// Starts the role; needs a running actix system. Connected by nothing but its bus.
    #[must_use]
    pub fn start(
        config: IngestConfig,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        node: NodeName,
        incarnation: weft_wire::Incarnation,
    ) -> Self {
        let arbiter = Arbiter::new();
        let answerer = Arc::new(Orders::default());
        let identity = Identity {
            name: node.clone(),
            incarnation,
            started: Instant::now(),
        };
        let members = Members::alone(node);
        let handle = arbiter.handle();
        let ingest = Ingest::with(
            config,
            bus,
            registry,
            members,
            answerer.clone(),
            identity,
            &handle,
        );
        Self {
            ingest,
            answerer,
            arbiter,
        }
    }

    /// The role.
    #[must_use]
    pub fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// A publisher comes.
    ///
    /// # Errors
    /// What a POST would be refused with.
    pub async fn publish(&self, stream: StreamName, pace: Pace) -> Result<SyntheticPublisher, Error> {
        let peer = Arc::new(Steered::default());
        let ticket = Uuid::new_v4().to_string();
        lock(&self.answerer.0).insert(ticket.clone(), (pace, peer.clone()));
        let publish = Publish {
            stream,
            offer: ticket.clone(),
            client: crate::live::Client::default(),
            reached_at: None,
            moves: None,
        };
        let published = self.ingest.state.sessions.send(publish).await;
        lock(&self.answerer.0).remove(&ticket);
        let published = published.map_err(|_| Error::Unavailable("the node has ended".to_owned()))??;
        Ok(SyntheticPublisher {
            session: published.live.id,
            live: published.live,
            peer,
        })
    }

    /// Ends the role as a node's end does.
    pub async fn stop(self) {
        self.ingest.shutdown(CloseReason::Shutdown).await;
        self.arbiter.stop();
    }
}

impl SyntheticPublisher {
    /// Why the node closed it; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        *self.peer.closed.borrow()
    }

    /// Since which claim the name is, or was, its own; the default before any.
    #[must_use]
    pub fn epoch(&self) -> weft_wire::Epoch {
        self.live.status().epoch
    }

    /// Waits for the node to close it.
    pub async fn until_closed(&self) -> CloseReason {
        let mut closed = self.peer.closed.subscribe();
        let reason = closed.wait_for(Option::is_some).await.map(|reason| *reason);
        reason.ok().flatten().unwrap_or(CloseReason::Internal)
    }

    /// Pictures sent so far.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.peer.pictures.load(Ordering::Relaxed)
    }
}

impl Drop for SyntheticPublisher {
    fn drop(&mut self) {
        self.peer.gone.store(true, Ordering::Relaxed);
    }
}

/// The role on this thread, and a publisher of pictures whose packets the caller brings, one by one: the receiver is the real one.
/// Needs a running actix system.
///
/// # Errors
/// What a POST would be refused with.
pub async fn fed_by_hand(
    bus: Arc<dyn Bus>,
    registry: Arc<dyn Registry>,
    node: &str,
    stream: StreamName,
) -> Result<(Ingest, Box<dyn MediaReceiver>), Error> {
    let ingest = crate::testing::ingest(IngestConfig::default(), bus, registry, node);
    let publish = Publish {
        stream,
        offer: crate::testing::OFFER.to_owned(),
        client: crate::live::Client::default(),
        reached_at: None,
        moves: None,
    };
    let published = ingest.state.sessions.send(publish).await;
    published.map_err(|_| Error::Unavailable("the node has ended".to_owned()))??;
    let (_, receiver) = crate::testing::made();
    Ok((ingest, receiver))
}

/// A peer that is steered, and what became of it.
#[derive(Debug)]
struct Steered {
    key: AtomicBool,
    gone: AtomicBool,
    pictures: AtomicU64,
    closed: watch::Sender<Option<CloseReason>>,
}

impl Default for Steered {
    fn default() -> Self {
        Self {
            key: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            pictures: AtomicU64::new(0),
            closed: watch::Sender::new(None),
        }
    }
}

impl Peer for Steered {
    fn keyframe(&self, _: usize) {
        self.key.store(true, Ordering::Relaxed);
    }

    fn close(&self, reason: CloseReason) {
        self.closed
            .send_if_modified(|closed| closed.replace(reason).is_none());
    }

    fn patch(&self, _: String) -> BoxFuture<'static, Result<Option<String>, Error>> {
        async { Ok(None) }.boxed()
    }
}

/// Answers an offer by the order it is the ticket of.
#[derive(Default)]
struct Orders(Mutex<HashMap<String, (Pace, Arc<Steered>)>>);

impl Answerer for Orders {
    fn answer(
        &self,
        offer: String,
        _: Option<IpAddr>,
        make: MakeReceiver,
    ) -> BoxFuture<'static, Result<String, Error>> {
        let order = lock(&self.0).get(&offer).cloned();
        async move {
            let (pace, peer) = order.ok_or_else(|| Error::BadRequest("no such ticket".to_owned()))?;
            let receiver = make(&[video()], peer.clone()).map_err(Error::Closed)?;
            actix_rt::spawn(send(receiver, peer, pace));
            Ok("v=0\r\n".to_owned())
        }
        .boxed()
    }
}

/// Sends as the pace says until the publisher is dropped or closed.
async fn send(mut receiver: Box<dyn MediaReceiver>, peer: Arc<Steered>, pace: Pace) {
    let mut closed = peer.closed.subscribe();
    let begin = async {
        match pace.first {
            Some(first) => sleep(first).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        () = begin => false,
        _ = closed.wait_for(Option::is_some) => true,
    };
    if !ended {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        let addresses = PeerAddresses {
            transport: weft_rtc::Transport::Udp,
            local: nowhere,
            remote: nowhere,
        };
        receiver.connected(Instant::now(), addresses);
        pictures(&mut *receiver, &peer, pace).await;
    }
    let reason = peer.closed.borrow().unwrap_or(CloseReason::PeerLost);
    receiver.closed(reason);
}

async fn pictures(receiver: &mut dyn MediaReceiver, peer: &Steered, pace: Pace) {
    let mut source = Source::video();
    let mut ticks = interval(pace.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut number = 0;
    while peer.closed.borrow().is_none() && !peer.gone.load(Ordering::Relaxed) {
        ticks.tick().await;
        let wished = peer.key.swap(false, Ordering::Relaxed);
        let key = wished || number >= pace.gop || peer.pictures.load(Ordering::Relaxed) == 0;
        number = if key { 1 } else { number + 1 };
        let bytes = if key { 4 * pace.bytes } else { pace.bytes };
        let mut feedback = Feedback::default();
        for packet in source.picture(key, &slice(key, pace.mark, bytes)) {
            receiver.rtp(Instant::now(), packet, &mut feedback);
        }
        receiver.poll(Instant::now(), &mut feedback);
        if !feedback.keyframe.is_empty() {
            peer.key.store(true, Ordering::Relaxed);
        }
        peer.pictures.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_the_packets_of_its_picture() {
        let packets = Source::video().picture(true, &slice(true, 0xfeed_0042, 4_000));
        let found: Vec<u64> = packets
            .iter()
            .filter_map(|packet| mark_of(&packet.payload))
            .collect();
        assert_eq!(found, [0xfeed_0042]);
        assert_eq!(mark_of(b"nothing of the kind"), None);
    }
}
