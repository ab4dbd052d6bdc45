//! From the file as written to the configuration as used: what each value must be, and what values must be together.
//! All problems are collected, so that one look mends them all.

use crate::config::{Config, Fabric, Faces, Limits, Nats};
use crate::file::{FabricFile, File, NatsFile};
use crate::{ListenAddress, Problem, Secret};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use weft_wire::NodeName;

/// A keyframe costs a publisher several ordinary frames; more often than this it would starve its picture.
const SHORTEST_KEYFRAME_INTERVAL: Duration = Duration::from_millis(250);

/// A DESCRIBE that waits longer has lost its client.
const LONGEST_DESCRIBE: Duration = Duration::from_secs(30);

/// Below this a limit in bits would refuse the first camera: written in Mbit/s or kbit/s by mistake.
const SMALLEST_BITS_PER_SECOND: u64 = 100_000;

/// Shards take ports one after the other; more threads than this is a slip of the pen.
const MOST_SHARDS: usize = 64;

/// The configuration of a node with these faces, or everything that is wrong with it.
pub(crate) fn checked(file: File, faces: Faces) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let config = Config {
        log_level: file.log_level,
        read_timeout: file.read_timeout.0,
        write_timeout: file.write_timeout.0,
        api: file.api,
        api_address: file.api_address,
        metrics: file.metrics,
        metrics_address: file.metrics_address,
        rtsp_address: file.rtsp_address,
        rtp_address: file.rtp_address,
        rtcp_address: file.rtcp_address,
        hls_address: file.hls_address,
        webrtc_address: file.webrtc_address,
        webrtc_local_udp_address: file.webrtc_local_udp_address,
        webrtc_additional_hosts: file.webrtc_additional_hosts,
        log: crate::LogSettings {
            destinations: vec![crate::LogDestination::Stderr],
            file: PathBuf::from("mediamtx.log"),
            structured: false,
        },
        rtsp_tls: crate::FaceTls::default(),
        webrtc_tls: crate::FaceTls::default(),
        api_tls: crate::FaceTls::default(),
        metrics_tls: crate::FaceTls::default(),
        trusted_proxies: crate::TrustedProxies::default(),
        allow_origins: crate::AllowOrigins::default(),
        ice_servers: Vec::new(),
        auth: crate::Auth::default(),
        run_on_connect: None,
        run_on_disconnect: None,
        on_event: None,
        path_defaults: crate::PathConf::named(""),
        paths: crate::Paths::default(),
        fabric: fabric(file.fabric, &mut problems),
        notices: Vec::new(),
    };
    together(&config, faces).unwrap_or_else(|more| problems.extend(more));
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

fn optional(path: String) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn fabric(file: FabricFile, problems: &mut Vec<Problem>) -> Fabric {
    let node_name = (!file.node_name.is_empty())
        .then(|| NodeName::new(&file.node_name))
        .transpose()
        .unwrap_or_else(|e| {
            problems.push(Problem::of("fabric.nodeName", e.to_string()));
            None
        });
    Fabric {
        node_name,
        advertised_host: (!file.advertised_host.is_empty()).then_some(file.advertised_host),
        nats: nats(file.nats),
        override_publisher: file.override_publisher,
        publisher_grace: file.publisher_grace.0,
        reader_linger: file.reader_linger.0,
        describe_timeout: file.describe_timeout.0,
        keyframe_interval: file.keyframe_interval.0,
        drain_timeout: file.drain_timeout.0,
        webrtc_shards: file.webrtc_shards,
        dtls_certificate: optional(file.dtls_certificate),
        address_file: optional(file.address_file),
        settings_file: None,
        otlp_endpoint: None,
        limits: Limits {
            publishers: file.limits.publishers,
            pending_publishers: file.limits.pending_publishers,
            readers: file.limits.readers,
            rtsp_connections: file.limits.rtsp_connections,
            bits_per_second: file.limits.bits_per_second,
            connections_per_address: 0,
            sessions_per_address: 0,
            http_connections: 4_000,
            requests_per_second: 0,
            failed_logins: 10,
        },
    }
}

