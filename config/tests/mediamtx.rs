//! MediaMTX's own keys: each is known, none is told of that says nothing new, each that asks for what is not done is told of once.
//! What those that are obeyed do is tested by the parts that obey them.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::collections::BTreeSet;
use std::time::Duration;
use weft_config::{Config, Encryption, OnDemand, PathConf, Source, idle_keys, obeyed_keys, old_keys};

/// The names in MediaMTX's reference file and of its old keys (v1.20): above paths, then of paths.
const GLOBAL: &str = "logLevel logDestinations logStructured logFile sysLogPrefix dumpPackets readTimeout writeTimeout \
    writeQueueSize udpMaxPayloadSize udpReadBufferSize runOnConnect runOnConnectRestart runOnDisconnect authMethod \
    authInternalUsers authHTTPAddress authHTTPFingerprint authHTTPExclude authJWTJWKS authJWTJWKSFingerprint authJWTClaimKey \
    authJWTExclude authJWTIssuer authJWTAudience api apiAddress apiEncryption apiServerKey apiServerCert apiAllowOrigins \
    apiTrustedProxies metrics metricsAddress metricsEncryption metricsServerKey metricsServerCert metricsAllowOrigins \
    metricsTrustedProxies pprof pprofAddress pprofEncryption pprofServerKey pprofServerCert pprofAllowOrigins \
    pprofTrustedProxies playback playbackAddress playbackEncryption playbackServerKey playbackServerCert \
    playbackAllowOrigins playbackTrustedProxies rtsp rtspTransports rtspEncryption rtspAddress rtspsAddress rtpAddress \
    rtcpAddress multicastIPRange multicastRTPPort multicastRTCPPort srtpAddress srtcpAddress multicastSRTPPort \
    multicastSRTCPPort rtspServerKey rtspServerCert rtspAuthMethods rtspTrustedProxies rtmp rtmpEncryption rtmpAddress \
    rtmpsAddress rtmpServerKey rtmpServerCert rtmpTrustedProxies hls hlsAddress hlsEncryption hlsServerKey hlsServerCert \
    hlsAllowOrigins hlsTrustedProxies hlsAlwaysRemux hlsVariant hlsSegmentCount hlsSegmentDuration hlsPartDuration \
    hlsSegmentMaxSize hlsDirectory hlsMuxerCloseAfter hlsCDNSecret webrtc webrtcAddress webrtcEncryption webrtcServerKey \
    webrtcServerCert webrtcAllowOrigins webrtcTrustedProxies webrtcLocalUDPAddress webrtcLocalTCPAddress \
    webrtcIPsFromInterfaces webrtcIPsFromInterfacesList webrtcAdditionalHosts webrtcICEServers2 webrtcSTUNGatherTimeout \
    webrtcHandshakeTimeout webrtcTrackGatherTimeout srt srtAddress moq moqHTTP2Address moqHTTP3Address moqQUICAddress \
    moqServerKey moqServerCert moqAllowOrigins moqTrustedProxies \
    apiAllowOrigin authJWTInHTTPQuery authMethods encryption externalAuthenticationURL hlsAllowOrigin hlsDisable \
    metricsAllowOrigin moqHTTPS2Address moqHTTPS3Address playbackAllowOrigin pprofAllowOrigin protocols readBufferCount \
    rtmpDisable rtspDisable rtspUDPReadBufferSize serverCert serverKey webrtcAllowOrigin webrtcDisable \
    webrtcICEHostNAT1To1IPs webrtcICEServers webrtcICETCPMuxAddress webrtcICEUDPMuxAddress record recordPath recordFormat \
    recordPartDuration recordSegmentDuration recordDeleteAfter";
