//! The configuration as the program uses it: every value checked, nothing optional that has a default.
//! Reading it from YAML is `file` and `validate`.

use crate::{Error, ListenAddress, Secret, file, validate};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
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
    /// `hlsAddress`; HLS is not served yet.
    pub hls_address: ListenAddress,
    /// `webrtcAddress`: HTTP.
    pub webrtc_address: ListenAddress,
    /// `webrtcLocalUDPAddress`: the port of all WebRTC media.
    pub webrtc_local_udp_address: ListenAddress,
    /// `webrtcAdditionalHosts`: addresses and names to offer as ICE candidates too.
    pub webrtc_additional_hosts: Vec<String>,
    /// `fabric`.
    pub fabric: Fabric,
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
    /// `pendingPublishers`: publishers whose media has not come yet.
    pub pending_publishers: usize,
    /// `readers` on this node.
    pub readers: usize,
    /// `rtspConnections`: open RTSP connections, reading or not.
    pub rtsp_connections: usize,
    /// `bitsPerSecond` of media on this node, in and out together; 0: no limit.
    pub bits_per_second: u64,
}

impl Default for Config {
    fn default() -> Self {
        validate::checked(file::File::default(), Faces::Both)
            .expect("the defaults are valid, as a test shows")
    }
}

impl Config {
    /// Reads a file for a node with these faces.
    ///
    /// # Errors
    /// When it cannot be read, or is no configuration; says where and what to write instead.
    pub fn load(path: &Path, faces: Faces) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse_for(&text, &path.display().to_string(), faces)
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
        let file = file::read(text).map_err(|problem| Error::Syntax {
            origin: origin.to_owned(),
            problem,
        })?;
        validate::checked(file, faces).map_err(|problems| Error::Invalid {
            origin: origin.to_owned(),
            problems,
        })
    }

    /// Replaces `fabric.nats.servers` by a comma-separated list of URLs.
    pub fn set_nats_servers(&mut self, list: &str) {
        let servers = list.split(',').map(|s| s.trim().to_owned()).collect();
        validate::take_servers(&mut self.fabric.nats, servers);
    }

    /// Replaces `fabric.nodeName`.
    ///
    /// # Errors
    /// When it is no name.
    pub fn set_node_name(&mut self, name: &str) -> Result<(), Error> {
        let name = NodeName::new(name).map_err(|e| Error::Invalid {
            origin: "command line".to_owned(),
            problems: vec![crate::Problem::of("fabric.nodeName", e.to_string())],
        })?;
        self.fabric.node_name = Some(name);
        Ok(())
    }

    /// Checks again after values were replaced, for instance by the command line.
    ///
    /// # Errors
    /// What is wrong with the values together.
    pub fn revalidate(&self, origin: &str, faces: Faces) -> Result<(), Error> {
        validate::together(self, faces).map_err(|problems| Error::Invalid {
            origin: origin.to_owned(),
            problems,
        })
    }

    /// The effective configuration as YAML, secrets redacted.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(&file::File::from(self)).expect("plain values always have a YAML form")
    }

    /// What deserves a word although nothing is wrong.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.hls_address != Self::default().hls_address {
            notices.push("hlsAddress: HLS is not served yet; the key has no effect".to_owned());
        }
        notices
    }
}
