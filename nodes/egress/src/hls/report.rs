//! What this face tells of its muxers to lists. How lists show them is decided elsewhere.

use super::Hls;
use super::muxer::Muxer;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};
use weft_wire::{HubReport, MuxerReport, SessionId};

impl Hls {
    /// The muxers, sorted by stream. What was kept from them is taken from the reports of the hubs that they read.
    #[must_use]
    pub fn report(&self, hubs: &[HubReport]) -> Vec<MuxerReport> {
        let readers = hubs.iter().flat_map(|hub| &hub.readers);
        let discarded: HashMap<SessionId, u64> = readers
            .map(|reader| (reader.session, reader.detail.discarded))
            .collect();
        let view = |muxer: &Arc<Muxer>| {
            let id = SessionId(*muxer.id.as_bytes());
            MuxerReport {
                stream: muxer.stream.clone(),
                id,
                created: micros(muxer.created),
                last_request: micros(muxer.asked()),
                bytes_sent: muxer.sent.load(Relaxed),
                discarded: discarded.get(&id).copied().unwrap_or(0),
            }
        };
        let mut views: Vec<MuxerReport> = self.inner.muxers().values().map(view).collect();
        views.sort_by(|a, b| a.stream.cmp(&b.stream));
        views
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
