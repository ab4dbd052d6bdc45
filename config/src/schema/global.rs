//! The keys above paths: MediaMTX's, and the few that are ours.
//! What they mean for those who write them stands in `weft.yml`.

use super::Kind::{Address, Count, Encryption, Ip, List, Record, Secret, Span, Switch, Text, Url, Word};
use super::{Key, Kind, Role, fabric, fixed, key, old, own, unserved};

const TEXTS: Kind = List(&Text);
const IPS: Kind = List(&Ip);

/// The words of `action`.
const ACTION: Kind = Word(&["publish", "read", "playback", "api", "metrics", "pprof"]);

/// A permission; `publish` alone is one for every path.
pub(crate) const PERMISSION: &[Key] = &[key("action", ACTION, ""), key("path", Text, "")];
const PERMISSIONS: Kind = List(&Record(PERMISSION));

/// An entry of `authInternalUsers`.
pub(crate) const USER: &[Key] = &[
    key("user", Text, ""),
    key("pass", Secret, ""),
    key("ips", IPS, ""),
    key("permissions", PERMISSIONS, ""),
];
const USERS: Kind = List(&Record(USER));

/// MediaMTX's first users: anybody for streams, the host itself for the rest.
const FIRST_USERS: &str = r#"[
    {"user": "any", "permissions": [{"action": "publish"}, {"action": "read"}, {"action": "playback"}]},
    {"user": "any", "ips": ["127.0.0.1", "::1"],
     "permissions": [{"action": "api"}, {"action": "metrics"}, {"action": "pprof"}]}]"#;

/// An entry of `webrtcICEServers2`.
const ICE_SERVER: &[Key] = &[
    key("url", Url, ""),
    key("username", Text, ""),
    key("password", Secret, ""),
    key("clientOnly", Switch, "no"),
];

const TRANSPORTS: Kind = List(&Word(&["udp", "multicast", "tcp"]));
const RTSP_METHODS: Kind = List(&Word(&["basic", "digest"]));

const BUFFERS: &str = "queues and sockets have sizes of their own";
const ROLE: &str = "the node's role says which faces it has (weft ingest, weft egress)";
const ICE: &str = "WebRTC takes UDP on webrtcLocalUDPAddress, with each address of the host as a candidate";

