//! The YAML file as it is written: each key with its default, unknown keys refused.
//! What the values mean together is checked in `validate`.

use crate::duration::Span;
use crate::error::explain;
use crate::{Config, ListenAddress, LogLevel, Problem, Secret};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const fn seconds(n: u64) -> Span {
    Span(Duration::from_secs(n))
}

/// Top level; MediaMTX's names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) log_level: LogLevel,
    pub(crate) read_timeout: Span,
    pub(crate) write_timeout: Span,
    pub(crate) api: bool,
    pub(crate) api_address: ListenAddress,
    pub(crate) metrics: bool,
    pub(crate) metrics_address: ListenAddress,
    pub(crate) rtsp_address: ListenAddress,
    pub(crate) rtp_address: ListenAddress,
    pub(crate) rtcp_address: ListenAddress,
    pub(crate) hls_address: ListenAddress,
    pub(crate) webrtc_address: ListenAddress,
    #[serde(rename = "webrtcLocalUDPAddress")]
    pub(crate) webrtc_local_udp_address: ListenAddress,
    pub(crate) webrtc_additional_hosts: Vec<String>,
    pub(crate) fabric: FabricFile,
}

impl Default for File {
    fn default() -> Self {
        Self {
            log_level: LogLevel::Info,
            read_timeout: seconds(10),
            write_timeout: seconds(10),
            api: true,
            api_address: ListenAddress::port(9997),
            metrics: true,
            metrics_address: ListenAddress::port(9998),
            rtsp_address: ListenAddress::port(8554),
            rtp_address: ListenAddress::port(8000),
            rtcp_address: ListenAddress::port(8001),
            hls_address: ListenAddress::port(8888),
            webrtc_address: ListenAddress::port(8889),
            webrtc_local_udp_address: ListenAddress::port(8189),
            webrtc_additional_hosts: Vec::new(),
            fabric: FabricFile::default(),
        }
    }
}

/// The `fabric` block.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct FabricFile {
    pub(crate) node_name: String,
    pub(crate) advertised_host: String,
    pub(crate) nats: NatsFile,
    pub(crate) override_publisher: bool,
    pub(crate) publisher_grace: Span,
    pub(crate) reader_linger: Span,
    pub(crate) describe_timeout: Span,
    pub(crate) keyframe_interval: Span,
    pub(crate) drain_timeout: Span,
    pub(crate) webrtc_shards: usize,
    pub(crate) dtls_certificate: String,
    pub(crate) address_file: String,
    pub(crate) limits: LimitsFile,
}

impl Default for FabricFile {
    fn default() -> Self {
        Self {
            node_name: String::new(),
            advertised_host: String::new(),
            nats: NatsFile::default(),
            override_publisher: true,
            publisher_grace: seconds(30),
            reader_linger: seconds(5),
            describe_timeout: seconds(0),
            keyframe_interval: seconds(2),
            drain_timeout: seconds(5),
            webrtc_shards: 1,
            dtls_certificate: String::new(),
            address_file: String::new(),
            limits: LimitsFile::default(),
        }
    }
}

/// `fabric.nats`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct NatsFile {
    pub(crate) servers: Vec<String>,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) token: Secret,
    pub(crate) credentials_file: String,
    pub(crate) nkey_file: String,
    pub(crate) ca_file: String,
    pub(crate) replicas: usize,
    pub(crate) monitor: Vec<String>,
}

impl Default for NatsFile {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            user: String::new(),
            password: Secret::default(),
            token: Secret::default(),
            credentials_file: String::new(),
            nkey_file: String::new(),
            ca_file: String::new(),
            replicas: 1,
            monitor: Vec::new(),
        }
    }
}

/// `fabric.limits`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct LimitsFile {
    pub(crate) publishers: usize,
    pub(crate) pending_publishers: usize,
    pub(crate) readers: usize,
    pub(crate) rtsp_connections: usize,
    pub(crate) bits_per_second: u64,
}

impl Default for LimitsFile {
    fn default() -> Self {
        Self {
            publishers: 500,
            pending_publishers: 100,
            readers: 2_000,
            rtsp_connections: 4_000,
            bits_per_second: 0,
        }
    }
}

/// Reads YAML; an empty file is all defaults.
pub(crate) fn read(text: &str) -> Result<File, Problem> {
    // A file of comments alone is a null document, which is no mapping to the reader.
    if text
        .lines()
        .all(|line| matches!(line.trim().chars().next(), None | Some('#')))
    {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text).map_err(|error| explain(&error, text, &known_keys()))
}

/// Every key with its place, from the defaults.
pub(crate) fn known_keys() -> Vec<String> {
    let yaml = serde_saphyr::to_string(&File::default()).expect("plain values always have a YAML form");
    let mut stack: Vec<(usize, String)> = Vec::new();
    let mut keys = Vec::new();
    for line in yaml.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let Some((key, _)) = bare.split_once(':').filter(|_| !bare.starts_with('-')) else {
            continue;
        };
        stack.retain(|(outer, _)| *outer < indent);
        let place = match stack.last() {
            Some((_, parent)) => format!("{parent}.{key}"),
            None => key.to_owned(),
        };
        stack.push((indent, place.clone()));
        keys.push(place);
    }
    keys
}

impl From<&Config> for File {
    fn from(c: &Config) -> Self {
        let path =
            |p: &Option<std::path::PathBuf>| p.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        let (f, n, l) = (&c.fabric, &c.fabric.nats, &c.fabric.limits);
        Self {
            log_level: c.log_level,
            read_timeout: Span(c.read_timeout),
            write_timeout: Span(c.write_timeout),
            api: c.api,
            api_address: c.api_address,
            metrics: c.metrics,
            metrics_address: c.metrics_address,
            rtsp_address: c.rtsp_address,
            rtp_address: c.rtp_address,
            rtcp_address: c.rtcp_address,
            hls_address: c.hls_address,
            webrtc_address: c.webrtc_address,
            webrtc_local_udp_address: c.webrtc_local_udp_address,
            webrtc_additional_hosts: c.webrtc_additional_hosts.clone(),
            fabric: FabricFile {
                node_name: f.node_name.as_ref().map(ToString::to_string).unwrap_or_default(),
                advertised_host: f.advertised_host.clone().unwrap_or_default(),
                nats: NatsFile {
                    servers: n.servers.clone(),
                    user: n.user.clone(),
                    password: n.password.clone(),
                    token: n.token.clone(),
                    credentials_file: path(&n.credentials_file),
                    nkey_file: path(&n.nkey_file),
                    ca_file: path(&n.ca_file),
                    replicas: n.replicas,
                    monitor: n.monitor.clone(),
                },
                override_publisher: f.override_publisher,
                publisher_grace: Span(f.publisher_grace),
                reader_linger: Span(f.reader_linger),
                describe_timeout: Span(f.describe_timeout),
                keyframe_interval: Span(f.keyframe_interval),
                drain_timeout: Span(f.drain_timeout),
                webrtc_shards: f.webrtc_shards,
                dtls_certificate: path(&f.dtls_certificate),
                address_file: path(&f.address_file),
                limits: LimitsFile {
                    publishers: l.publishers,
                    pending_publishers: l.pending_publishers,
                    readers: l.readers,
                    rtsp_connections: l.rtsp_connections,
                    bits_per_second: l.bits_per_second,
                },
            },
        }
    }
}
