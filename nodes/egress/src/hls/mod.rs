//! Low-latency HLS: one muxer per stream that somebody watches, opened by the first request and closed some time after the
//! last. Playlists and parts are made once for all viewers; where the port is and who serves it is the binary's business.
//!
//! The way of a unit: `muxer` (takes it from the hub) ▶ `warm` (the first ones) ▶ `stream` and `sound` (where segments begin) ▶
//! `cut` (parts) ▶ `rendition` (kept) ▶ `playlist` (told). Requests: `http` ▶ `viewers` (who may) ▶ `muxer`.

mod counters;
mod cut;
mod http;
mod muxer;
mod playlist;
mod rendition;
mod report;
mod sound;
mod stream;
mod viewers;
mod warm;

#[cfg(test)]
#[allow(
    unreachable_pub,
    dead_code,
    reason = "the rules are those that live nodes are checked by, in the testkit"
)]
#[path = "../../../../tests/testkit/src/hls_rules.rs"]
mod rules;

use crate::egress::Egress;
use counters::Counters;
use muxer::Muxer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stream::Shape;
use tokio::runtime::Handle;
use viewers::Viewers;
use weft_auth::Gate;
use weft_config::{HlsVariant, Live};
use weft_rtsp_server::DescribeRequest;
use weft_wire::StreamName;

/// The HLS face of an egress; clones are the same one.
#[derive(Clone)]
pub struct Hls {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    egress: Egress,
    live: Live,
    gate: Gate,
    runtime: Handle,
    muxers: Mutex<HashMap<StreamName, Arc<Muxer>>>,
    viewers: Viewers,
    counters: Counters,
}

impl Hls {
    /// A face without muxers. Its tasks run on the Tokio runtime this is called on.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn new(egress: Egress, live: Live, gate: Gate) -> Self {
        Self {
            inner: Arc::new(Inner {
                egress,
                live,
                gate,
                runtime: Handle::current(),
                muxers: Mutex::default(),
                viewers: Viewers::default(),
                counters: Counters::default(),
            }),
        }
    }

    /// Registers the routes; a handler for whatever else is asked for on the port may stand behind them.
    pub fn routes(&self) -> impl FnOnce(&mut actix_web::web::ServiceConfig) + use<> {
        let hls = self.clone();
        move |service| http::configure(hls, service)
    }

    /// Each counter: metric name, help, value.
    pub fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        self.inner.counters.each(visit);
    }

    /// The muxer of a stream, opened if there is none. Of a stream that is over what is left is read to its end, unless
    /// somebody begins `anew`.
    fn muxer(&self, request: DescribeRequest, anew: bool) -> Arc<Muxer> {
        let inner = &self.inner;
        let mut muxers = inner.muxers();
        let known = muxers.get(&request.stream);
        if let Some(muxer) = known.filter(|muxer| !(anew && muxer.is_over())) {
            return Arc::clone(muxer);
        }
        let muxer = Muxer::new(request.stream.clone());
        muxers.insert(request.stream.clone(), Arc::clone(&muxer));
        let shape = shape(&inner.live);
        let task = Arc::clone(&muxer).run(Arc::clone(inner), request, shape);
        inner.runtime.spawn(task);
        muxer
    }
}

impl Inner {
    fn muxers(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Muxer>>> {
        // Each change under this lock is one insertion or removal.
        self.muxers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a muxer that is over out of the map.
    fn forget(&self, muxer: &Arc<Muxer>) {
        let mut muxers = self.muxers();
        if muxers
            .get(&muxer.stream)
            .is_some_and(|known| Arc::ptr_eq(known, muxer))
        {
            muxers.remove(&muxer.stream);
        }
    }
}

fn shape(live: &Live) -> Shape {
    let config = live.now();
    let hls = &config.hls;
    Shape {
        segment: hls.segment_duration,
        part: (hls.variant == HlsVariant::LowLatency).then_some(hls.part_duration),
        listed: hls.segment_count,
        max_bytes: hls.segment_max_size,
        keyframe_interval: config.fabric.keyframe_interval,
    }
}
