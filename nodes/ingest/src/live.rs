//! What a session's threads share: its state, tracks, counters and kept units, each behind a lock held for moments.
//! The media loop writes it, the bus and the API read it; nobody waits on it.

use crate::Identity;
use crate::counters::{Counters, SessionCounters};
use crate::gop_cache::GopCache;
use actix::{Message, Recipient};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use weft_bus::Bus;
use weft_wire::{
    CaptureTime, CloseReason, Epoch, KeyframeRequest, Kick, PublisherEvent, PublisherWord, SentTime,
    SessionId, StreamName, StreamState, TrackInfo,
};

/// Locks; a holder that panicked leaves state that is whole, because every change here is one assignment or push.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the bus asks of the session actor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Ask {
    /// A hub's wish for key units.
    Keyframe(KeyframeRequest),
    /// Somebody joined and there is no group of pictures to begin with.
    Joined,
    /// End the session.
    Kick(Kick),
}

/// What changes as the session lives.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) state: StreamState,
    /// The claim it holds; the default before the first.
    pub(crate) epoch: Epoch,
    /// When it became live, µs UTC; 0 before.
    pub(crate) since: i64,
    pub(crate) tracks: Vec<TrackInfo>,
    /// `udp` or `tcp`; empty before ICE and DTLS are done.
    pub(crate) transport: &'static str,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    /// Set once, by whoever knows first.
    pub(crate) ended: Option<CloseReason>,
}

/// What the request that opened the session said about its client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// As whom it was authenticated; empty where nobody need be.
    pub(crate) principal: String,
    /// Its address, a trusted proxy's word included; `None` where it is not known.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) query: String,
    pub(crate) user_agent: String,
}

/// One publisher's session as its threads share it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) stream: StreamName,
    pub(crate) client: Client,
    pub(crate) identity: Identity,
    pub(crate) created: Instant,
    /// The same instant, µs UTC: the one place where the session reads the wall clock.
    pub(crate) created_utc: CaptureTime,
    pub(crate) counters: SessionCounters,
    pub(crate) node: Arc<Counters>,
    status: Mutex<Status>,
    cache: Mutex<GopCache>,
    /// When the last media packet came, in ms since `created`, moved on by pauses of the loop.
    last_media_ms: AtomicU64,
    has_media: AtomicBool,
    actor: OnceLock<Recipient<Ask>>,
    /// What kind of source it is where it is no WHIP publisher, by MediaMTX's word.
    source_type: OnceLock<&'static str>,
    /// What its publisher was told last; nothing follows `Closed`.
    said: watch::Sender<Option<PublisherWord>>,
}

impl Live {
    pub(crate) fn new(
        id: SessionId,
        stream: StreamName,
        client: Client,
        identity: Identity,
        node: Arc<Counters>,
    ) -> Self {
        Self {
            id,
            stream,
            client,
            identity,
            created: Instant::now(),
            created_utc: utc_now(),
            counters: SessionCounters::default(),
            node,
            status: Mutex::new(Status {
                state: StreamState::Waiting,
                epoch: Epoch::default(),
                since: 0,
                tracks: Vec::new(),
                transport: "",
                local: None,
                remote: None,
                ended: None,
            }),
            cache: Mutex::new(GopCache::default()),
            last_media_ms: AtomicU64::new(0),
            has_media: AtomicBool::new(false),
            actor: OnceLock::new(),
            source_type: OnceLock::new(),
            said: watch::Sender::new(None),
        }
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        lock(&self.status)
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, GopCache> {
        lock(&self.cache)
    }

    /// Names the actor that answers for the session.
    pub(crate) fn set_actor(&self, actor: Recipient<Ask>) {
        // Set once, at the actor's start; a second one would be a second actor, which nobody makes.
        self.actor.set(actor).ok();
    }

    /// Says what kind of source it is, before anybody asks.
    pub(crate) fn set_source_type(&self, word: &'static str) {
        // Set once, where the session is made.
        self.source_type.set(word).ok();
    }

    /// What kind of source it is, by MediaMTX's word.
    pub(crate) fn source_type(&self) -> &'static str {
        self.source_type.get().copied().unwrap_or("webRTCSession")
    }

    /// What the publisher is told: the last word now, and each new one. Ends when nothing of the session is left.
    pub(crate) fn words(&self) -> watch::Receiver<Option<PublisherWord>> {
        self.said.subscribe()
    }

    /// What the publisher was told last.
    pub(crate) fn said(&self) -> Option<PublisherWord> {
        self.said.borrow().clone()
    }

    /// Tells the publisher something: whoever listens on this node, and over the bus whoever does elsewhere. A word said
    /// before, or after the last one, is not repeated.
    pub(crate) fn say(&self, bus: &dyn Bus, word: PublisherWord) {
        let new = self.said.send_if_modified(|said| {
            let new = said.as_ref() != Some(&word) && !matches!(said, Some(PublisherWord::Closed(_)));
            if new {
                *said = Some(word.clone());
            }
            new
        });
        if new {
            let session = self.id;
            bus.tell(PublisherEvent { session, word });
        }
    }

    /// Tells the actor something; false when its mailbox was full or it is gone.
    pub(crate) fn ask(&self, ask: Ask) -> bool {
        let Some(actor) = self.actor.get() else {
            return false;
        };
        // overflow: dropped and counted; hubs repeat their wishes, and a kick is answered by asking again.
        let sent = actor.try_send(ask).is_ok();
        if !sent {
            crate::counters::add(&self.node.mailbox_full, 1);
        }
        sent
    }

    /// Takes note of a media packet.
    pub(crate) fn media_arrived(&self, now: Instant) {
        self.last_media_ms.store(self.ms(now), Ordering::Relaxed);
        self.has_media.store(true, Ordering::Relaxed);
    }

    /// True once a media packet came.
    pub(crate) fn has_media(&self) -> bool {
        self.has_media.load(Ordering::Relaxed)
    }

    /// Counts a pause of the loop out of the media's age.
    pub(crate) fn excuse(&self, now: Instant, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let last = self.last_media_ms.load(Ordering::Relaxed);
        self.last_media_ms
            .store(last.saturating_add(pause).min(self.ms(now)), Ordering::Relaxed);
    }

    /// Time since the last media packet, or since the session began if there was none.
    pub(crate) fn media_age(&self, now: Instant) -> Duration {
        Duration::from_millis(
            self.ms(now)
                .saturating_sub(self.last_media_ms.load(Ordering::Relaxed)),
        )
    }

    /// True for a source that this node pulls.
    pub(crate) fn is_pulled(&self) -> bool {
        self.source_type.get().is_some()
    }

    /// How long the session has been there, µs.
    pub(crate) fn age_us(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Stamp of a unit handed to the bus now.
    pub(crate) fn sent(&self, now: Instant) -> SentTime {
        SentTime::from_elapsed(now.saturating_duration_since(self.identity.started))
    }

    /// UTC by this node's clock, steady while the session lives even if the clock steps.
    pub(crate) fn utc(&self, now: Instant) -> CaptureTime {
        let micros = now.saturating_duration_since(self.created).as_micros();
        self.created_utc
            .shifted(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.created).as_millis()).unwrap_or(u64::MAX)
    }
}

/// This node's wall clock.
pub(crate) fn utc_now() -> CaptureTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    CaptureTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
