//! What this node is and carries now, as its lease, its service and its control face tell it.
//! Measuring is the meter's business, ending the node that of `run`.

use super::drain::Drain;
use super::lag::Lag;
use super::meter::Meter;
use super::{Role, name};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use weft_bus::Describe;
use weft_config::{Config, Live};
use weft_egress::{Egress, Hls, Whep};
use weft_ingest::Ingest;
use weft_wire::{
    CloseReason, DrainReply, NodeAddresses, NodeLimits, NodeLoad, NodeRecord, NodeRole, SessionId,
};

/// What all parts of a running node share.
pub(crate) struct State {
    /// Everything that does not change; load and `draining` are filled in when asked.
    base: NodeRecord,
    role: Role,
    parts: OnceLock<Parts>,
    pub(crate) meter: Meter,
    pub(crate) lag: Lag,
    pub(crate) drain: Drain,
    /// Whose limits count as they are now.
    settings: Live,
}

/// The parts that have guests.
pub(crate) struct Parts {
    pub(crate) ingest: Option<Ingest>,
    pub(crate) egress: Option<Egress>,
    pub(crate) whep: Option<Whep>,
    pub(crate) hls: Option<Hls>,
    pub(crate) rtsp: Option<weft_rtsp_server::Handle>,
    pub(crate) hooks: weft_hooks::Hooks,
}

impl State {
    pub(crate) fn new(
        config: &Config,
        role: Role,
        started: SystemTime,
        addresses: NodeAddresses,
        settings: Live,
    ) -> Arc<Self> {
        let incarnation = name::incarnation(started);
        Arc::new(Self {
            role,
            base: NodeRecord {
                role: match role {
                    Role::Standalone => NodeRole::Standalone,
                    Role::Ingest => NodeRole::Ingest,
                    Role::Egress => NodeRole::Egress,
                },
                incarnation,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                addresses,
                load: NodeLoad::default(),
                limits: limits(config, role),
                draining: false,
                started: i64::try_from(incarnation.0).unwrap_or(i64::MAX),
            },
            parts: OnceLock::new(),
            meter: Meter::default(),
            lag: Lag::default(),
            drain: Drain::new(),
            settings,
        })
    }

    /// The node is built.
    pub(crate) fn open(&self, parts: Parts) {
        // Set once, by `build`.
        self.parts.set(parts).ok();
    }

    /// The parts, once they are built.
    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.parts.get()
    }

    /// What the lease says.
    pub(crate) fn record(&self) -> NodeRecord {
        let Some(parts) = self.parts.get() else {
            return self.base.clone();
        };
        let left = parts.left();
        NodeRecord {
            load: NodeLoad {
                publishers: left.publishers,
                readers: left.readers,
                hubs: parts.egress.as_ref().map_or(0, |e| number(e.hub_count())),
                bits_per_second: self.meter.bits_per_second(),
            },
            limits: limits(&self.settings.now(), self.role),
            draining: self.drain.is_ordered(),
            ..self.base.clone()
        }
    }

    /// The same for the members, which the parts hold: so it does not hold the parts in turn.
    pub(crate) fn describe(self: &Arc<Self>) -> Describe {
        let (state, base) = (Arc::downgrade(self), self.base.clone());
        Arc::new(move || {
            state
                .upgrade()
                .map_or_else(|| base.clone(), |state| state.record())
        })
    }

    /// Orders the node to end when everybody has left or `limit` is over (`None`: as long as it takes), and says who is
    /// still there.
    pub(crate) fn order_drain(&self, limit: Option<Duration>, by: &str) -> DrainReply {
        let left = self.left();
        if self.drain.order(limit) {
            tracing::info!(
                by,
                limit = limit.map_or_else(|| "none".to_owned(), |limit| format!("{limit:?}")),
                publishers = left.publishers,
                readers = left.readers,
                "draining: nobody new is taken, publishers are told to move"
            );
        }
        left
    }

    /// Who is still there.
    pub(crate) fn left(&self) -> DrainReply {
        self.parts.get().map_or(
            DrainReply {
                publishers: 0,
                readers: 0,
            },
            Parts::left,
        )
    }
}

impl Parts {
    /// Ends a publisher or reader; false when there is none of this id.
    pub(crate) async fn close(&self, session: SessionId, reason: CloseReason) -> bool {
        // Before the hub: one that does not read yet is among these too.
        if self.whep.as_ref().is_some_and(|whep| whep.close(session, reason)) {
            return true;
        }
        let reads = |egress: &Egress| egress.close_reader(session, reason);
        if self.egress.as_ref().is_some_and(reads) {
            return true;
        }
        // A session that does not read has no reason to be told.
        if self.rtsp.as_ref().is_some_and(|rtsp| rtsp.kick_session(session)) {
            return true;
        }
        match &self.ingest {
            Some(ingest) => ingest.close(session, reason).await,
            None => false,
        }
    }

    /// Bytes of media received from publishers and sent to readers since the start.
    pub(crate) fn bytes(&self) -> u64 {
        let received = self.ingest.as_ref().map(|i| i.counters().bytes.load(Relaxed));
        let sent = self
            .egress
            .as_ref()
            .map(|e| e.counters().sent_bytes.load(Relaxed));
        received.unwrap_or(0).saturating_add(sent.unwrap_or(0))
    }

    fn left(&self) -> DrainReply {
        DrainReply {
            publishers: self.ingest.as_ref().map_or(0, |i| number(i.publishers())),
            readers: self.egress.as_ref().map_or(0, |e| number(e.readers())),
        }
    }
}

/// What a node may carry.
fn limits(config: &Config, role: Role) -> NodeLimits {
    let limits = &config.fabric.limits;
    let limit = |wanted: bool, limit: usize| if wanted { number(limit) } else { 0 };
    NodeLimits {
        publishers: limit(role != Role::Egress, limits.publishers),
        readers: limit(role != Role::Ingest, limits.readers),
        bits_per_second: limits.bits_per_second,
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
