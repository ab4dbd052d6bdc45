//! What the HTTP ports count together, each with the name and help it has on `/metrics`.
//! What single routes count is their own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of all HTTP ports of a node since its start.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $($(#[doc = $help])+ pub(crate) $field: AtomicU64,)+ }

        impl Counters {
            /// Calls `f` with metric name, help and value of each.
            pub(crate) fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// HTTP connections open now, on all ports.
    connections => "weft_http_connections",
    /// HTTP connections accepted.
    accepted => "weft_http_connections_accepted_total",
    /// HTTP connections refused because the port had as many as it may.
    refused => "weft_http_connections_refused_total",
    /// HTTP connections refused because their address had as many as it may.
    refused_address => "weft_http_connections_of_address_refused_total",
    /// HTTP connections that had asked for nothing, closed because others needed the room.
    made_room => "weft_http_connections_made_room_total",
    /// HTTP connections closed because a request's head did not come in time.
    slow_heads => "weft_http_slow_heads_total",
    /// HTTP requests refused because their body did not come in time.
    slow_bodies => "weft_http_slow_bodies_total",
    /// HTTP connections closed because nothing of an answer was taken for too long.
    slow_readers => "weft_http_slow_readers_total",
    /// HTTP connections closed because a request's head was too large.
    large_heads => "weft_http_large_heads_total",
    /// HTTP requests refused because their body was too large.
    large_bodies => "weft_http_large_bodies_total",
    /// HTTP requests refused because their address asked too often.
    too_often => "weft_http_requests_too_often_total",
    /// HTTP requests for pages that were sent to the TLS port.
    redirected => "weft_http_requests_redirected_total",
}

impl Counters {
    pub(super) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn one_less(counter: &AtomicU64) {
        counter.fetch_sub(1, Relaxed);
    }
}
