//! What somebody is told who makes a mistake in the file: where, what, and what to write instead.
//! That right files mean the right thing is shown in `reference.rs`.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use weft_config::{Base, Config, Faces};

/// The effective configuration as it is printed.
fn yaml(text: &str) -> String {
    Base::default().parse(text, "x").unwrap().to_yaml()
}

fn told(text: &str) -> String {
    Config::parse(text, "weft.yml")
        .expect_err("the file has a mistake")
        .to_string()
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    assert_eq!(
        told("logLevel: debug\nrtspAdress: :8554\n"),
        "weft.yml: line 2: rtspAdress: unknown key; did you mean 'rtspAddress'?"
    );
}

#[test]
fn an_unknown_key_within_a_block_is_named_with_its_place() {
    assert_eq!(
        told("fabric:\n  nats:\n    # ours\n    server: [nats://a:1]\n"),
        "weft.yml: line 4: fabric.nats.server: unknown key; did you mean 'fabric.nats.servers'?"
    );
    assert_eq!(
        told("nodeName: a\n"),
        "weft.yml: line 1: nodeName: unknown key; did you mean 'fabric.nodeName'?"
    );
    assert_eq!(
        told("subtitleLanguage: de\n"),
        "weft.yml: line 1: subtitleLanguage: unknown key; config/weft.yml lists every key there is"
    );
}

#[test]
fn a_value_of_the_wrong_form_is_named_with_its_line_and_an_example() {
    assert_eq!(
        told("\nreadTimeout: 10\n"),
        "weft.yml: line 2: readTimeout: '10' is not a duration; write it as '10s', '500ms' or '1h30m0s'"
    );
    assert_eq!(
        told("fabric:\n  readerLinger: soon\n"),
        "weft.yml: line 2: fabric.readerLinger: 'soon' is not a duration; write it as '10s', '500ms' or '1h30m0s'"
    );
    let address = told("webrtcAddress: 8889\n");
    assert!(
        address.starts_with("weft.yml: line 1: webrtcAddress: '8889' is not an address"),
        "{address}"
    );
    let level = told("logLevel: loud\n");
    assert!(level.starts_with("weft.yml: line 1: logLevel: "), "{level}");
    assert!(level.contains("debug"), "{level}");
}

#[test]
fn a_single_value_where_a_list_belongs_is_told_how_to_write_it() {
    assert_eq!(
        told("fabric:\n  nats:\n    servers: nats://a:4222\n"),
        "weft.yml: line 3: fabric.nats.servers: expected a list; write it as '[a, b]', a single value as '[a]'"
    );
    assert_eq!(
        told("logLevel: info\nwebrtcAdditionalHosts: 192.0.2.1\n"),
        "weft.yml: line 2: webrtcAdditionalHosts: expected a list; write it as '[a, b]', a single value as '[a]'"
    );
}

#[test]
fn a_nats_server_without_a_usable_port_is_refused() {
    for good in [
        "nats://a:42222",
        "nats://a",
        "nats://[::1]:4222",
        "nats://[::1]",
        "tls://a:1",
    ] {
        let text = format!("fabric:\n  nats:\n    servers: [\"{good}\"]\n");
        assert!(Config::parse(&text, "weft.yml").is_ok(), "{good}");
    }
    for bad in [
        "nats://a:422222",
        "nats://a:",
        "nats://a:0",
        "nats://:4222",
        "nats://a:x",
    ] {
        let text = told(&format!("fabric:\n  nats:\n    servers: [\"{bad}\"]\n"));
        assert!(text.contains(&format!("'{bad}' is no server")), "{text}");
    }
}

#[test]
fn what_is_no_yaml_is_told_with_its_line() {
    let text = told("logLevel: info\n  rtspAddress: :1\n: [\n");
    assert!(text.starts_with("weft.yml: line "), "{text}");
    let twice = told("api: yes\napi: no\n");
    assert!(twice.contains("line 2") && twice.contains("api"), "{twice}");
}

