//! Which keys of the configuration take effect while the node runs, and which ones wait for its next start.
//! Reading the values as they are now is the business of the parts; docs/guides/configuration.md has this table by test.

use weft_config::{Config, Fabric, Limits};

/// One key, or a group of keys that are one thing.
pub(crate) struct Key {
    /// With its place, as in the file.
    pub(crate) name: &'static str,
    /// It takes effect while the node runs.
    pub(crate) live: bool,
    differs: fn(&Config, &Config) -> bool,
    keep: fn(&mut Config, &Config),
}

macro_rules! keys {
    (
        top { $($top:ident $top_name:literal $top_when:ident)+ }
        fabric { $($fabric:ident $fabric_name:literal $fabric_when:ident)+ }
        limits { $($limit:ident $limit_name:literal $limit_when:ident)+ }
    ) => {
        /// All of them.
        pub(crate) const KEYS: &[Key] = &[
            $(key!($top_name, $top_when, $top),)+
            $(key!($fabric_name, $fabric_when, fabric.$fabric),)+
            $(key!($limit_name, $limit_when, fabric.limits.$limit),)+
        ];

        /// A key that is in no list does not compile.
        #[allow(dead_code, unused_variables)]
        fn every_key(config: Config) {
            let Config { $($top,)+ fabric, notices } = config;
            let Fabric { $($fabric,)+ limits } = fabric;
            let Limits { $($limit),+ } = limits;
        }
    };
}

macro_rules! key {
    ($name:literal, $when:ident, $($field:ident).+) => {
        Key {
            name: $name,
            live: key!($when),
            differs: |a, b| a.$($field).+ != b.$($field).+,
            keep: |to, from| to.$($field).+.clone_from(&from.$($field).+),
        }
    };
    (live) => { true };
    (restart) => { false };
}

keys! {
    top {
        log_level "logLevel" live
        log "logDestinations, logFile, logStructured" live
        read_timeout "readTimeout" live
        write_timeout "writeTimeout" live
        api "api" restart
        api_address "apiAddress" restart
        metrics "metrics" restart
        metrics_address "metricsAddress" restart
        rtsp_address "rtspAddress" restart
        rtp_address "rtpAddress" restart
        rtcp_address "rtcpAddress" restart
        hls_enabled "hls" restart
        hls_address "hlsAddress" restart
        hls "hlsVariant, hlsSegmentCount, hlsSegmentDuration, hlsPartDuration, hlsSegmentMaxSize, hlsMuxerCloseAfter" live
        webrtc_address "webrtcAddress" restart
        webrtc_local_udp_address "webrtcLocalUDPAddress" restart
        webrtc_local_tcp_address "webrtcLocalTCPAddress" restart
        webrtc_ips_from_interfaces "webrtcIPsFromInterfaces" restart
        webrtc_interfaces "webrtcIPsFromInterfacesList" restart
        webrtc_additional_hosts "webrtcAdditionalHosts" restart
        webrtc_handshake_timeout "webrtcHandshakeTimeout" restart
        rtsp_tls "rtspEncryption, rtspsAddress, rtspServerCert, rtspServerKey" restart
        webrtc_tls "webrtcEncryption, webrtcTLSAddress, webrtcServerCert, webrtcServerKey" restart
        hls_tls "hlsEncryption, hlsServerCert, hlsServerKey" restart
        api_tls "apiEncryption, apiServerCert, apiServerKey" restart
        metrics_tls "metricsEncryption, metricsServerCert, metricsServerKey" restart
        trusted_proxies "rtspTrustedProxies, webrtcTrustedProxies, hlsTrustedProxies, apiTrustedProxies, metricsTrustedProxies" live
        allow_origins "webrtcAllowOrigins, hlsAllowOrigins, apiAllowOrigins, metricsAllowOrigins" live
        ice_servers "webrtcICEServers2" live
        auth "auth..., rtspAuthMethods" live
        run_on_connect "runOnConnect, runOnConnectRestart" live
        run_on_disconnect "runOnDisconnect" live
        on_event "onEvent, onEventSecret" live
        path_defaults "pathDefaults" live
        paths "paths" live
    }
    fabric {
        node_name "fabric.nodeName" restart
        advertised_host "fabric.advertisedHost" restart
        nats "fabric.nats" restart
        override_publisher "fabric.overridePublisher" live
        publisher_grace "fabric.publisherGrace" restart
        reader_linger "fabric.readerLinger" restart
        describe_timeout "fabric.describeTimeout" restart
        keyframe_interval "fabric.keyframeInterval" restart
        drain_timeout "fabric.drainTimeout" live
        webrtc_shards "fabric.webrtcShards" restart
        dtls_certificate "fabric.dtlsCertificate" restart
        address_file "fabric.addressFile" restart
        settings_file "fabric.settingsFile" restart
        otlp_endpoint "fabric.otlpEndpoint" restart
    }
    limits {
        publishers "fabric.limits.publishers" live
        pending_publishers "fabric.limits.pendingPublishers" live
        readers "fabric.limits.readers" live
        rtsp_connections "fabric.limits.rtspConnections" live
        bits_per_second "fabric.limits.bitsPerSecond" live
        connections_per_address "fabric.limits.connectionsPerAddress" live
        sessions_per_address "fabric.limits.sessionsPerAddress" live
        http_connections "fabric.limits.httpConnections" live
        requests_per_second "fabric.limits.requestsPerSecond" live
        failed_logins "fabric.limits.failedLogins" live
    }
}

