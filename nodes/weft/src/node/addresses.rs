//! The addresses a node has got, and the file that tells them to whoever started it with port 0.
//! Getting them is `build`'s business.

use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Where a node listens; what its role does not have is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Addresses {
    /// HTTP for WebRTC publishers; with TLS where it equals `webrtc_tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webrtc: Option<SocketAddr>,
    /// The same over TLS.
    #[serde(rename = "webrtcTls", skip_serializing_if = "Option::is_none")]
    pub webrtc_tls: Option<SocketAddr>,
    /// UDP for WebRTC media, the first shard's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice: Option<SocketAddr>,
    /// TCP for WebRTC media, of all shards.
    #[serde(rename = "iceTcp", skip_serializing_if = "Option::is_none")]
    pub ice_tcp: Option<SocketAddr>,
    /// RTSP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtsp: Option<SocketAddr>,
    /// RTSP over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtsps: Option<SocketAddr>,
    /// RTP over UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp: Option<SocketAddr>,
    /// RTCP over UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtcp: Option<SocketAddr>,
    /// HLS; with TLS where it equals `hls_tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls: Option<SocketAddr>,
    /// HLS over TLS.
    #[serde(rename = "hlsTls", skip_serializing_if = "Option::is_none")]
    pub hls_tls: Option<SocketAddr>,
    /// Control API; with TLS where it equals `api_tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<SocketAddr>,
    /// Control API over TLS.
    #[serde(rename = "apiTls", skip_serializing_if = "Option::is_none")]
    pub api_tls: Option<SocketAddr>,
    /// Metrics; with TLS where it equals `metrics_tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Metrics over TLS.
    #[serde(rename = "metricsTls", skip_serializing_if = "Option::is_none")]
    pub metrics_tls: Option<SocketAddr>,
}

impl Addresses {
    /// Writes them as JSON, all at once: a reader sees the whole file or none.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let half = path.with_extension("part");
        std::fs::write(&half, serde_json::to_vec(self)?)?;
        std::fs::rename(&half, path)
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// How somebody on this host reaches an address.
pub(crate) fn from_here(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_what_the_role_has_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("weft-addresses-{}.json", std::process::id()));
        let addresses = Addresses {
            rtsp: Some("127.0.0.1:8554".parse().unwrap()),
            ..Addresses::default()
        };
        addresses.write(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            r#"{"rtsp":"127.0.0.1:8554"}"#
        );
        std::fs::remove_file(&path).unwrap();
    }
}
