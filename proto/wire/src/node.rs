//! What a node says of itself in its lease: what it is, where it is reached, how full it is.
//! Who keeps the leases and who chooses by them is the bus's business; the node's name is the lease's key.

use crate::positional::positional;
use crate::{Incarnation, Message};
use serde::{Deserialize, Serialize};

/// Which part of the fabric a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeRole {
    /// Takes publishers and serves readers.
    Standalone,
    /// Takes publishers.
    Ingest,
    /// Serves readers.
    Egress,
    /// A role of a later release: shown, never chosen.
    #[serde(other)]
    Unknown,
}

impl NodeRole {
    /// The word for it in API, logs and metrics.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Ingest => "ingest",
            Self::Egress => "egress",
            Self::Unknown => "unknown",
        }
    }
}

/// What is to be placed on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guest {
    /// A publisher.
    Publisher,
    /// A reader.
    Reader,
}

positional! {
    /// Where a node is reached by clients, as `host:port`; empty where it does not listen.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct NodeAddresses {
        /// HTTP of publishers (WHIP).
        pub webrtc: String,
        /// UDP of WebRTC media.
        pub ice: String,
        /// RTSP.
        pub rtsp: String,
        /// The control API.
        pub api: String,
        /// HLS.
        pub hls: String = String::new(),
    }
}

positional! {
    /// What a node carries now.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct NodeLoad {
        /// Publishers, those without media yet included.
        pub publishers: u32,
        /// Readers.
        pub readers: u32,
        /// Streams open for readers.
        pub hubs: u32,
        /// Bits of media per second, in and out together, over the last seconds.
        pub bits_per_second: u64,
    }
}

positional! {
    /// What a node will carry at most; 0 is no limit.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct NodeLimits {
        /// Publishers.
        pub publishers: u32,
        /// Readers.
        pub readers: u32,
        /// Bits of media per second, in and out together.
        pub bits_per_second: u64,
    }
}

positional! {
    /// A node's lease.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct NodeRecord {
        /// What it is.
        pub role: NodeRole,
        /// This run of it; another one under the same name is another node.
        pub incarnation: Incarnation,
        /// The program's version.
        pub version: String,
        /// Where clients reach it.
        pub addresses: NodeAddresses,
        /// What it carries.
        pub load: NodeLoad,
        /// What it may carry.
        pub limits: NodeLimits,
        /// It takes nobody new and will end.
        pub draining: bool,
        /// When this run began, µs UTC by its own clock: shown, never compared.
        pub started: i64,
    }
}

impl Message for NodeRecord {}

impl NodeRecord {
    /// How full the node is for such a guest: 0 empty, 1 at one of its limits; of several limits the nearest counts. A node
    /// without limits is compared by what it carries.
    #[must_use]
    pub fn fullness(&self, guest: Guest) -> f64 {
        let (load, limits) = (&self.load, &self.limits);
        let (count, most) = match guest {
            Guest::Publisher => (load.publishers, limits.publishers),
            Guest::Reader => (load.readers, limits.readers),
        };
        // Without a limit: as if 10,000 were the most, so that fewer is less.
        let part = |now: f64, most: f64, assumed: f64| now / if most > 0.0 { most } else { assumed };
        #[allow(clippy::cast_precision_loss, reason = "a ratio")]
        let bits = part(load.bits_per_second as f64, limits.bits_per_second as f64, 1e11);
        bits.max(part(f64::from(count), f64::from(most), 10_000.0))
    }

    /// True when it has a place for such a guest: of a fitting role, not draining, below each of its limits.
    #[must_use]
    pub fn takes(&self, guest: Guest) -> bool {
        let fits = match guest {
            Guest::Publisher => matches!(self.role, NodeRole::Ingest | NodeRole::Standalone),
            Guest::Reader => matches!(self.role, NodeRole::Egress | NodeRole::Standalone),
        };
        fits && !self.draining && self.fullness(guest) < 1.0
    }

    /// True at or above the limit of bits per second.
    #[must_use]
    pub fn is_over_bits(&self) -> bool {
        let most = self.limits.bits_per_second;
        most > 0 && self.load.bits_per_second >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(publishers: u32, bits: u64) -> NodeRecord {
        NodeRecord {
            role: NodeRole::Ingest,
            incarnation: Incarnation(1),
            version: "1".into(),
            addresses: NodeAddresses::default(),
            load: NodeLoad {
                publishers,
                bits_per_second: bits,
                ..NodeLoad::default()
            },
            limits: NodeLimits {
                publishers: 10,
                bits_per_second: 1_000,
                readers: 0,
            },
            draining: false,
            started: 0,
        }
    }

    #[test]
    fn the_nearest_limit_says_how_full_a_node_is() {
        assert!((node(5, 100).fullness(Guest::Publisher) - 0.5).abs() < 1e-9);
        assert!((node(5, 900).fullness(Guest::Publisher) - 0.9).abs() < 1e-9);
        assert!(node(9, 999).takes(Guest::Publisher));
        assert!(!node(10, 0).takes(Guest::Publisher));
        assert!(!node(0, 1_000).takes(Guest::Publisher));
        assert!(node(0, 1_000).is_over_bits());
        assert!(!node(0, 0).takes(Guest::Reader), "an ingest node has no readers");
    }

    #[test]
    fn a_record_is_read_back_and_an_unknown_role_is_no_error() {
        let record = node(3, 7);
        assert_eq!(NodeRecord::decode(&record.encode()).unwrap(), record);
        let role: NodeRole = rmp_serde::from_slice(&rmp_serde::to_vec("Recorder").unwrap()).unwrap();
        assert_eq!(role, NodeRole::Unknown);
    }
}