/// What a change comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// The new configuration, but with what is in force for this run.
    pub(crate) config: Config,
    /// The keys that are different from now on.
    pub(crate) changed: Vec<&'static str>,
    /// The keys whose new values wait for a restart.
    pub(crate) waiting: Vec<&'static str>,
}

/// From the configuration in force to a new one.
pub(crate) fn change(now: &Config, new: &Config) -> Change {
    let mut config = new.clone();
    let (mut changed, mut waiting) = (Vec::new(), Vec::new());
    for key in KEYS.iter().filter(|key| (key.differs)(now, new)) {
        if key.live {
            changed.push(key.name);
        } else {
            (key.keep)(&mut config, now);
            waiting.push(key.name);
        }
    }
    Change {
        config,
        changed,
        waiting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_says_of_each_key_when_it_takes_effect() {
        let page = include_str!("../../../../../docs/guides/configuration.md");
        let names = |live: bool| {
            let keys = KEYS.iter().filter(|key| key.live == live);
            let names: Vec<_> = keys
                .map(|key| format!("`{}`", key.name.replace(", ", "`, `")))
                .collect();
            names.join(", ")
        };
        let table = [("at once", names(true)), ("at the next start", names(false))];
        for (when, names) in table {
            let row = format!("| {when} | {names} |");
            assert!(
                page.contains(&row),
                "docs/guides/configuration.md lacks this row:\n{row}"
            );
        }
    }
    use std::time::Duration;
    use weft_config::{ListenAddress, LogLevel};

    #[test]
    fn each_key_of_the_file_is_one_of_these() {
        let page = include_str!("../../../../../docs/config.md");
        let listed: Vec<&str> = KEYS.iter().flat_map(|key| key.name.split(", ")).collect();
        let rows = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let blocks = ["pathDefaults.", "paths.", "fabric.nats.", "auth"];
        let own = |key: &&str| !blocks.iter().any(|block| key.starts_with(block));
        let mut all = 0;
        for key in rows
            .take_while(|key| *key != "fabric.limits.failedLogins")
            .filter(own)
        {
            all += 1;
            let is_block = ["fabric", "fabric.limits"].contains(&key);
            assert!(is_block || listed.contains(&key), "{key} is in no row");
        }
        assert!(all > 40, "{all} keys");
    }

    #[test]
    fn what_cannot_change_is_kept_and_named_and_the_rest_is_taken() {
        let now = Config::default();
        let mut new = now.clone();
        new.log_level = LogLevel::Debug;
        new.rtsp_address = ListenAddress::port(1);
        new.fabric.limits.readers = 7;
        new.fabric.publisher_grace = Duration::from_secs(1);
        let change = change(&now, &new);
        assert_eq!(change.changed, ["logLevel", "fabric.limits.readers"]);
        assert_eq!(change.waiting, ["rtspAddress", "fabric.publisherGrace"]);
        assert_eq!(change.config.log_level, LogLevel::Debug);
        assert_eq!(change.config.fabric.limits.readers, 7);
        assert_eq!(change.config.rtsp_address, now.rtsp_address);
        assert_eq!(change.config.fabric.publisher_grace, now.fabric.publisher_grace);
    }

    #[test]
    fn what_is_the_same_is_no_change() {
        let change = change(&Config::default(), &Config::default());
        assert!(change.changed.is_empty() && change.waiting.is_empty());
    }
}
