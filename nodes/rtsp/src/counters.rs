//! What the server counts, each with the name and help it has on `/metrics`.
//! What a single session was sent is in its view.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of the server since it started. Relaxed: each is true by itself, no two are of one moment.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[doc = $help])+ pub $field: AtomicU64,)+ }

        impl Counters {
            /// Calls `f` with metric name, help and value of each.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// RTSP connections open now.
    connections => "rtsp_conns",
    /// RTSP connections over TLS open now.
    secure_connections => "rtsps_conns",
    /// RTSP sessions set up now.
    sessions => "rtsp_sessions",
    /// RTSP sessions over TLS set up now.
    secure_sessions => "rtsps_sessions",
    /// Connections accepted.
    accepted => "weft_rtsp_connections_accepted_total",
    /// Connections closed at once because there were too many.
    refused => "weft_rtsp_connections_refused_total",
    /// Connections closed at once because their address had as many as it may.
    refused_address => "weft_rtsp_connections_of_address_refused_total",
    /// Connections that had said nothing, closed because others needed the room.
    made_room => "weft_rtsp_connections_made_room_total",
    /// Sessions refused because their address had as many as it may.
    sessions_refused => "weft_rtsp_sessions_of_address_refused_total",
    /// Connections open now that have not sent a request yet.
    silent => "weft_rtsp_connections_silent",
    /// Connections closed because nothing, or only half a request, came in time.
    timed_out => "weft_rtsp_connections_timed_out_total",
    /// Connections closed because their bytes were no RTSP.
    malformed => "weft_rtsp_connections_malformed_total",
    /// Requests taken.
    requests => "weft_rtsp_requests_total",
    /// Requests answered with 4xx or 5xx.
    requests_refused => "weft_rtsp_requests_refused_total",
    /// Readers that began to play.
    readers => "weft_rtsp_readers_total",
    /// Readers closed because they took nothing for too long.
    too_slow => "weft_rtsp_readers_too_slow_total",
    /// RTP packets sent to readers.
    packets_sent => "weft_rtsp_packets_sent_total",
    /// Bytes of RTP sent to readers.
    bytes_sent => "weft_rtsp_bytes_sent_total",
    /// Datagrams that the system refused to send.
    datagrams_refused => "weft_rtsp_datagrams_refused_total",
    /// Packets and reports received from readers over UDP or interleaved.
    reports_received => "weft_rtsp_reports_received_total",
    /// Datagrams to the RTCP port from nobody we know.
    reports_unknown => "weft_rtsp_reports_unknown_total",
}

impl Counters {
    /// The gauge of open connections, with TLS or without.
    pub(crate) fn connections_of(&self, secure: bool) -> &AtomicU64 {
        if secure {
            &self.secure_connections
        } else {
            &self.connections
        }
    }

    /// The gauge of sessions, with TLS or without.
    pub(crate) fn sessions_of(&self, secure: bool) -> &AtomicU64 {
        if secure {
            &self.secure_sessions
        } else {
            &self.sessions
        }
    }

    /// Counts one.
    pub(crate) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// A gauge's step down.
    pub(crate) fn one_less(counter: &AtomicU64) {
        counter.fetch_sub(1, Relaxed);
    }
}