#[test]
fn everything_that_cannot_be_used_is_told_at_once() {
    let text = told(
        "rtspAddress: :8889\nrtcpAddress: :8000\nreadTimeout: 0s\nwebrtcAdditionalHosts: ['http://x']\nfabric:\n  \
         nodeName: a b\n  keyframeInterval: 10ms\n  webrtcShards: 0\n  limits: {readers: 0}\n  nats:\n    \
         servers: ['localhost']\n    token: hidden\n    password: hidden\n",
    );
    for part in [
        "rtspAddress: TCP port 8889 is taken by webrtcAddress; give one of them another",
        "rtcpAddress: UDP port 8000 is taken by rtpAddress",
        "readTimeout: 0 would end every connection",
        "webrtcAdditionalHosts: 'http://x' is neither",
        "fabric.nodeName: name 'a b' contains ' '",
        "fabric.keyframeInterval: too short",
        "fabric.webrtcShards: 0 shards",
        "fabric.limits.readers: 0 would refuse everybody",
        "fabric.nats.servers: 'localhost' is no server; write it as 'nats://host:4222'",
        "fabric.nats: more than one of",
        "fabric.nats.user: a password is given but no user",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn addresses_that_are_switched_off_do_not_clash() {
    Config::parse(
        "api: no\nmetrics: off\napiAddress: :8889\nmetricsAddress: :8889\n",
        "x",
    )
    .unwrap();
}

#[test]
fn secrets_are_never_shown() {
    let text = "fabric: {nats: {user: u, password: hidden}}\n";
    let config = Config::parse(text, "x").unwrap();
    assert_eq!(config.fabric.nats.password.expose(), "hidden");
    assert!(!yaml(text).contains("hidden"));
    assert!(!format!("{config:?}").contains("hidden"));
    assert!(yaml(text).contains("<redacted>"));
    let login = "fabric: {nats: {servers: ['nats://u:hidden@a:4222']}}\n";
    let url = Config::parse(login, "x").unwrap();
    assert_eq!(url.fabric.nats.servers, ["nats://a:4222"]);
    assert_eq!(
        (&*url.fabric.nats.user, url.fabric.nats.password.expose()),
        ("u", "hidden")
    );
    assert!(!format!("{url:?}{}", yaml(login)).contains("hidden"));
}

#[test]
fn an_empty_file_and_one_of_comments_mean_the_defaults() {
    assert_eq!(Config::parse("", "x").unwrap(), Config::default());
    assert_eq!(Config::parse("# nothing\n\n", "x").unwrap(), Config::default());
}

#[test]
fn a_login_in_a_server_url_is_read_as_nats_clients_read_it_and_never_repeated() {
    let parse = |server: &str| {
        let text = format!("fabric:\n  nats:\n    servers: [\"{server}\"]\n");
        Config::parse(&text, "weft.yml")
    };
    let nats = parse("nats://u%3A1:p%40ss%zz@a:4222").unwrap().fabric.nats;
    assert_eq!((nats.user.as_str(), nats.password.expose()), ("u:1", "p@ss%zz"));
    assert_eq!(nats.servers, ["nats://a:4222"]);
    let nats = parse("nats://t%2Fken@a:4222").unwrap().fabric.nats;
    assert_eq!((nats.user.as_str(), nats.token.expose()), ("", "t/ken"));
    let text = parse("u:hunter2@a:4222").unwrap_err().to_string();
    assert!(
        text.contains("'...@a:4222' is no server") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn an_address_that_the_role_does_not_use_clashes_with_nothing() {
    let text = "rtspAddress: :8889\nrtpAddress: :8189\n";
    Config::parse_for(text, "x", Faces::Publishers).unwrap();
    // Who watches in a browser comes by the port of WebRTC too.
    for faces in [Faces::Readers, Faces::Both] {
        let told = Config::parse_for(text, "x", faces).unwrap_err().to_string();
        assert!(
            told.contains("TCP port 8889") && told.contains("UDP port 8189"),
            "{told}"
        );
    }
    let api = "apiAddress: :8889\nrtspAddress: :8889\n";
    let ingest = Config::parse_for(api, "x", Faces::Publishers)
        .unwrap_err()
        .to_string();
    assert!(
        ingest.contains("apiAddress: TCP port 8889 is taken by webrtcAddress"),
        "{ingest}"
    );
}

#[test]
fn what_other_nodes_are_told_is_checked() {
    let good = "fabric:\n  advertisedHost: media.example\n  nats: {monitor: ['http://a:8222', 'https://b/']}\n  \
                limits: {bitsPerSecond: 100000000}\n";
    let config = Config::parse(good, "x").unwrap();
    assert_eq!(config.fabric.advertised_host.as_deref(), Some("media.example"));
    assert_eq!(config.fabric.limits.bits_per_second, 100_000_000);
    let text = told(
        "fabric:\n  advertisedHost: 'media.example:80'\n  describeTimeout: 2m\n  limits: {bitsPerSecond: 100}\n  \
         nats: {monitor: ['u:hidden@a:8222', 'nats://a:4222']}\n",
    );
    for part in [
        "fabric.advertisedHost: 'media.example:80' is neither",
        "fabric.describeTimeout: too long",
        "fabric.limits.bitsPerSecond: less than one stream",
        "fabric.nats.monitor: '...@a:8222' is no monitoring port; write it as 'http://host:8222'",
        "fabric.nats.monitor: 'nats://a:4222' is no monitoring port",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains("hidden"), "{text}");
}
