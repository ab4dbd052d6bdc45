//! The keys above paths that Weft obeys, as they stand in a document in which none is missing.
//! Which keys there are, and their defaults, is `schema`'s business.

use crate::duration::Span;
use crate::{
    AuthMethod, Encryption, HlsVariant, IpRule, ListenAddress, LogDestination, LogLevel, RtspAuthMethod,
    Secret,
};
use serde::Deserialize;

/// Above paths.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) log_level: LogLevel,
    pub(super) log_destinations: Vec<LogDestination>,
    pub(super) log_file: String,
    pub(super) log_structured: bool,
    pub(super) read_timeout: Span,
    pub(super) write_timeout: Span,
    pub(super) run_on_connect: String,
    pub(super) run_on_connect_restart: bool,
    pub(super) run_on_disconnect: String,
    pub(super) on_event: String,
    pub(super) on_event_secret: Secret,
    pub(super) auth_method: AuthMethod,
    pub(super) auth_internal_users: Vec<UserDocument>,
    #[serde(rename = "authHTTPAddress")]
    pub(super) auth_http_address: String,
    #[serde(rename = "authHTTPFingerprint")]
    pub(super) auth_http_fingerprint: String,
    #[serde(rename = "authHTTPExclude")]
    pub(super) auth_http_exclude: Vec<PermissionDocument>,
    #[serde(rename = "authJWTJWKS")]
    pub(super) auth_jwt_jwks: String,
    #[serde(rename = "authJWTJWKSFingerprint")]
    pub(super) auth_jwt_jwks_fingerprint: String,
    #[serde(rename = "authJWTClaimKey")]
    pub(super) auth_jwt_claim_key: String,
    #[serde(rename = "authJWTExclude")]
    pub(super) auth_jwt_exclude: Vec<PermissionDocument>,
    #[serde(rename = "authJWTInHTTPQuery")]
    pub(super) auth_jwt_in_http_query: bool,
    #[serde(rename = "authJWTIssuer")]
    pub(super) auth_jwt_issuer: String,
    #[serde(rename = "authJWTAudience")]
    pub(super) auth_jwt_audience: String,
    pub(super) api: bool,
    pub(super) api_address: ListenAddress,
    pub(super) api_encryption: bool,
    pub(super) api_server_key: String,
    pub(super) api_server_cert: String,
    pub(super) api_allow_origins: Vec<String>,
    pub(super) api_trusted_proxies: Vec<IpRule>,
    pub(super) metrics: bool,
    pub(super) metrics_address: ListenAddress,
    pub(super) metrics_encryption: bool,
    pub(super) metrics_server_key: String,
    pub(super) metrics_server_cert: String,
    pub(super) metrics_allow_origins: Vec<String>,
    pub(super) metrics_trusted_proxies: Vec<IpRule>,
    pub(super) rtsp_encryption: Encryption,
    pub(super) rtsp_address: ListenAddress,
    pub(super) rtsps_address: ListenAddress,
    pub(super) rtp_address: ListenAddress,
    pub(super) rtcp_address: ListenAddress,
    pub(super) rtsp_server_key: String,
    pub(super) rtsp_server_cert: String,
    pub(super) rtsp_auth_methods: Vec<RtspAuthMethod>,
    pub(super) rtsp_trusted_proxies: Vec<IpRule>,
    pub(super) hls: bool,
    pub(super) hls_address: ListenAddress,
    pub(super) hls_encryption: bool,
    pub(super) hls_server_key: String,
    pub(super) hls_server_cert: String,
    pub(super) hls_allow_origins: Vec<String>,
    pub(super) hls_trusted_proxies: Vec<IpRule>,
    pub(super) hls_variant: HlsVariant,
    pub(super) hls_segment_count: usize,
    pub(super) hls_segment_duration: Span,
    pub(super) hls_part_duration: Span,
    pub(super) hls_segment_max_size: String,
    pub(super) hls_muxer_close_after: Span,
    pub(super) webrtc_address: ListenAddress,
    pub(super) webrtc_encryption: bool,
    #[serde(rename = "webrtcTLSAddress")]
    pub(super) webrtc_tls_address: String,
    pub(super) webrtc_server_key: String,
    pub(super) webrtc_server_cert: String,
    pub(super) webrtc_allow_origins: Vec<String>,
    pub(super) webrtc_trusted_proxies: Vec<IpRule>,
    #[serde(rename = "webrtcLocalUDPAddress")]
    pub(super) webrtc_local_udp_address: ListenAddress,
    #[serde(rename = "webrtcLocalTCPAddress")]
    pub(super) webrtc_local_tcp_address: String,
    #[serde(rename = "webrtcIPsFromInterfaces")]
    pub(super) webrtc_ips_from_interfaces: bool,
    #[serde(rename = "webrtcIPsFromInterfacesList")]
    pub(super) webrtc_ips_from_interfaces_list: Vec<String>,
    pub(super) webrtc_additional_hosts: Vec<String>,
    #[serde(rename = "webrtcICEServers2")]
    pub(super) webrtc_ice_servers2: Vec<IceServerDocument>,
    pub(super) webrtc_handshake_timeout: Span,
    pub(super) fabric: FabricDocument,
}

/// An entry of `authInternalUsers`.
#[derive(Deserialize)]
pub(super) struct UserDocument {
    pub(super) user: String,
    pub(super) pass: Secret,
    pub(super) ips: Vec<IpRule>,
    pub(super) permissions: Vec<PermissionDocument>,
}

/// An entry of `permissions`.
#[derive(Deserialize)]
pub(super) struct PermissionDocument {
    pub(super) action: String,
    pub(super) path: String,
}

/// An entry of `webrtcICEServers2`.
#[derive(Deserialize)]
pub(super) struct IceServerDocument {
    pub(super) url: String,
    pub(super) username: String,
    pub(super) password: Secret,
}

/// `fabric`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FabricDocument {
    pub(super) node_name: String,
    pub(super) advertised_host: String,
    pub(super) nats: NatsDocument,
    pub(super) override_publisher: bool,
    pub(super) publisher_grace: Span,
    pub(super) reader_linger: Span,
    pub(super) describe_timeout: Span,
    pub(super) keyframe_interval: Span,
    pub(super) drain_timeout: Span,
    pub(super) webrtc_shards: usize,
    pub(super) dtls_certificate: String,
    pub(super) address_file: String,
    pub(super) settings_file: String,
    pub(super) otlp_endpoint: String,
    pub(super) limits: LimitsDocument,
}

/// `fabric.nats`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NatsDocument {
    pub(super) servers: Vec<String>,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) token: Secret,
    pub(super) credentials_file: String,
    pub(super) nkey_file: String,
    pub(super) ca_file: String,
    pub(super) replicas: usize,
    pub(super) monitor: Vec<String>,
}

/// `fabric.limits`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LimitsDocument {
    pub(super) publishers: usize,
    pub(super) pending_publishers: usize,
    pub(super) readers: usize,
    pub(super) rtsp_connections: usize,
    pub(super) bits_per_second: u64,
    pub(super) connections_per_address: usize,
    pub(super) sessions_per_address: usize,
    pub(super) http_connections: usize,
    pub(super) requests_per_second: u32,
    pub(super) failed_logins: u32,
}
