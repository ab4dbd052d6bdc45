//! The keys of the block `fabric`: what MediaMTX does not have.
//! What they mean for those who write them stands in `weft.yml`.

use super::Kind::{Count, List, Secret, Span, Switch, Text};
use super::{Key, Kind, Role, key, own};

const TEXTS: Kind = List(&Text);

/// `fabric`.
pub(crate) const FABRIC: &[Key] = &[
    own("nodeName", Text, ""),
    own("advertisedHost", Text, ""),
    Key {
        name: "nats",
        kind: Kind::Block(NATS),
        default: "",
        role: Role::Own,
    },
    key("overridePublisher", Switch, "yes"),
    key("publisherGrace", Span, "30s"),
    key("readerLinger", Span, "5s"),
    key("describeTimeout", Span, "0s"),
    key("keyframeInterval", Span, "2s"),
    key("drainTimeout", Span, "5s"),
    own("webrtcShards", Count, "1"),
    own("dtlsCertificate", Text, ""),
    own("addressFile", Text, ""),
    own("settingsFile", Text, ""),
    own("otlpEndpoint", Text, ""),
    Key {
        name: "limits",
        kind: Kind::Block(LIMITS),
        default: "",
        role: Role::Shared,
    },
];

/// `fabric.nats`.
const NATS: &[Key] = &[
    own("servers", TEXTS, ""),
    own("user", Text, ""),
    own("password", Secret, ""),
    own("token", Secret, ""),
    own("credentialsFile", Text, ""),
    own("nkeyFile", Text, ""),
    own("caFile", Text, ""),
    own("replicas", Count, "1"),
    own("monitor", TEXTS, ""),
];

/// `fabric.limits`.
const LIMITS: &[Key] = &[
    key("publishers", Count, "500"),
    key("pendingPublishers", Count, "100"),
    key("readers", Count, "2000"),
    key("rtspConnections", Count, "4000"),
    key("bitsPerSecond", Count, "0"),
    key("connectionsPerAddress", Count, "0"),
    key("sessionsPerAddress", Count, "0"),
    key("httpConnections", Count, "4000"),
    key("requestsPerSecond", Count, "0"),
    key("failedLogins", Count, "10"),
];