fn nats(file: NatsFile) -> Nats {
    let mut nats = Nats {
        servers: Vec::new(),
        user: file.user,
        password: file.password,
        token: file.token,
        credentials_file: optional(file.credentials_file),
        nkey_file: optional(file.nkey_file),
        ca_file: optional(file.ca_file),
        replicas: file.replicas,
        monitor: file.monitor,
    };
    take_servers(&mut nats, file.servers);
    nats
}

/// Takes the servers over; `nats://user:password@host` gives its user and password, so that no URL holds a secret.
pub(crate) fn take_servers(nats: &mut Nats, servers: Vec<String>) {
    nats.servers = servers
        .into_iter()
        .map(|server| {
            let Some((scheme, rest)) = server.split_once("://") else {
                return server;
            };
            let Some((login, host)) = rest.rsplit_once('@') else {
                return server;
            };
            // As NATS clients have it: one word alone is a token, and letters that a URL cannot hold are escaped.
            match login.split_once(':') {
                Some((user, password)) => {
                    nats.user = percent_decoded(user);
                    nats.password = Secret::new(percent_decoded(password));
                }
                None => nats.token = Secret::new(percent_decoded(login)),
            }
            format!("{scheme}://{host}")
        })
        .collect();
}

/// Escapes of a URL undone; what is no `%XX` stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let hex = piece
            .get(..2)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Checks what values must be together and within which bounds.
