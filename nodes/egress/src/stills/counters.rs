//! What stills count, each with the name and help it has on `/metrics`.
//! Who reads them is the metrics' business.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($(#[doc = $help:literal] $field:ident => $name:literal,)+) => {
        /// Counters of the stills of a node.
        #[derive(Debug, Default)]
        pub struct StillCounters { $(#[doc = $help] pub $field: AtomicU64,)+ }

        impl StillCounters {
            /// Calls `f` with metric name, help and value of each.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, $help.trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// Streams whose newest key unit began to be kept, because somebody asked for a still picture.
    opened => "weft_egress_stills_opened_total",
    /// Key units kept as a stream's newest picture.
    units => "weft_egress_still_units_total",
    /// Requests for still pictures answered with one.
    served => "weft_egress_stills_served_total",
    /// Requests for still pictures answered with 304: the asker has the newest one.
    unchanged => "weft_egress_stills_unchanged_total",
    /// Requests for still pictures refused: too many streams at once, too often, or no place for one more to be decoded.
    refused => "weft_egress_stills_refused_total",
    /// Snapshots decoded and encoded as JPEG.
    snapshots => "weft_egress_snapshots_total",
    /// Snapshots that could not be decoded.
    snapshots_failed => "weft_egress_snapshots_failed_total",
    /// Requests answered with an older snapshot than there could be, because decoding has had its share of a core.
    snapshots_postponed => "weft_egress_snapshots_postponed_total",
    /// Time spent on decoding and encoding snapshots, in microseconds.
    snapshot_us => "weft_egress_snapshot_microseconds_total",
}
