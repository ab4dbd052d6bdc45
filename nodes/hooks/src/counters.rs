//! What hooks count, each with the name and help it has on `/metrics`.
//! When a command fails or a URL does not answer is found out elsewhere.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters since the node started.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $($(#[doc = $help])+ pub(crate) $field: AtomicU64,)+ }

        impl Counters {
            /// Calls `visit` with metric name, help and value of each.
            pub(crate) fn each(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(visit($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// Things that happened and that no hook was told of, because too many happened at once.
    happenings_dropped => "weft_hooks_happenings_dropped_total",
    /// Commands running now.
    running => "weft_hooks_commands_running",
    /// Commands started, restarts included.
    started => "weft_hooks_commands_started_total",
    /// Commands that could not be started, or ended by themselves with another status than 0.
    failed => "weft_hooks_commands_failed_total",
    /// Commands not started because as many as may be were running.
    refused => "weft_hooks_commands_refused_total",
    /// Commands that did not end when they were interrupted and were killed.
    killed => "weft_hooks_commands_killed_total",
    /// Events that a webhook took.
    delivered => "weft_hooks_webhooks_delivered_total",
    /// Tries of a webhook that failed.
    tries_failed => "weft_hooks_webhooks_tries_failed_total",
    /// Events given up after every try of their webhook had failed.
    given_up => "weft_hooks_webhooks_given_up_total",
    /// Events not told because too many waited for their webhook.
    webhooks_dropped => "weft_hooks_webhooks_dropped_total",
}

/// One more.
pub(crate) fn one(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