pub(crate) fn together(config: &Config, faces: Faces) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    addresses(config, faces, &mut problems);
    times(config, &mut problems);
    bus(&config.fabric.nats, &mut problems);
    let additional = config.webrtc_additional_hosts.iter();
    let additional = additional.map(|host| ("webrtcAdditionalHosts", host));
    let advertised = config.fabric.advertised_host.iter();
    for (key, host) in additional.chain(advertised.map(|host| ("fabric.advertisedHost", host))) {
        if host.is_empty() || host.contains([':', '/', ' ']) && host.parse::<IpAddr>().is_err() {
            problems.push(Problem::of(
                key,
                format!(
                    "'{host}' is neither an IP address nor a host name; write it without scheme and port"
                ),
            ));
        }
    }
    if config.fabric.describe_timeout > LONGEST_DESCRIBE {
        problems.push(Problem::of(
            "fabric.describeTimeout",
            "too long; RTSP clients give a request up after 5 to 10 s, so write at most '30s'",
        ));
    }
    let least = SMALLEST_BITS_PER_SECOND;
    if (1..least).contains(&config.fabric.limits.bits_per_second) {
        problems.push(Problem::of(
            "fabric.limits.bitsPerSecond",
            format!("less than one stream; write at least {least}, or 0 for no limit"),
        ));
    }
    let (fabric, limits) = (&config.fabric, &config.fabric.limits);
    if !(1..=MOST_SHARDS).contains(&fabric.webrtc_shards) {
        problems.push(Problem::of(
            "fabric.webrtcShards",
            format!("{} shards; write 1 to {MOST_SHARDS}", fabric.webrtc_shards),
        ));
    }
    for (key, value) in [
        ("publishers", limits.publishers),
        ("pendingPublishers", limits.pending_publishers),
        ("readers", limits.readers),
        ("rtspConnections", limits.rtsp_connections),
    ] {
        if value == 0 {
            problems.push(Problem::of(
                &format!("fabric.limits.{key}"),
                "0 would refuse everybody; write at least 1",
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn addresses(config: &Config, faces: Faces, problems: &mut Vec<Problem>) {
    let (publishers, readers) = (faces != Faces::Readers, faces != Faces::Publishers);
    let tcp = [
        (publishers, "webrtcAddress", config.webrtc_address),
        (readers, "rtspAddress", config.rtsp_address),
        (config.api, "apiAddress", config.api_address),
        (config.metrics, "metricsAddress", config.metrics_address),
    ];
    let udp = [
        (
            publishers,
            "webrtcLocalUDPAddress",
            config.webrtc_local_udp_address,
        ),
        (readers, "rtpAddress", config.rtp_address),
        (readers, "rtcpAddress", config.rtcp_address),
    ];
    for (protocol, all) in [("TCP", &tcp[..]), ("UDP", &udp[..])] {
        let used: Vec<(&str, ListenAddress)> = all
            .iter()
            .filter_map(|(used, key, address)| used.then_some((*key, *address)))
            .collect();
        for (i, (key, address)) in used.iter().enumerate() {
            if let Some((other, _)) = used[..i].iter().find(|(_, a)| a.clashes(*address)) {
                problems.push(Problem::of(
                    key,
                    format!(
                        "{protocol} port {} is taken by {other}; give one of them another",
                        address.port
                    ),
                ));
            }
        }
    }
}

fn times(config: &Config, problems: &mut Vec<Problem>) {
    for (key, value) in [
        ("readTimeout", config.read_timeout),
        ("writeTimeout", config.write_timeout),
    ] {
        if value.is_zero() {
            problems.push(Problem::of(
                key,
                "0 would end every connection; write at least '1s'",
            ));
        }
    }
    let interval = config.fabric.keyframe_interval;
    if !interval.is_zero() && interval < SHORTEST_KEYFRAME_INTERVAL {
        problems.push(Problem::of(
            "fabric.keyframeInterval",
            "too short; write at least '250ms', or '0s' for no regular keyframe requests",
        ));
    }
}

/// What is written before an `@` may be a secret.
fn without_login(url: &str) -> String {
    url.rsplit_once('@')
        .map_or(url.to_owned(), |(_, host)| format!("...@{host}"))
}

fn bus(nats: &Nats, problems: &mut Vec<Problem>) {
    for server in &nats.servers {
        let rest = ["nats://", "tls://"]
            .iter()
            .find_map(|scheme| server.strip_prefix(scheme));
        let good = rest.is_some_and(|rest| {
            // What follows the last colon is a port, unless the colon is one of a bracketed IPv6 address.
            let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "4222"));
            let port = port.ends_with(']') || port.parse::<u16>().is_ok_and(|port| port != 0);
            !host.is_empty() && !rest.contains(['/', ' ', ',']) && port
        });
        if !good {
            let server = without_login(server);
            problems.push(Problem::of(
                "fabric.nats.servers",
                format!("'{server}' is no server; write it as 'nats://host:4222' or 'tls://host:4222'"),
            ));
        }
    }
    let ways = [
        !nats.user.is_empty() || !nats.password.is_empty(),
        !nats.token.is_empty(),
        nats.credentials_file.is_some(),
        nats.nkey_file.is_some(),
    ];
    if ways.iter().filter(|given| **given).count() > 1 {
        problems.push(Problem::of(
            "fabric.nats",
            "more than one of user/password, token, credentialsFile and nkeyFile is given; keep one",
        ));
    }
    for url in &nats.monitor {
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let host = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
        if host.is_empty() || host.contains(['/', ' ', ',', '@']) {
            problems.push(Problem::of(
                "fabric.nats.monitor",
                format!(
                    "'{}' is no monitoring port; write it as 'http://host:8222', without a login",
                    without_login(url)
                ),
            ));
        }
    }
    if ![1, 3, 5].contains(&nats.replicas) {
        problems.push(Problem::of(
            "fabric.nats.replicas",
            format!("{} copies; a NATS cluster keeps 1, 3 or 5", nats.replicas),
        ));
    }
    if nats.user.is_empty() && !nats.password.is_empty() {
        problems.push(Problem::of(
            "fabric.nats.user",
            "a password is given but no user; name the user",
        ));
    }
}
