//! What values must be together, and within which bounds.
//! All problems are collected, so that one look mends them all.

use crate::config::{Config, Faces, Nats};
use crate::{Encryption, ListenAddress, Problem};
use std::net::IpAddr;
use std::time::Duration;

/// A keyframe costs a publisher several ordinary frames; more often than this it would starve its picture.
const SHORTEST_KEYFRAME_INTERVAL: Duration = Duration::from_millis(250);

/// A DESCRIBE that waits longer has lost its client.
const LONGEST_DESCRIBE: Duration = Duration::from_secs(30);

/// Below this a limit in bits would refuse the first camera: written in Mbit/s or kbit/s by mistake.
const SMALLEST_BITS_PER_SECOND: u64 = 100_000;

/// Shards take ports one after the other; more threads than this is a slip of the pen.
const MOST_SHARDS: usize = 64;

/// Checks what values must be together and within which bounds.
pub(crate) fn together(config: &Config, faces: Faces) -> Vec<Problem> {
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
    if fabric.otlp_endpoint.as_deref().is_some_and(|url| !is_http(url)) {
        problems.push(Problem::of(
            "fabric.otlpEndpoint",
            "no URL; write it as 'http://host:4318'",
        ));
    }
    for (key, value) in [
        ("publishers", limits.publishers),
        ("pendingPublishers", limits.pending_publishers),
        ("readers", limits.readers),
        ("rtspConnections", limits.rtsp_connections),
        ("httpConnections", limits.http_connections),
    ] {
        if value == 0 {
            problems.push(Problem::of(
                &format!("fabric.limits.{key}"),
                "0 would refuse everybody; write at least 1",
            ));
        }
    }
    problems
}

/// True for `http://host...` and `https://host...`.
pub(crate) fn is_http(url: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']))
        && !url.contains(char::is_whitespace)
}

fn addresses(config: &Config, faces: Faces, problems: &mut Vec<Problem>) {
    let readers = faces != Faces::Publishers;
    let second = |tls: &crate::FaceTls| tls.address.filter(|_| tls.encryption != Encryption::No);
    let (rtsps, https) = (second(&config.rtsp_tls), second(&config.webrtc_tls));
    let none = ListenAddress::port(0);
    let tcp = [
        (true, "webrtcAddress", config.webrtc_address),
        (https.is_some(), "webrtcTLSAddress", https.unwrap_or(none)),
        (
            readers && config.rtsp_tls.encryption != Encryption::Strict,
            "rtspAddress",
            config.rtsp_address,
        ),
        (readers && rtsps.is_some(), "rtspsAddress", rtsps.unwrap_or(none)),
        (
            config.webrtc_local_tcp_address.is_some(),
            "webrtcLocalTCPAddress",
            config.webrtc_local_tcp_address.unwrap_or(none),
        ),
        (readers && config.hls_enabled, "hlsAddress", config.hls_address),
        (config.api, "apiAddress", config.api_address),
        (config.metrics, "metricsAddress", config.metrics_address),
    ];
    let udp = [
        (true, "webrtcLocalUDPAddress", config.webrtc_local_udp_address),
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
    let hls = &config.hls;
    for (key, wrong, why) in [
        (
            "hlsSegmentCount",
            hls.segment_count < 3,
            "players need three segments at least; write 3 or more",
        ),
        (
            "hlsSegmentDuration",
            hls.segment_duration < Duration::from_millis(500),
            "too short; write at least '500ms'",
        ),
        (
            "hlsPartDuration",
            hls.part_duration < Duration::from_millis(100),
            "too short; write at least '100ms'",
        ),
        (
            "hlsPartDuration",
            hls.part_duration > hls.segment_duration,
            "longer than hlsSegmentDuration, which it is a part of",
        ),
        (
            "hlsMuxerCloseAfter",
            hls.muxer_close_after < Duration::from_secs(5),
            "too short; players pause for longer, so write at least '5s'",
        ),
        (
            "hlsSegmentMaxSize",
            hls.segment_max_size < 1 << 20,
            "less than a second of good pictures; write at least '1M'",
        ),
    ] {
        if wrong {
            problems.push(Problem::of(key, why));
        }
    }
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
