//! What hubs count, each with the name and help it has on `/metrics`.
//! A hub counts for itself; the egress adds up the living and the closed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weft_histogram::Histogram;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of one hub, or the sum over all. Relaxed: each is true by itself, no two are of one moment.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: AtomicU64,)+
            /// From a unit's publication to its being taken for a reader's socket.
            pub way: Histogram,
        }

        impl Counters {
            /// Calls `f` with metric name, help and value of each.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }

            /// The same for what has a histogram.
            pub fn histograms(&self, f: &mut dyn FnMut(&'static str, &'static str, &Histogram)) {
                f(
                    "weft_egress_publish_to_send_seconds",
                    "From a unit's publication to its being taken for a reader's socket, for each reader. Between nodes, whose clocks \
                     are not compared, by how much longer that took than the quickest way of the last minute.",
                    &self.way,
                );
            }

            /// Adds another's values to these.
            pub(crate) fn absorb(&self, other: &Self) {
                $(self.$field.fetch_add(other.$field.load(Relaxed), Relaxed);)+
                self.way.absorb(&other.way);
            }
        }
    };
}

counters! {
    /// Hubs opened.
    hubs_opened => "weft_egress_hubs_opened_total",
    /// Hubs that could not be opened: no such stream, or the bus did not answer.
    hubs_refused => "weft_egress_hubs_refused_total",
    /// Newcomers sent to another node.
    readers_moved => "weft_egress_readers_moved_total",
    /// Readers that joined.
    readers_joined => "weft_egress_readers_joined_total",
    /// Readers closed by the hub: stream ended, codec changed, shutdown.
    readers_closed => "weft_egress_readers_closed_total",
    /// Access units passed on to readers, before they are multiplied by them.
    units => "weft_egress_units_total",
    /// Bytes of access units passed on, before they are multiplied by readers.
    unit_bytes => "weft_egress_unit_bytes_total",
    /// Units of a lower epoch, kept from readers.
    fenced => "weft_egress_units_fenced_total",
    /// Live units that came more than 500 ms late, kept from readers.
    stale => "weft_egress_units_stale_total",
    /// By how much live units came later than the quickest of the last minute, summed, in microseconds.
    late_us => "weft_egress_units_late_microseconds_total",
    /// Time from asking to be let in to the first packet sent, summed over the readers that have got one, in microseconds.
    join_us => "weft_egress_reader_join_microseconds_total",
    /// Readers that have got a packet.
    joined => "weft_egress_readers_served_total",
    /// Units that came twice (live and in an answer).
    duplicates => "weft_egress_units_duplicate_total",
    /// Units that never came.
    lost => "weft_egress_units_lost_total",
    /// Units kept from readers: video after a loss until the next key unit, unknown tracks, absurd times.
    skipped => "weft_egress_units_skipped_total",
    /// Units of tracks that none of the readers has set up: they came with a later publisher, or nobody wanted them.
    unread => "weft_egress_units_unread_total",
    /// Questions for past units because some were missing.
    repairs => "weft_egress_repairs_total",
    /// Units brought back by such questions.
    repaired => "weft_egress_units_repaired_total",
    /// Missing units that could not be brought back in time.
    repairs_failed => "weft_egress_repairs_failed_total",
    /// Times that readers went on with another publisher session.
    takeovers => "weft_egress_takeovers_total",
    /// Key units asked for.
    keyframe_requests => "weft_egress_keyframe_requests_total",
    /// Times that a slow reader skipped to a later key unit.
    reader_skips => "weft_egress_reader_skips_total",
    /// Units dropped from queues of slow readers.
    reader_dropped => "weft_egress_reader_units_dropped_total",
    /// Times that a face which takes whole units (HLS) did not keep up and skipped to a later key unit.
    tap_skips => "weft_egress_tap_skips_total",
    /// Units dropped from the queues of such faces.
    tap_dropped => "weft_egress_tap_units_dropped_total",
    /// RTP packets sent to readers.
    sent_packets => "weft_egress_rtp_packets_sent_total",
    /// Times that no node took it on to have a stream published on demand.
    demands_untaken => "weft_egress_demands_untaken_total",
    /// Bytes of RTP sent to readers.
    sent_bytes => "weft_egress_rtp_bytes_sent_total",
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_name_and_a_help() {
        let total = Counters::default();
        let hub = Counters::default();
        add(&hub.lost, 3);
        total.absorb(&hub);
        total.absorb(&hub);
        let mut names = std::collections::HashSet::new();
        total.each(&mut |name, help, value| {
            assert!(names.insert(name), "{name} twice");
            assert!(help.starts_with(char::is_uppercase), "{name}: {help:?}");
            assert_eq!(
                value,
                if name == "weft_egress_units_lost_total" {
                    6
                } else {
                    0
                }
            );
        });
    }
}
