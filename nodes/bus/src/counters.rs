//! What the bus counts, each with the name and the sentence it has on the metrics page.
//! Rendering and labels are the control face's business.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident => $metric:literal),+ $(,)?) => {
        /// The counters of one bus. All only rise.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $name: AtomicU64),+
        }

        impl Counters {
            /// Shows each counter: its metric's name, its help text, its value.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($metric, concat!($($help),+).trim_ascii(), self.$name.load(Ordering::Relaxed));)+
            }
        }
    };
}

counters! {
    /// Messages with units handed to the bus.
    sent_messages => "weft_bus_sent_messages_total",
    /// Bytes of the messages with units handed to the bus.
    sent_bytes => "weft_bus_sent_bytes_total",
    /// Messages with units taken from the bus.
    received_messages => "weft_bus_received_messages_total",
    /// Bytes of the messages with units taken from the bus.
    received_bytes => "weft_bus_received_bytes_total",
    /// Units not published because nobody wants their stream.
    units_paused => "weft_bus_units_paused_total",
    /// Units dropped because the bus was away.
    dropped_away => "weft_bus_units_dropped_away_total",
    /// Units dropped because the queue towards the bus was full or did not move.
    dropped_full => "weft_bus_units_dropped_full_total",
    /// Units dropped because they were larger than what may travel.
    dropped_too_large => "weft_bus_units_dropped_too_large_total",
    /// Messages dropped because a subscription's queue was full.
    dropped_slow => "weft_bus_messages_dropped_slow_total",
    /// Units given up because a part of them did not come.
    parts_discarded => "weft_bus_units_incomplete_total",
    /// Messages that could not be read.
    malformed => "weft_bus_malformed_messages_total",
    /// Probes that found nobody.
    refusals => "weft_bus_interest_refusals_total",
    /// Streams paused because nobody wants them.
    pauses => "weft_bus_interest_pauses_total",
    /// Paused streams woken by a request.
    wakes => "weft_bus_interest_wakes_total",
    /// Requests for units of the past answered.
    units_answered => "weft_bus_units_requests_answered_total",
    /// Requests for units of the past asked.
    units_asked => "weft_bus_units_requests_asked_total",
    /// Answers with units of the past that had holes, each hole asked for again.
    holes_in_answers => "weft_bus_units_answer_holes_total",
    /// Questions of any kind that got no answer in time.
    timeouts => "weft_bus_request_timeouts_total",
    /// Questions asked of nodes.
    node_asked => "weft_bus_node_requests_asked_total",
    /// Questions asked of nodes that got no answer: no such node, or none in time.
    node_unanswered => "weft_bus_node_requests_unanswered_total",
    /// Questions to this node answered.
    node_answered => "weft_bus_node_requests_answered_total",
    /// Questions to this node left without answer because too many were being answered.
    node_overflow => "weft_bus_node_requests_overflow_total",
    /// Answers to questions to this node given up because they took too long, or were larger than what may travel.
    node_given_up => "weft_bus_node_answers_given_up_total",
    /// Words to publishers sent for the nodes that hold their events channels.
    events_told => "weft_bus_publisher_events_told_total",
    /// Words to publishers taken from the bus.
    events_heard => "weft_bus_publisher_events_heard_total",
    /// Words to publishers dropped: the bus was away, or a queue full.
    events_dropped => "weft_bus_publisher_events_dropped_total",
    /// Connections to the bus made.
    connects => "weft_bus_connects_total",
    /// Errors told by the bus's server.
    server_errors => "weft_bus_server_errors_total",
}

impl Counters {
    /// Adds one.
    pub(crate) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds `n`.
    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_shows_under_its_own_name() {
        let counters = Counters::default();
        Counters::add(&counters.dropped_full, 3);
        let mut seen = Vec::new();
        counters.each(&mut |name, help, value| {
            assert!(help.ends_with('.'), "{help}");
            seen.push((name, value));
        });
        assert!(seen.contains(&("weft_bus_units_dropped_full_total", 3)));
        let mut names: Vec<_> = seen.iter().map(|s| s.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), seen.len());
    }
}
