//! From values of the right kinds to the configuration as the program uses it; what they must be by themselves.
//! What they must be together is `validate`'s business.

mod auth;
mod document;
mod notices;
mod paths;

use crate::duration::Span;
use crate::layers::Effective;
use crate::{
    AllowOrigins, Config, Encryption, Fabric, FaceTls, Faces, Hls, IceServer, Limits, ListenAddress,
    LogSettings, Nats, Problem, TlsFiles, TrustedProxies, Webhook, validate,
};
use document::{Document, FabricDocument};
use serde_json::Value;
use std::path::PathBuf;
use weft_wire::NodeName;

/// The configuration of a node with these faces, and everything that is wrong with it; where something is, another value stands
/// in its place.
pub(crate) fn config(effective: &Effective, faces: Faces) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    let document = match serde_json::from_value::<Document>(Value::Object(effective.global.clone())) {
        Ok(document) => document,
        // Only what another version kept can be so.
        Err(error) => return (None, vec![Problem::of("", error.to_string())]),
    };
    let Some((path_defaults, paths)) = paths::paths(effective, &mut problems) else {
        return (None, problems);
    };
    let auth = auth::auth(effective, &document, &paths, &mut problems);
    let on_event = webhook(
        &document.on_event,
        &document.on_event_secret,
        "onEvent",
        &mut problems,
    );
    let mut config = Config {
        log_level: document.log_level,
        read_timeout: document.read_timeout.0,
        write_timeout: document.write_timeout.0,
        api: document.api,
        api_address: document.api_address,
        metrics: document.metrics,
        metrics_address: document.metrics_address,
        rtsp_address: document.rtsp_address,
        rtp_address: document.rtp_address,
        rtcp_address: document.rtcp_address,
        hls_enabled: document.hls,
        hls_address: document.hls_address,
        hls: hls(&document, &mut problems),
        webrtc_address: document.webrtc_address,
        webrtc_local_udp_address: document.webrtc_local_udp_address,
        webrtc_local_tcp_address: ice_tcp(&document, &mut problems),
        webrtc_ips_from_interfaces: document.webrtc_ips_from_interfaces,
        webrtc_interfaces: document.webrtc_ips_from_interfaces_list.clone(),
        webrtc_additional_hosts: document.webrtc_additional_hosts.clone(),
        webrtc_handshake_timeout: document.webrtc_handshake_timeout.0,
        log: LogSettings {
            destinations: document.log_destinations.clone(),
            file: PathBuf::from(&document.log_file),
            structured: document.log_structured,
        },
        rtsp_tls: FaceTls {
            encryption: document.rtsp_encryption,
            address: (document.rtsp_encryption != Encryption::No).then_some(document.rtsps_address),
            files: files(&document.rtsp_server_cert, &document.rtsp_server_key),
        },
        webrtc_tls: webrtc_tls(&document, &mut problems),
        hls_tls: face(
            document.hls_encryption,
            &document.hls_server_cert,
            &document.hls_server_key,
        ),
        api_tls: face(
            document.api_encryption,
            &document.api_server_cert,
            &document.api_server_key,
        ),
        metrics_tls: face(
            document.metrics_encryption,
            &document.metrics_server_cert,
            &document.metrics_server_key,
        ),
        trusted_proxies: TrustedProxies {
            rtsp: document.rtsp_trusted_proxies.clone(),
            webrtc: document.webrtc_trusted_proxies.clone(),
            hls: document.hls_trusted_proxies.clone(),
            api: document.api_trusted_proxies.clone(),
            metrics: document.metrics_trusted_proxies.clone(),
        },
        allow_origins: AllowOrigins {
            webrtc: document.webrtc_allow_origins.clone(),
            hls: document.hls_allow_origins.clone(),
            api: document.api_allow_origins.clone(),
            metrics: document.metrics_allow_origins.clone(),
        },
        ice_servers: ice_servers(&document, &mut problems),
        auth,
        run_on_connect: paths::command(&document.run_on_connect, document.run_on_connect_restart),
        run_on_disconnect: paths::command(&document.run_on_disconnect, false),
        on_event,
        path_defaults,
        paths,
        fabric: fabric(&document.fabric, &mut problems),
        notices: effective.notices(),
    };
    config.notices.extend(notices::of(&config));
    problems.extend(validate::together(&config, faces));
    (Some(config), problems)
}

fn hls(document: &Document, problems: &mut Vec<Problem>) -> Hls {
    let size = &document.hls_segment_max_size;
    let bytes = bytes(size).unwrap_or_else(|| {
        problems.push(Problem::of(
            "hlsSegmentMaxSize",
            format!("'{size}' is no size; write bytes, or a number with K, M or G such as '50M'"),
        ));
        usize::MAX
    });
    Hls {
        variant: document.hls_variant,
        segment_count: document.hls_segment_count,
        segment_duration: document.hls_segment_duration.0,
        part_duration: document.hls_part_duration.0,
        segment_max_size: bytes,
        muxer_close_after: document.hls_muxer_close_after.0,
    }
}

