//! What an egress can be told, with the defaults of the reference configuration.
//! Reading it from a file is `weft-config`'s work, wiring the two together the binary's.

use std::time::Duration;

/// Settings of the hubs.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// How long readers are held when their publisher is lost, counted from its last unit.
    pub publisher_grace: Duration,
    /// How long readers are held when their publisher said goodbye: a page that is reloaded is back within it.
    pub goodbye_grace: Duration,
    /// How long a hub stays open after its last reader.
    pub reader_linger: Duration,
    /// Longest keyframe interval that readers want; zero: no wish is sent.
    pub keyframe_interval: Duration,
    /// How long a join waits for a key unit before it is answered with an estimated start.
    pub join_wait: Duration,
    /// How long a description of a stream that does not exist waits for its publisher; zero: it is refused at once.
    pub describe_timeout: Duration,
    /// Readers over all streams, besides `fabric.limits.readers` of the settings, which counts as it is now; 0: no other limit.
    pub max_readers: usize,
    /// Largest RTP packet, header included, in bytes.
    pub mtu: usize,
    /// Paths and whatever else may change while the node runs.
    pub settings: weft_config::Live,
    /// What is told when readers come and go.
    pub hooks: weft_hooks::Hooks,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            publisher_grace: Duration::from_secs(30),
            goodbye_grace: Duration::from_secs(3),
            reader_linger: Duration::from_secs(5),
            keyframe_interval: Duration::from_secs(2),
            join_wait: Duration::from_secs(1),
            describe_timeout: Duration::ZERO,
            max_readers: 0,
            // What browsers send: with SRTP, header extensions, RTX, UDP and IPv6 it stays below 1280, the least that every
            // IPv6 path carries. Packets of 1400 would not pass tunnels with those on top.
            mtu: 1200,
            settings: weft_config::Live::default(),
            hooks: weft_hooks::Hooks::none(),
        }
    }
}