const PATH: &str = "name source sourceFingerprint sourceOnDemand sourceOnDemandStartTimeout sourceOnDemandCloseAfter \
    maxReaders srtReadPassphrase useAbsoluteTimestamp alwaysAvailable alwaysAvailableTracks alwaysAvailableFile forward \
    record recordPath recordFormat recordPartDuration recordMaxPartSize recordSegmentDuration recordDeleteAfter \
    overridePublisher srtPublishPassphrase rtspDemuxMpegts rtspTransport rtspAnyPort rtspRangeType rtspRangeStart rtspScale \
    rtspUDPSourcePortRange rtpSDP moqTransport whepBearerToken whepSTUNGatherTimeout whepHandshakeTimeout \
    whepTrackGatherTimeout sourceRedirect rpiCameraCamID rpiCameraSecondary rpiCameraWidth rpiCameraHeight rpiCameraHFlip \
    rpiCameraVFlip rpiCameraBrightness rpiCameraContrast rpiCameraSaturation rpiCameraSharpness rpiCameraExposure \
    rpiCameraAWB rpiCameraAWBGains rpiCameraDenoise rpiCameraShutter rpiCameraMetering rpiCameraGain rpiCameraEV \
    rpiCameraROI rpiCameraHDR rpiCameraTuningFile rpiCameraMode rpiCameraFPS rpiCameraAfMode rpiCameraAfRange \
    rpiCameraAfSpeed rpiCameraLensPosition rpiCameraAfWindow rpiCameraFlickerPeriod rpiCameraTextOverlayEnable \
    rpiCameraTextOverlay rpiCameraCodec rpiCameraIDRPeriod rpiCameraBitrate rpiCameraH264Profile rpiCameraH264Level \
    rpiCameraMJPEGQuality runOnInit runOnInitRestart runOnDemand runOnDemandRestart runOnDemandStartTimeout \
    runOnDemandCloseAfter runOnUnDemand runOnAvailable runOnAvailableRestart runOnUnavailable runOnOnline \
    runOnOnlineRestart runOnOffline runOnRead runOnReadRestart runOnUnread runOnRecordSegmentCreate \
    runOnRecordSegmentComplete \
    disablePublisherOverride fallback mpegtsUDPReadBufferSize playback publishIPs publishPass publishUser readIPs readPass \
    readUser rpiCameraHardwareH264Level rpiCameraHardwareH264Profile rpiCameraJPEGQuality rpiCameraLevel rpiCameraProfile \
    rpiCameraSoftwareH264Level rpiCameraSoftwareH264Profile rtpUDPReadBufferSize rtspUDPReadBufferSize runOnNotReady \
    runOnReady runOnReadyRestart sourceAnyPortEnable sourceProtocol";

fn notices(text: &str) -> Vec<String> {
    Config::parse(text, "mediamtx.yml").unwrap().notices()
}

#[test]
fn every_key_of_mediamtx_is_known() {
    let mut known: BTreeSet<String> = obeyed_keys().into_iter().chain(old_keys()).collect();
    known.extend(idle_keys().into_values().flatten());
    for key in GLOBAL.split_whitespace() {
        assert!(known.contains(key), "{key}");
        // A key alone, without a value, is MediaMTX's way to leave a default.
        assert!(Config::parse(&format!("{key}:\n"), "x").is_ok(), "{key}");
    }
    for key in PATH.split_whitespace() {
        assert!(known.contains(&format!("pathDefaults.{key}")), "{key}");
        assert!(
            Config::parse(&format!("paths: {{a: {{{key}: null}}}}\n"), "x").is_ok(),
            "{key}"
        );
    }
}

#[test]
fn keys_of_what_is_not_served_are_told_of_once_and_only_when_they_ask_for_something() {
    let quiet = "rtmp: yes\nrtmpAddress: :1935\nsrt: no\nhls: off\nhlsSegmentDuration: 1000ms\npprof: no\nmoq: false\n\
                 recordPath: ./recordings/%path/%Y-%m-%d_%H-%M-%S-%f\nrtspTransports: [udp, multicast, tcp]\n\
                 pathDefaults: {record: no, forward: [], rpiCameraFPS: 30.0}\nauthJWTInHTTPQuery: yes\n";
    let notices_of_quiet = notices(quiet);
    assert_eq!(
        notices_of_quiet,
        [
            "recordPath: stands above the paths and so means all; write it in 'pathDefaults'",
            "recordPath, rpiCameraFPS, rtmp, rtmpAddress: of what is not served yet (RTMP, recording, \
             the Raspberry Pi camera); written with the values that they have anyway, without effect",
        ]
    );
    let loud = "rtmpAddress: :19350\nrtspTransports: [tcp]\nrtsp: no\npathDefaults: {record: yes}\n\
                paths: {a: {record: yes, fallback: /b}, b: {forward: [{dest: 'rtmp://h/x'}]}}\n";
    assert_eq!(
        notices(loud),
        [
            "fallback (in paths.a): fallback: no longer served; the key has no effect",
            "forward (in paths.b): forwarding: not served yet; the key has no effect",
            "record (in pathDefaults, paths.a): recording: not served yet; the key has no effect",
            "rtmpAddress: RTMP: not served yet; the key has no effect",
            "rtsp: the key has no effect; the node's role says which faces it has (weft ingest, weft egress)",
            "rtspTransports: the key has no effect; RTSP is served over UDP and TCP",
        ]
    );
}

