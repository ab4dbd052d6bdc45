//! The configuration as the program uses it: every value checked, nothing optional that has a default.
//! Reading it is the business of `layers` and `typed`.

use crate::{
    Auth, Base, Command, Encryption, Error, IpRule, ListenAddress, PathConf, Paths, Secret, TlsFiles, Webhook,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use weft_wire::NodeName;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs somebody's hand.
    Error,
    /// And what may need it.
    Warn,
    /// And each session's beginning and end.
    #[default]
    Info,
    /// And what explains a fault.
    Debug,
}

impl LogLevel {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Which ports a node opens: an address that its role does not use clashes with nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Faces {
    /// Publishers' and readers': standalone.
    #[default]
    Both,
    /// Publishers' alone.
    Publishers,
    /// Readers' alone.
    Readers,
}

/// The whole configuration; `config/weft.yml` describes each key.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `logLevel`.
    pub log_level: LogLevel,
    /// `readTimeout`: how long a client may take to finish a request.
    pub read_timeout: Duration,
    /// `writeTimeout`: how long a client may take to read what it was sent.
    pub write_timeout: Duration,
    /// `api`: serve the control API.
    pub api: bool,
    /// `apiAddress`.
    pub api_address: ListenAddress,
    /// `metrics`: serve Prometheus metrics.
    pub metrics: bool,
    /// `metricsAddress`.
    pub metrics_address: ListenAddress,
    /// `rtspAddress`.
    pub rtsp_address: ListenAddress,
    /// `rtpAddress`.
    pub rtp_address: ListenAddress,
    /// `rtcpAddress`.
    pub rtcp_address: ListenAddress,
    /// `hls`: serve HLS.
    pub hls_enabled: bool,
    /// `hlsAddress`.
    pub hls_address: ListenAddress,
    /// How playlists are made.
    pub hls: Hls,
    /// `webrtcAddress`: HTTP.
    pub webrtc_address: ListenAddress,
    /// `webrtcLocalUDPAddress`: the port of all WebRTC media.
    pub webrtc_local_udp_address: ListenAddress,
    /// `webrtcLocalTCPAddress`: the same over TCP; none: no TCP.
    pub webrtc_local_tcp_address: Option<ListenAddress>,
    /// `webrtcIPsFromInterfaces`: offer the addresses of the interfaces, where every address is listened on.
    pub webrtc_ips_from_interfaces: bool,
    /// `webrtcIPsFromInterfacesList`: of these interfaces only, where any is named.
    pub webrtc_interfaces: Vec<String>,
    /// `webrtcHandshakeTimeout`: from an answer to media that can flow.
    pub webrtc_handshake_timeout: Duration,
    /// `webrtcAdditionalHosts`: addresses and names to offer as ICE candidates too.
    pub webrtc_additional_hosts: Vec<String>,
    /// `logDestinations`, `logFile`, `logStructured`.
    pub log: LogSettings,
    /// `rtspEncryption`, `rtspsAddress`, `rtspServerCert`, `rtspServerKey`.
    pub rtsp_tls: FaceTls,
    /// The same of the WebRTC port, which has no second one: TLS is on it or it is not (`webrtcEncryption: yes`); with
    /// `listenTLS` of the specification there is a second one.
    pub webrtc_tls: FaceTls,
    /// The same of the HLS port.
    pub hls_tls: FaceTls,
    /// The same of the API's port.
    pub api_tls: FaceTls,
    /// The same of the metrics' port.
    pub metrics_tls: FaceTls,
    /// `rtspTrustedProxies`, `webrtcTrustedProxies`, `hlsTrustedProxies`, `apiTrustedProxies`, `metricsTrustedProxies`: whose word about the
    /// client's address is believed, all faces together where a key of one is not given.
    pub trusted_proxies: TrustedProxies,
    /// `webrtcAllowOrigins`, `hlsAllowOrigins`, `apiAllowOrigins`.
    pub allow_origins: AllowOrigins,
    /// `webrtcICEServers2`.
    pub ice_servers: Vec<IceServer>,
    /// `auth...`, `rtspAuthMethods`.
    pub auth: Auth,
    /// `runOnConnect`.
    pub run_on_connect: Option<Command>,
    /// `runOnDisconnect`.
    pub run_on_disconnect: Option<Command>,
    /// `onEvent`: where every event of every stream is told. Ours.
    pub on_event: Option<Webhook>,
    /// `pathDefaults`.
    pub path_defaults: PathConf,
    /// `paths`.
    pub paths: Paths,
    /// `fabric`.
    pub fabric: Fabric,
    /// One line about each key that is an old name, or has no effect yet.
    pub notices: Vec<String>,
}