/// A number of bytes as MediaMTX writes it: `50M`, `50MB`, `512K`, `1000`.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim().trim_end_matches(['b', 'B']);
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.trim().parse::<usize>().ok()?.checked_mul(factor)
}

fn files(certificate: &str, key: &str) -> TlsFiles {
    TlsFiles {
        certificate: PathBuf::from(certificate),
        key: PathBuf::from(key),
    }
}

/// A face that has one port, which speaks TLS or does not.
fn face(encrypted: bool, certificate: &str, key: &str) -> FaceTls {
    FaceTls {
        encryption: if encrypted {
            Encryption::Strict
        } else {
            Encryption::No
        },
        address: None,
        files: files(certificate, key),
    }
}

fn webrtc_tls(document: &Document, problems: &mut Vec<Problem>) -> FaceTls {
    let key = "webrtcTLSAddress";
    let tls = face(
        document.webrtc_encryption,
        &document.webrtc_server_cert,
        &document.webrtc_server_key,
    );
    if document.webrtc_tls_address.is_empty() {
        return tls;
    }
    if document.webrtc_encryption {
        problems.push(Problem::of(
            key,
            "webrtcAddress speaks TLS already, by webrtcEncryption; keep one of them",
        ));
        return tls;
    }
    let address = document.webrtc_tls_address.parse::<ListenAddress>();
    FaceTls {
        encryption: Encryption::Optional,
        address: address
            .map_err(|error| problems.push(Problem::of(key, error.to_string())))
            .ok(),
        ..tls
    }
}

/// Empty: no TCP.
fn ice_tcp(document: &Document, problems: &mut Vec<Problem>) -> Option<ListenAddress> {
    let text = &document.webrtc_local_tcp_address;
    if text.is_empty() {
        return None;
    }
    let address = text.parse::<ListenAddress>();
    address
        .map_err(|error| problems.push(Problem::of("webrtcLocalTCPAddress", error.to_string())))
        .ok()
}

fn ice_servers(document: &Document, problems: &mut Vec<Problem>) -> Vec<IceServer> {
    let servers = document
        .webrtc_ice_servers2
        .iter()
        .enumerate()
        .map(|(n, server)| {
            let schemes = ["stun:", "stuns:", "turn:", "turns:"];
            if !schemes.iter().any(|scheme| server.url.starts_with(scheme)) {
                problems.push(Problem::of(
                    &format!("webrtcICEServers2.{n}.url"),
                    format!(
                        "'{}' is no ICE server; write it as 'stun:host:3478' or 'turn:host:3478'",
                        server.url
                    ),
                ));
            }
            IceServer {
                url: server.url.clone(),
                username: server.username.clone(),
                password: server.password.clone(),
            }
        });
    servers.collect()
}

/// `onEvent` and `onEventSecret`; `None` where none is asked for.
fn webhook(url: &str, secret: &crate::Secret, key: &str, problems: &mut Vec<Problem>) -> Option<Webhook> {
    if url.is_empty() {
        return None;
    }
    if !validate::is_http(url) {
        let text = "no URL; write it as 'http://host/path' or 'https://host/path'";
        problems.push(Problem::of(key, text));
    }
    Some(Webhook {
        url: url.to_owned(),
        secret: secret.clone(),
    })
}

fn optional(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn fabric(file: &FabricDocument, problems: &mut Vec<Problem>) -> Fabric {
    let node_name = (!file.node_name.is_empty())
        .then(|| NodeName::new(&file.node_name))
        .transpose()
        .unwrap_or_else(|e| {
            problems.push(Problem::of("fabric.nodeName", e.to_string()));
            None
        });
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let (nats, limits) = (&file.nats, &file.limits);
    let span = |span: Span| span.0;
    Fabric {
        node_name,
        advertised_host: text(&file.advertised_host),
        nats: Nats {
            servers: nats.servers.clone(),
            user: nats.user.clone(),
            password: nats.password.clone(),
            token: nats.token.clone(),
            credentials_file: optional(&nats.credentials_file),
            nkey_file: optional(&nats.nkey_file),
            ca_file: optional(&nats.ca_file),
            replicas: nats.replicas,
            monitor: nats.monitor.clone(),
        },
        override_publisher: file.override_publisher,
        publisher_grace: span(file.publisher_grace),
        reader_linger: span(file.reader_linger),
        describe_timeout: span(file.describe_timeout),
        keyframe_interval: span(file.keyframe_interval),
        drain_timeout: span(file.drain_timeout),
        webrtc_shards: file.webrtc_shards,
        dtls_certificate: optional(&file.dtls_certificate),
        address_file: optional(&file.address_file),
        settings_file: optional(&file.settings_file),
        otlp_endpoint: text(&file.otlp_endpoint),
        limits: Limits {
            publishers: limits.publishers,
            pending_publishers: limits.pending_publishers,
            readers: limits.readers,
            rtsp_connections: limits.rtsp_connections,
            bits_per_second: limits.bits_per_second,
            connections_per_address: limits.connections_per_address,
            sessions_per_address: limits.sessions_per_address,
            http_connections: limits.http_connections,
            requests_per_second: limits.requests_per_second,
            failed_logins: limits.failed_logins,
        },
    }
}
