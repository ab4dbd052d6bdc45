//! What the shards count: datagrams by fate, peers by fate.
//! How the numbers are shown is `weft-control`'s business.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weft_histogram::Histogram;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)*) => {
        /// Counts since the start, over all shards.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: AtomicU64,)*
            /// How much later than it was due a loop's next turn began.
            pub lag: Histogram,
        }

        impl Counters {
            /// Calls `f` with the name, the meaning and the value of each.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, concat!($($help),+), self.$field.load(Relaxed));)*
            }

            /// The same for what has a histogram.
            pub fn histograms(&self, f: &mut dyn FnMut(&'static str, &'static str, &Histogram)) {
                f(
                    "weft_rtc_loop_lag_seconds",
                    "How much later than it was due a WebRTC loop's next turn began, where no packet came before.",
                    &self.lag,
                );
            }
        }
    };
}

counters! {
    /// Datagrams received on the WebRTC ports.
    datagrams => "weft_rtc_datagrams_received_total",
    /// Bytes received on the WebRTC ports.
    bytes => "weft_rtc_bytes_received_total",
    /// Datagrams sent from the WebRTC ports.
    sent => "weft_rtc_datagrams_sent_total",
    /// Datagrams that could not be sent.
    send_failed => "weft_rtc_datagrams_send_failed_total",
    /// TCP connections let in.
    tcp_accepted => "weft_rtc_tcp_connections_accepted_total",
    /// TCP connections whose first check was proved: they belong to a session.
    tcp_proved => "weft_rtc_tcp_connections_proved_total",
    /// TCP connections refused because the node or the shard had as many as it may.
    tcp_refused => "weft_rtc_tcp_connections_refused_total",
    /// TCP connections refused because their address has as many as it may (fabric.limits.connectionsPerAddress).
    tcp_refused_address => "weft_rtc_tcp_connections_of_address_refused_total",
    /// TCP connections closed before their first check to make room for others.
    tcp_made_room => "weft_rtc_tcp_connections_made_room_total",
    /// TCP connections closed because no check came within 5 s.
    tcp_silent => "weft_rtc_tcp_connections_silent_total",
    /// TCP connections closed because they spoke something else, or a packet was too long.
    tcp_junk => "weft_rtc_tcp_connections_junk_total",
    /// TCP connections closed because their client took nothing any more.
    tcp_stuck => "weft_rtc_tcp_connections_stuck_total",
    /// Media packets dropped because their client's TCP connection took no more.
    tcp_media_dropped => "weft_rtc_tcp_media_dropped_total",
    /// Dropped: source not learnt and not a connectivity check of a known session.
    unknown_source => "weft_rtc_dropped_unknown_source_total",
    /// Dropped: connectivity check whose message integrity is wrong.
    bad_integrity => "weft_rtc_dropped_bad_integrity_total",
    /// Dropped: neither STUN, DTLS, RTP nor RTCP, or of an impossible length.
    junk => "weft_rtc_dropped_junk_total",
    /// Dropped: RTP or RTCP of a source or payload type neither announced nor learnt.
    unknown_ssrc => "weft_rtc_dropped_unknown_ssrc_total",
    /// Dropped: media that waited in the kernel for more than 500 ms while the loop stood still.
    stale => "weft_rtc_dropped_stale_total",
    /// Dropped: media before DTLS was up, beyond what is held for it.
    early => "weft_rtc_dropped_early_total",
    /// Times the loop stood still for more than 500 ms.
    stalls => "weft_rtc_loop_stalls_total",
    /// RTP packets handed on.
    rtp => "weft_rtc_rtp_packets_total",
    /// RTP packets recovered by retransmission (RTX).
    rtx => "weft_rtc_rtx_packets_total",
    /// Sequence numbers asked for again.
    nacks => "weft_rtc_nacks_sent_total",
    /// Key frames asked for.
    plis => "weft_rtc_plis_sent_total",
    /// RTP packets sent to readers, retransmissions not included.
    rtp_sent => "weft_rtc_rtp_packets_sent_total",
    /// Sequence numbers that readers asked for again.
    nacks_received => "weft_rtc_nacks_received_total",
    /// RTP packets sent to readers again.
    resent => "weft_rtc_rtp_packets_resent_total",
    /// Packets asked for again too late: they were not kept any more.
    resends_gone => "weft_rtc_resends_gone_total",
    /// Packets not sent again because too many waited for that.
    resends_dropped => "weft_rtc_resends_dropped_total",
    /// Key frames that readers asked for (PLI, FIR).
    plis_received => "weft_rtc_plis_received_total",
    /// Peers answered.
    peers_opened => "weft_rtc_peers_opened_total",
    /// Peers whose DTLS came up.
    peers_connected => "weft_rtc_peers_connected_total",
    /// Peers closed, connected or not.
    peers_closed => "weft_rtc_peers_closed_total",
    /// Peers that did not connect in time.
    handshake_timeouts => "weft_rtc_handshake_timeouts_total",
    /// Offers refused because the shard was full.
    refused_full => "weft_rtc_refused_full_total",
    /// Commands to a peer that found the shard's queue full.
    commands_deferred => "weft_rtc_commands_deferred_total",
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Adds `n`.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}