/// How playlists are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hls {
    /// `hlsVariant`.
    pub variant: HlsVariant,
    /// `hlsSegmentCount`: segments in a playlist.
    pub segment_count: usize,
    /// `hlsSegmentDuration`: the least a segment lasts; it ends at the next key unit.
    pub segment_duration: Duration,
    /// `hlsPartDuration`.
    pub part_duration: Duration,
    /// `hlsSegmentMaxSize` in bytes.
    pub segment_max_size: usize,
    /// `hlsMuxerCloseAfter`: so long after the last request of a stream it is made into HLS no more.
    pub muxer_close_after: Duration,
}

/// Which kind of HLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HlsVariant {
    /// Served as `fmp4`, with a notice.
    #[serde(rename = "mpegts")]
    MpegTs,
    /// Whole segments.
    #[serde(rename = "fmp4")]
    Fmp4,
    /// Parts of segments too.
    #[serde(rename = "lowLatency")]
    LowLatency,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `logDestinations`.
    pub destinations: Vec<LogDestination>,
    /// `logFile`.
    pub file: PathBuf,
    /// `logStructured`: one JSON object per line.
    pub structured: bool,
}

/// One place that the log goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// Standard error. Ours, and the default: what commands print stays apart.
    Stderr,
    /// `logFile`, reopened at SIGHUP.
    File,
}

/// TLS of one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceTls {
    /// Whether there is TLS.
    pub encryption: Encryption,
    /// Where TLS is listened for, where it has a port of its own.
    pub address: Option<ListenAddress>,
    /// The certificate.
    pub files: TlsFiles,
}

impl Default for FaceTls {
    /// None.
    fn default() -> Self {
        Self {
            encryption: Encryption::No,
            address: None,
            files: TlsFiles {
                certificate: PathBuf::from("server.crt"),
                key: PathBuf::from("server.key"),
            },
        }
    }
}

/// Whose word about the client's address is believed; empty: nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // one per port
pub struct TrustedProxies {
    pub rtsp: Vec<IpRule>,
    pub webrtc: Vec<IpRule>,
    pub hls: Vec<IpRule>,
    pub api: Vec<IpRule>,
    pub metrics: Vec<IpRule>,
}

/// Pages of which sites may read answers; `*`: of every one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // one per port
pub struct AllowOrigins {
    pub webrtc: Vec<String>,
    pub hls: Vec<String>,
    pub api: Vec<String>,
    pub metrics: Vec<String>,
}

impl Default for AllowOrigins {
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        Self {
            webrtc: all(),
            hls: all(),
            api: all(),
            metrics: all(),
        }
    }
}

/// An entry of `webrtcICEServers2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:` or `turn:` URL.
    pub url: String,
    /// `username`; `AUTH_SECRET`: made for each client from the password, coturn's way.
    pub username: String,
    /// `password`.
    pub password: Secret,
}