/// All of them but `paths` and `pathDefaults`.
pub(crate) const GLOBAL: &[Key] = &[
    key("logLevel", Word(&["error", "warn", "info", "debug"]), "info"),
    own(
        "logDestinations",
        List(&Word(&["stdout", "stderr", "file"])),
        "stderr",
    ),
    own("logFile", Text, "mediamtx.log"),
    own("logStructured", Switch, "no"),
    unserved("the system log", "sysLogPrefix", Text, "mediamtx"),
    unserved("packet dumps", "dumpPackets", Switch, "no"),
    key("readTimeout", Span, "10s"),
    key("writeTimeout", Span, "10s"),
    fixed(BUFFERS, "writeQueueSize", Count, "512"),
    fixed(BUFFERS, "udpMaxPayloadSize", Count, "1452"),
    fixed(BUFFERS, "udpReadBufferSize", Count, "0"),
    key("runOnConnect", Text, ""),
    key("runOnConnectRestart", Switch, "no"),
    key("runOnDisconnect", Text, ""),
    key("onEvent", Url, ""),
    key("onEventSecret", Secret, ""),
    key("authMethod", Word(&["internal", "http", "jwt"]), "internal"),
    key("authInternalUsers", USERS, FIRST_USERS),
    key("authHTTPAddress", Url, ""),
    key("authHTTPFingerprint", Text, ""),
    key("authHTTPExclude", PERMISSIONS, ""),
    key("authJWTJWKS", Url, ""),
    key("authJWTJWKSFingerprint", Text, ""),
    key("authJWTClaimKey", Text, "mediamtx_permissions"),
    key("authJWTExclude", PERMISSIONS, ""),
    key("authJWTInHTTPQuery", Switch, "yes"),
    key("authJWTIssuer", Text, ""),
    key("authJWTAudience", Text, ""),
    own("api", Switch, "yes"),
    own("apiAddress", Address, ":9997"),
    own("apiEncryption", Switch, "no"),
    own("apiServerKey", Text, "server.key"),
    own("apiServerCert", Text, "server.crt"),
    key("apiAllowOrigins", TEXTS, "*"),
    key("apiTrustedProxies", IPS, ""),
    own("metrics", Switch, "yes"),
    own("metricsAddress", Address, ":9998"),
    own("metricsEncryption", Switch, "no"),
    own("metricsServerKey", Text, "server.key"),
    own("metricsServerCert", Text, "server.crt"),
    key("metricsAllowOrigins", TEXTS, "*"),
    key("metricsTrustedProxies", IPS, ""),
    fixed(ROLE, "rtsp", Switch, "yes"),
    fixed(
        "RTSP is served over UDP and TCP",
        "rtspTransports",
        TRANSPORTS,
        "udp,multicast,tcp",
    ),
    own("rtspEncryption", Encryption, "no"),
    own("rtspAddress", Address, ":8554"),
    own("rtspsAddress", Address, ":8322"),
    own("rtpAddress", Address, ":8000"),
    own("rtcpAddress", Address, ":8001"),
    unserved("multicast", "multicastIPRange", Text, "224.1.0.0/16"),
    unserved("multicast", "multicastRTPPort", Count, "8002"),
    unserved("multicast", "multicastRTCPPort", Count, "8003"),
    unserved("SRTP over UDP", "srtpAddress", Text, ":8004"),
    unserved("SRTP over UDP", "srtcpAddress", Text, ":8005"),
    unserved("multicast", "multicastSRTPPort", Count, "8006"),
    unserved("multicast", "multicastSRTCPPort", Count, "8007"),
    own("rtspServerKey", Text, "server.key"),
    own("rtspServerCert", Text, "server.crt"),
    key("rtspAuthMethods", RTSP_METHODS, "basic"),
    key("rtspTrustedProxies", IPS, ""),
    fixed(ROLE, "webrtc", Switch, "yes"),
    own("webrtcAddress", Address, ":8889"),
    own("webrtcEncryption", Switch, "no"),
    own("webrtcTLSAddress", Text, ""),
    own("webrtcServerKey", Text, "server.key"),
    own("webrtcServerCert", Text, "server.crt"),
    key("webrtcAllowOrigins", TEXTS, "*"),
    key("webrtcTrustedProxies", IPS, ""),
    own("webrtcLocalUDPAddress", Address, ":8189"),
    fixed(ICE, "webrtcLocalTCPAddress", Text, ""),
    fixed(ICE, "webrtcIPsFromInterfaces", Switch, "yes"),
    fixed(ICE, "webrtcIPsFromInterfacesList", TEXTS, ""),
    own("webrtcAdditionalHosts", TEXTS, ""),
    key("webrtcICEServers2", List(&Record(ICE_SERVER)), ""),
    fixed(
        "a node gathers no candidates by STUN",
        "webrtcSTUNGatherTimeout",
        Span,
        "5s",
    ),
    fixed(
        "a handshake has a time of its own",
        "webrtcHandshakeTimeout",
        Span,
        "10s",
    ),
    fixed(
        "a stream begins with its first packet",
        "webrtcTrackGatherTimeout",
        Span,
        "2s",
    ),
    unserved("HLS", "hlsAddress", Address, ":8888"),
    unserved("HLS", "hls", Switch, "yes"),
    unserved("HLS", "hlsEncryption", Switch, "no"),
    unserved("HLS", "hlsServerKey", Text, "server.key"),
    unserved("HLS", "hlsServerCert", Text, "server.crt"),
    unserved("HLS", "hlsAllowOrigins", TEXTS, "*"),
    unserved("HLS", "hlsTrustedProxies", IPS, ""),
    unserved("HLS", "hlsAlwaysRemux", Switch, "no"),
    unserved(
        "HLS",
        "hlsVariant",
        Word(&["mpegts", "fmp4", "lowLatency"]),
        "lowLatency",
    ),
    unserved("HLS", "hlsSegmentCount", Count, "7"),
    unserved("HLS", "hlsSegmentDuration", Span, "1s"),
    unserved("HLS", "hlsPartDuration", Span, "200ms"),
    unserved("HLS", "hlsSegmentMaxSize", Text, "50M"),
    unserved("HLS", "hlsDirectory", Text, ""),
    unserved("HLS", "hlsMuxerCloseAfter", Span, "60s"),
    unserved("HLS", "hlsCDNSecret", Secret, ""),
    unserved("RTMP", "rtmp", Switch, "yes"),
    unserved("RTMP", "rtmpEncryption", Encryption, "no"),
    unserved("RTMP", "rtmpAddress", Text, ":1935"),
    unserved("RTMP", "rtmpsAddress", Text, ":1936"),
    unserved("RTMP", "rtmpServerKey", Text, "server.key"),
    unserved("RTMP", "rtmpServerCert", Text, "server.crt"),
    unserved("RTMP", "rtmpTrustedProxies", IPS, ""),
    unserved("SRT", "srt", Switch, "yes"),
    unserved("SRT", "srtAddress", Text, ":8890"),
    unserved("MoQ", "moq", Switch, "yes"),
    unserved("MoQ", "moqHTTP2Address", Text, ":8892"),
    unserved("MoQ", "moqHTTP3Address", Text, ":8892"),
    unserved("MoQ", "moqQUICAddress", Text, ":8893"),
    unserved("MoQ", "moqServerKey", Text, "auto.key"),
    unserved("MoQ", "moqServerCert", Text, "auto.crt"),
    unserved("MoQ", "moqAllowOrigins", TEXTS, "*"),
    unserved("MoQ", "moqTrustedProxies", IPS, ""),
    unserved("pprof", "pprof", Switch, "no"),
    unserved("pprof", "pprofAddress", Text, ":9999"),
    unserved("pprof", "pprofEncryption", Switch, "no"),
    unserved("pprof", "pprofServerKey", Text, "server.key"),
    unserved("pprof", "pprofServerCert", Text, "server.crt"),
    unserved("pprof", "pprofAllowOrigins", TEXTS, "*"),
    unserved("pprof", "pprofTrustedProxies", IPS, ""),
    unserved("playback", "playback", Switch, "no"),
    unserved("playback", "playbackAddress", Text, ":9996"),
    unserved("playback", "playbackEncryption", Switch, "no"),
    unserved("playback", "playbackServerKey", Text, "server.key"),
    unserved("playback", "playbackServerCert", Text, "server.crt"),
    unserved("playback", "playbackAllowOrigins", TEXTS, "*"),
    unserved("playback", "playbackTrustedProxies", IPS, ""),
    Key {
        name: "fabric",
        kind: Kind::Block(fabric::FABRIC),
        default: "",
        role: Role::Shared,
    },
    // Old names, MediaMTX's and those of older documents.
    old("listen", Address),
    old("listenTLS", Address),
    old("rtspReadTimeout", Span),
    old("rtspWriteTimeout", Span),
    old("maxConnections", Count),
    old("authentication", Kind::Block(AUTHENTICATION)),
    old("serverKey", Text),
    old("serverCert", Text),
    old("readBufferCount", Count),
    old("externalAuthenticationURL", Url),
    old("authMethods", RTSP_METHODS),
    old("protocols", TRANSPORTS),
    old("encryption", Encryption),
    old("rtspDisable", Switch),
    old("rtmpDisable", Switch),
    old("hlsDisable", Switch),
    old("webrtcDisable", Switch),
    old("rtspUDPReadBufferSize", Count),
    old("apiAllowOrigin", Text),
    old("metricsAllowOrigin", Text),
    old("pprofAllowOrigin", Text),
    old("playbackAllowOrigin", Text),
    old("hlsAllowOrigin", Text),
    old("webrtcAllowOrigin", Text),
    old("webrtcICEUDPMuxAddress", Address),
    old("webrtcICETCPMuxAddress", Text),
    old("webrtcICEHostNAT1To1IPs", TEXTS),
    old("webrtcICEServers", TEXTS),
    old("moqHTTPS2Address", Text),
    old("moqHTTPS3Address", Text),
    old("readIPs", IPS),
    old("publishIPs", IPS),
    old("runOnDemand", Kind::Demand),
    old("runOnDemandRestart", Switch),
    old("runOnDemandStartTimeout", Span),
    old("runOnDemandCloseAfter", Span),
    old("record", Switch),
    old("recordPath", Text),
    old("recordFormat", Text),
    old("recordPartDuration", Span),
    old("recordSegmentDuration", Span),
    old("recordDeleteAfter", Span),
];

/// The block `authentication` of older documents.
const AUTHENTICATION: &[Key] = &[
    old("method", Word(&["internal", "http", "jwt"])),
    old("internalUsers", USERS),
];
