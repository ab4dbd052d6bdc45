//! Counters of the ingest role: one set per node for /metrics, one per session for its view and the owner's answer.
//! Rendering them is the control face's work.

use std::sync::atomic::{AtomicU64, Ordering};
use weft_wire::CloseReason;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $metric:literal,)+) => {
        /// Counters of the whole node since it started.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: AtomicU64,)+
        }

        impl Counters {
            /// Calls `f` with the name, the explanation and the value of each counter.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($metric, concat!($($help),+).trim_ascii(), self.$field.load(Ordering::Relaxed));)+
            }
        }
    };
}

counters! {
    /// Publishers whose offer was answered.
    sessions_opened => "weft_ingest_sessions_opened_total",
    /// Publishers whose stream became live.
    sessions_live => "weft_ingest_sessions_live_total",
    /// Publishers' sessions closed, for whatever reason.
    sessions_closed => "weft_ingest_sessions_closed_total",
    /// Sessions that the publisher ended.
    closed_left => "weft_ingest_sessions_closed_left_total",
    /// Sessions whose publisher vanished.
    closed_lost => "weft_ingest_sessions_closed_lost_total",
    /// Sessions without usable media in time.
    closed_no_media => "weft_ingest_sessions_closed_no_media_total",
    /// Sessions whose name another publisher took.
    closed_taken_over => "weft_ingest_sessions_closed_taken_over_total",
    /// Sessions whose name was in use when their media came, and not to be taken over.
    closed_conflict => "weft_ingest_sessions_closed_conflict_total",
    /// Sessions closed by an operator, a shutdown or a fault.
    closed_other => "weft_ingest_sessions_closed_other_total",
    /// Offers refused: malformed or without usable tracks.
    refused_offer => "weft_ingest_refused_offer_total",
    /// Offers refused: the name is in use.
    refused_conflict => "weft_ingest_refused_conflict_total",
    /// Offers refused: the node is full.
    refused_full => "weft_ingest_refused_full_total",
    /// Offers refused: their client's address has as many publishers and readers, or publishers without media, as it may.
    refused_address => "weft_ingest_refused_address_total",
    /// Offers refused: the bus is away or the node is shutting down.
    refused_unavailable => "weft_ingest_refused_unavailable_total",
    /// Offers that another node took for this one.
    offers_passed_on => "weft_ingest_offers_passed_on_total",
    /// Offers that this node took for another one.
    offers_taken => "weft_ingest_offers_taken_total",
    /// Times another node was asked to take an offer and did not.
    offers_not_taken => "weft_ingest_offers_not_taken_total",
    /// Requests about sessions of other nodes refused because their address makes too many.
    pass_on_refused => "weft_ingest_pass_on_refused_total",
    /// Events channels ended because their session opened a fifth one.
    events_ended_early => "weft_ingest_events_ended_early_total",
    /// Events channels refused because the node had as many as it may.
    events_refused => "weft_ingest_events_refused_total",
    /// RTP packets received.
    packets => "weft_ingest_rtp_packets_total",
    /// Bytes of RTP payload received.
    bytes => "weft_ingest_rtp_bytes_total",
    /// RTP packets that never came.
    packets_lost => "weft_ingest_rtp_packets_lost_total",
    /// RTP packets that came twice or too late.
    packets_duplicate => "weft_ingest_rtp_packets_duplicate_total",
    /// RTP packets of a second source on a track, dropped.
    packets_foreign => "weft_ingest_rtp_packets_foreign_total",
    /// Retransmissions asked for, repetitions included.
    nacked => "weft_ingest_rtp_packets_nacked_total",
    /// Key frame requests sent to publishers.
    keyframe_requests => "weft_ingest_keyframe_requests_total",
    /// Access units received whole.
    units => "weft_ingest_units_total",
    /// Access units dropped: packets missing or malformed.
    units_in_error => "weft_ingest_units_in_error_total",
    /// Access units withheld while waiting for a key frame.
    units_withheld => "weft_ingest_units_withheld_total",
    /// Access units before the stream's first key frame.
    units_early => "weft_ingest_units_early_total",
    /// Access units handed to the bus.
    published => "weft_ingest_units_published_total",
    /// Access units that nobody wanted.
    paused => "weft_ingest_units_paused_total",
    /// Access units dropped: the bus was away.
    dropped_away => "weft_ingest_units_dropped_away_total",
    /// Access units dropped: the bus's queue was full.
    dropped_full => "weft_ingest_units_dropped_full_total",
    /// Access units dropped: too large to travel.
    dropped_too_large => "weft_ingest_units_dropped_too_large_total",
    /// Sources pulled and commands run because somebody wanted to read their streams.
    demands => "weft_ingest_demands_total",
    /// Streams not seen to on demand because too many were already.
    demands_refused => "weft_ingest_demands_refused_total",
    /// Groups of pictures too long or too large to keep.
    gops_given_up => "weft_ingest_gops_given_up_total",
    /// Messages to a session that found its mailbox full.
    mailbox_full => "weft_ingest_mailbox_full_total",
    /// Times a session whose record had vanished claimed its name anew.
    claims_anew => "weft_ingest_claims_anew_total",
    /// Records of dead nodes removed by this one.
    records_removed => "weft_ingest_records_removed_total",
    /// Times a stream had no media for 4 s.
    stalls => "weft_ingest_streams_stalled_total",
    /// Times a session heard that the media loop had stood still.
    loop_stalls => "weft_ingest_loop_stalls_total",
}

/// Counters of one session.
#[derive(Debug, Default)]
pub(crate) struct SessionCounters {
    /// RTP packets received.
    pub(crate) packets: AtomicU64,
    /// Bytes of RTP payload received.
    pub(crate) bytes: AtomicU64,
    /// RTP packets that never came.
    pub(crate) packets_lost: AtomicU64,
    /// Sender reports received.
    pub(crate) rtcp_packets: AtomicU64,
    /// Interarrival jitter of the track that spoke last, in µs (RFC 3550 §6.4.1).
    pub(crate) jitter_us: AtomicU64,
    /// Retransmissions asked for, repetitions included.
    pub(crate) nacked: AtomicU64,
    /// Key frame requests sent.
    pub(crate) keyframe_requests: AtomicU64,
    /// Access units received whole.
    pub(crate) units: AtomicU64,
    /// Those of them that are pictures.
    pub(crate) pictures: AtomicU64,
    /// Access units dropped: packets missing or malformed.
    pub(crate) units_in_error: AtomicU64,
    /// Access units withheld while waiting for a key frame.
    pub(crate) units_withheld: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Reads a counter.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    /// Counts a closed session by its reason.
    pub(crate) fn closed(&self, reason: CloseReason) {
        add(&self.sessions_closed, 1);
        let counter = match reason {
            CloseReason::PeerLeft => &self.closed_left,
            CloseReason::PeerLost => &self.closed_lost,
            CloseReason::NoMedia => &self.closed_no_media,
            CloseReason::TakenOver => &self.closed_taken_over,
            CloseReason::Conflict => &self.closed_conflict,
            _ => &self.closed_other,
        };
        add(counter, 1);
    }
}