/// What MediaMTX does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Fabric {
    /// `nodeName`; `None`: the host's name plus a random part.
    pub node_name: Option<NodeName>,
    /// `advertisedHost`: the host that other nodes send clients to; `None`: found out.
    pub advertised_host: Option<String>,
    /// `nats`.
    pub nats: Nats,
    /// `overridePublisher`: an authorised newcomer takes a name over; otherwise it is refused while the owner answers.
    pub override_publisher: bool,
    /// `publisherGrace`: how long readers are held when the publisher is gone.
    pub publisher_grace: Duration,
    /// `readerLinger`: how long a stream stays subscribed after its last reader.
    pub reader_linger: Duration,
    /// `describeTimeout`: how long DESCRIBE of a stream that does not exist waits for it; zero: not at all.
    pub describe_timeout: Duration,
    /// `keyframeInterval`: how often a keyframe is asked for while somebody reads; zero: never.
    pub keyframe_interval: Duration,
    /// `drainTimeout`: how long sessions may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// `webrtcShards`: threads that carry WebRTC media, each with a UDP port of its own.
    pub webrtc_shards: usize,
    /// `dtlsCertificate`: PEM file with the DTLS certificate and key; made at the first start. `None`: a new one each start.
    pub dtls_certificate: Option<PathBuf>,
    /// `addressFile`: JSON file to write the bound addresses to once the node is ready.
    pub address_file: Option<PathBuf>,
    /// `settingsFile`: JSON file that keeps what was set by the API, where there is no NATS to keep it. `None`: kept until
    /// the process ends.
    pub settings_file: Option<PathBuf>,
    /// `otlpEndpoint`: where traces go, OTLP over HTTP (`http://host:4318`); `None`: nowhere.
    pub otlp_endpoint: Option<String>,
    /// `limits`.
    pub limits: Limits,
}

/// The message bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Nats {
    /// `servers`: one cluster, any number of its members; a user and password in a URL go to the two fields below.
    /// Empty in standalone.
    pub servers: Vec<String>,
    /// `user`; empty: none.
    pub user: String,
    /// `password`.
    pub password: Secret,
    /// `token`.
    pub token: Secret,
    /// `credentialsFile`: a `.creds` file.
    pub credentials_file: Option<PathBuf>,
    /// `nkeyFile`: a file with the seed of an nkey.
    pub nkey_file: Option<PathBuf>,
    /// `caFile`: PEM file with the authority of the servers' certificates.
    pub ca_file: Option<PathBuf>,
    /// `replicas`: copies of the registry, where this node makes it.
    pub replicas: usize,
    /// `monitor`: URLs of the servers' monitoring ports.
    pub monitor: Vec<String>,
}

/// Upper bounds; what is above is refused with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `publishers` on this node.
    pub publishers: usize,
    /// `pendingPublishers`: publishers whose media has not come yet; half of them, but at least 4, of one client
    /// address.
    pub pending_publishers: usize,
    /// `readers` on this node.
    pub readers: usize,
    /// `rtspConnections`: open RTSP connections, reading or not.
    pub rtsp_connections: usize,
    /// `bitsPerSecond` of media on this node, in and out together; 0: no limit.
    pub bits_per_second: u64,
    /// `connectionsPerAddress`: open TCP connections of one client address on each port; 0: no limit.
    pub connections_per_address: usize,
    /// `sessionsPerAddress`: publishers and readers of one client address; 0: no limit.
    pub sessions_per_address: usize,
    /// `httpConnections`: open connections of each HTTP port.
    pub http_connections: usize,
    /// `requestsPerSecond` of one client address on each HTTP port, with as many at once; 0: no limit.
    pub requests_per_second: u32,
    /// `failedLogins` of one address within a minute before it must wait; 0: no limit.
    pub failed_logins: u32,
}

impl Default for Config {
    fn default() -> Self {
        static DEFAULTS: OnceLock<Config> = OnceLock::new();
        let read = || Config::parse("", "defaults").expect("the defaults are valid, as a test shows");
        DEFAULTS.get_or_init(read).clone()
    }
}

impl Config {
    /// Reads a file for a node with these faces.
    ///
    /// # Errors
    /// When it cannot be read, or is no configuration; says where and what to write instead.
    pub fn load(path: &Path, faces: Faces) -> Result<Self, Error> {
        let base = Base {
            file: Some(path.to_owned()),
            faces,
            ..Base::default()
        };
        base.read()?.config()
    }

    /// Reads YAML for a node with both faces; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is no configuration.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        Self::parse_for(text, origin, Faces::Both)
    }

    /// Reads YAML for a node with these faces; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is no configuration.
    pub fn parse_for(text: &str, origin: &str, faces: Faces) -> Result<Self, Error> {
        let base = Base {
            faces,
            ..Base::default()
        };
        base.parse(text, origin)?.config()
    }

    /// What deserves a word although nothing is wrong.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}