#[test]
fn values_of_keys_without_effect_are_looked_at_too() {
    for (text, part) in [
        (
            "hlsSegmentCount: many\n",
            "line 1: hlsSegmentCount: 'many' is not a whole number",
        ),
        ("rtmp: maybe\n", "rtmp: 'maybe' is neither yes nor no"),
        ("hlsPartDuration: 5\n", "hlsPartDuration: '5' is not a duration"),
        ("paths: {a: {forward: x}}\n", "paths.a.forward: expected a list"),
        (
            "paths: {a: {forward: [{to: x}]}}\n",
            "paths.a.forward.0.to: unknown key",
        ),
        ("logDestinations: [syslog]\n", "the system log is not written to"),
    ] {
        let told = Config::parse(text, "x").map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn old_names_mean_what_their_new_ones_do() {
    for (old, new) in [
        ("readBufferCount: 256", "writeQueueSize: 256"),
        ("encryption: optional", "rtspEncryption: optional"),
        ("encryption: yes", "rtspEncryption: strict"),
        ("authMethods: [digest]", "rtspAuthMethods: [digest]"),
        ("webrtcICEUDPMuxAddress: :7", "webrtcLocalUDPAddress: :7"),
        ("webrtcICETCPMuxAddress: :7", "webrtcLocalTCPAddress: :7"),
        (
            "webrtcICEHostNAT1To1IPs: [192.0.2.1]",
            "webrtcAdditionalHosts: [192.0.2.1]",
        ),
        ("apiAllowOrigin: https://a", "apiAllowOrigins: [https://a]"),
        ("rtspDisable: yes", "rtsp: no"),
        (
            "webrtcICEServers: ['stun:h:1', 'turn:u:p:h:2']",
            "webrtcICEServers2: [{url: 'stun:h:1'}, {url: 'turn:h:2', username: u, password: p}]",
        ),
        (
            "paths: {a: {runOnReady: x, runOnReadyRestart: yes}}",
            "paths: {a: {runOnAvailable: x, runOnAvailableRestart: yes}}",
        ),
        (
            "paths: {a: {runOnNotReady: x}}",
            "paths: {a: {runOnUnavailable: x}}",
        ),
        (
            "paths: {a: {disablePublisherOverride: yes}}",
            "paths: {a: {overridePublisher: no}}",
        ),
        (
            "paths: {a: {source: 'rtsp://h/x', sourceProtocol: tcp}}",
            "paths: {a: {source: 'rtsp://h/x', rtspTransport: tcp}}",
        ),
        ("runOnDemand: yes", "pathDefaults: {runOnDemand: true}"),
    ] {
        let read = |text: &str| Config {
            notices: Vec::new(),
            ..Config::parse(text, "x").unwrap()
        };
        assert_eq!(read(old), read(new), "{old}");
        assert!(
            notices(old)
                .iter()
                .any(|notice| notice.contains("old name") || notice.contains("above the paths")),
            "{old}"
        );
    }
    let text = "webrtcAddress: :1\nlisten: :2\n";
    let told = Config::parse(text, "x").unwrap_err().to_string();
    assert_eq!(
        told,
        "x: line 2: listen: 'webrtcAddress' says otherwise, and both mean the same; keep 'webrtcAddress'"
    );
}

#[test]
fn tls_of_each_port_is_read() {
    let config = Config::parse(
        "rtspEncryption: optional\nrtspsAddress: :1\nrtspServerCert: a.crt\nwebrtcEncryption: yes\napiEncryption: on\n\
         apiServerKey: b.key\nmetricsEncryption: true\nwebrtcTrustedProxies: [10.0.0.0/8]\n",
        "x",
    )
    .unwrap();
    assert_eq!(
        (config.rtsp_tls.encryption, config.rtsp_tls.address.unwrap().port),
        (Encryption::Optional, 1)
    );
    assert_eq!(config.rtsp_tls.files.certificate.to_str(), Some("a.crt"));
    for tls in [&config.webrtc_tls, &config.api_tls, &config.metrics_tls] {
        assert_eq!((tls.encryption, tls.address), (Encryption::Strict, None));
    }
    assert_eq!(config.api_tls.files.key.to_str(), Some("b.key"));
    assert_eq!(config.trusted_proxies.webrtc.len(), 1);
    for (text, part) in [
        (
            "webrtcEncryption: yes\nlistenTLS: :8443\n",
            "webrtcTLSAddress: webrtcAddress speaks TLS already",
        ),
        (
            "rtspEncryption: optional\nrtspsAddress: :8554\n",
            "rtspsAddress: TCP port 8554 is taken by rtspAddress",
        ),
        (
            "listenTLS: :8889\n",
            "webrtcTLSAddress: TCP port 8889 is taken by webrtcAddress",
        ),
        (
            "rtspEncryption: some\n",
            "'some' is not one of no, optional, strict",
        ),
    ] {
        let told = Config::parse(text, "x").unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
    Config::parse("rtspEncryption: strict\nrtspsAddress: :8554\n", "x").unwrap();
}

fn path(text: &str) -> PathConf {
    let config = Config::parse(
        &format!("paths: {{a: {{{text}}}, ~^b: {{sourceOnDemand: no}}}}\n"),
        "x",
    )
    .unwrap();
    PathConf::clone(config.paths.get("a").unwrap())
}

#[test]
fn paths_say_where_media_comes_from_and_what_runs() {
    assert_eq!(
        path("source: 'rtsp://u:p@h:322/x'").source,
        Source::Pull("rtsp://u:p@h:322/x".to_owned())
    );
    assert_eq!(
        path("source: redirect, sourceRedirect: /other").source,
        Source::Redirect("/other".to_owned())
    );
    let ran = path("runOnDemand: 'ffmpeg -i x', runOnDemandRestart: yes, runOnDemandStartTimeout: 3s");
    let OnDemand::Run(command) = &ran.on_demand else {
        panic!("{ran:?}")
    };
    assert_eq!((command.line.as_str(), command.restart), ("ffmpeg -i x", true));
    assert_eq!(ran.start_timeout(), Duration::from_secs(3));
    assert_eq!(path("runOnDemand: no").on_demand, OnDemand::Nothing);
    let hooks =
        path("runOnAvailable: a, runOnOnline: b, runOnOnlineRestart: yes, runOnOffline: c, runOnInit: d")
            .hooks;
    let lines: Vec<_> = hooks
        .available
        .iter()
        .map(|command| (command.line.as_str(), command.restart))
        .collect();
    assert_eq!(lines, [("a", false), ("b", true)]);
    assert_eq!((hooks.unavailable.len(), hooks.init.is_some()), (1, true));
    assert_eq!(
        path("onEvent: 'https://h/x', onEventSecret: s")
            .on_event
            .unwrap()
            .url,
        "https://h/x"
    );
}

#[test]
fn paths_that_cannot_be_are_refused_at_the_line_they_stand_in() {
    for (text, part) in [
        ("paths:\n  'a b':\n", "line 2: paths.a b: "),
        ("paths:\n  '~(':\n", "line 2: paths.~(: no regular expression"),
        (
            "paths:\n  all:\n  all_others:\n",
            "line 3: paths.all_others: means every other stream, as 'all' does",
        ),
        (
            "paths:\n  a:\n    source: rtmp://h/x\n",
            "line 3: paths.a.source: 'rtmp' sources are not pulled yet",
        ),
        (
            "paths:\n  a:\n    source: rtsps://h/x\n",
            "line 3: paths.a.source: 'rtsps' sources are not pulled yet",
        ),
        (
            "paths:\n  a:\n    source: nonsense\n",
            "line 3: paths.a.source: no source",
        ),
        (
            "paths:\n  a:\n    source: rtsp:///x\n",
            "line 3: paths.a.source: no URL with a host",
        ),
        (
            "paths:\n  ~^a:\n    source: rtsp://h/x\n",
            "write 'sourceOnDemand: yes'",
        ),
        (
            "paths:\n  a: {sourceOnDemand: yes}\n",
            "line 2: paths.a.sourceOnDemand: of no use",
        ),
        (
            "paths:\n  a: {source: redirect}\n",
            "sourceRedirect: no place to send readers to",
        ),
        (
            "paths:\n  a: {sourceRedirect: /b}\n",
            "line 2: paths.a.sourceRedirect: of no use",
        ),
        (
            "paths:\n  ~^a: {runOnInit: x}\n",
            "paths.~^a.runOnInit: a path of many names",
        ),
        (
            "paths:\n  a: {source: 'rtsp://h/x', runOnDemand: x}\n",
            "paths.a.runOnDemand: only for paths",
        ),
        (
            "pathDefaults:\n  source: srt://h\n",
            "line 2: pathDefaults.source: 'srt' sources",
        ),
        (
            "paths:\n  test:\n    runOnDemnad: yes\n",
            "line 3: paths.test.runOnDemnad: unknown key; did you mean 'paths.test.runOnDemand'?",
        ),
        ("paths: [a]\n", "line 1: paths: expected keys with values"),
        ("paths:\n  a: x\n", "line 2: paths.a: expected keys with values"),
        (
            "maxReaders: 3\n",
            "line 1: maxReaders: unknown key; did you mean 'pathDefaults.maxReaders'?",
        ),
        ("onEvent: x\n", "onEvent: no URL"),
    ] {
        let told = Config::parse(text, "x").map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(part), "{text}: {told}");
        assert_eq!(
            told.matches("pathDefaults.source").count(),
            usize::from(text.starts_with("pathDefaults"))
        );
    }
}

/// A number after the other that depends on nothing else (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_key_with_a_letter_wrong_is_refused_and_the_right_one_named_with_its_line() {
    let known: BTreeSet<&str> = GLOBAL.split_whitespace().collect();
    let all = obeyed_keys();
    let all: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|key| !key.contains('.') && key.len() > 5)
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut named = 0;
    for round in 0..400 {
        let key = all[(next(&mut state) % all.len() as u64) as usize];
        let mut letters: Vec<char> = key.chars().collect();
        let at = (next(&mut state) % letters.len() as u64) as usize;
        match round % 3 {
            0 => letters[at] = 'q',
            1 => drop(letters.remove(at)),
            _ => letters.insert(at, 'q'),
        }
        let wrong: String = letters.into_iter().collect();
        if known.contains(wrong.as_str()) || old_keys().contains(&wrong) {
            continue;
        }
        let told = Config::parse(&format!("# head\n{wrong}: 1\n"), "x")
            .unwrap_err()
            .to_string();
        assert!(
            told.starts_with(&format!("x: line 2: {wrong}: unknown key")),
            "{told}"
        );
        named += usize::from(told.contains(&format!("did you mean '{key}'?")));
    }
    // One letter may make another key the nearest ('rtpAddress', 'rtspAddress').
    assert!(named > 350, "{named} of 400 were named");
}

#[test]
fn anything_at_all_is_refused_or_read_but_never_a_panic() {
    let words = [
        "paths", ":", "\n", " ", "-", "[", "]", "{", "}", "a", "~^", "&x", "*x", "source", "\"", "'", "#",
        "<<", "null", "\t", "é", ",",
    ];
    let mut state = 42;
    for _ in 0..20_000 {
        let length = next(&mut state) % 24;
        let text: String = (0..length)
            .map(|_| words[(next(&mut state) % words.len() as u64) as usize])
            .collect();
        drop(Config::parse(&text, "x"));
    }
}
