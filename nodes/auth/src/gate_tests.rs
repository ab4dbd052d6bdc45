//! Judgements by the users of the file, by address lists, and what repeated failures lead to.
//! The callback's and the tokens' tests are beside those.

use super::*;
use crate::{Credentials, DigestAnswer, Protocol};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;
use weft_config::{Password, PathConf, PathMatch, Paths, Pattern, Permission, Secret, User};

fn user(name: &str, password: Password, ips: &[&str], permissions: &[(Action, &str)]) -> User {
    let path = |text: &str| match text {
        "" => PathMatch::Any,
        text => match text.strip_prefix('~') {
            Some(pattern) => PathMatch::Pattern(Pattern::new(pattern).unwrap()),
            None => PathMatch::Exact(text.to_owned()),
        },
    };
    User {
        name: (name != "any").then(|| Password::Plain(Secret::new(name))),
        password,
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        permissions: permissions
            .iter()
            .map(|(action, text)| Permission {
                action: *action,
                path: path(text),
            })
            .collect(),
    }
}

fn plain(text: &str) -> Password {
    Password::Plain(Secret::new(text))
}

fn config(users: Vec<User>) -> Config {
    let mut config = Config::default();
    config.auth.users = users;
    config
}

fn asks(action: Action, path: &str, ip: &str, authorization: &str) -> Request {
    Request {
        action,
        path: path.to_owned(),
        protocol: Protocol::WebRtc,
        session: None,
        ip: ip.parse().unwrap(),
        query: String::new(),
        user_agent: String::new(),
        credentials: Credentials::from_http(Some(authorization), ""),
    }
}

/// The principal, or the kind of refusal.
async fn judged(gate: &Gate, request: Request) -> String {
    match gate.check(request).await {
        Ok(grant) => format!("as {:?}", grant.principal),
        Err(Denied::NoCredentials) => "none".to_owned(),
        Err(Denied::Wrong) => "wrong".to_owned(),
        Err(Denied::TooMany(wait)) => format!("{} s", wait.as_secs()),
        Err(Denied::Unavailable(_)) => "unavailable".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn users_may_what_their_permissions_say_from_where_they_may_come() {
    use Action::{Api, Metrics, Publish, Read};
    // "secret" hashed.
    let sha = Password::Sha256(Secret::new("K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols="));
    let mut config = config(vec![
        user("any", Password::None, &["127.0.0.1"], &[(Metrics, "")]),
        user("any", Password::None, &[], &[(Read, "lobby")]),
        user(
            "cam",
            plain("one"),
            &[],
            &[(Publish, "~^exam/"), (Read, "exam/1")],
        ),
        user("cam", plain("two"), &[], &[(Publish, "hall")]),
        user("head", sha, &["10.0.0.0/8"], &[(Api, "ignored"), (Read, "")]),
        user("quiet", Password::None, &[], &[(Read, "library")]),
    ]);
    config.fabric.limits.failed_logins = 0;
    let gate = Gate::new(Live::fixed(config));
    for (action, path, ip, authorization, expected) in [
        (Metrics, "", "127.0.0.1", "", "as \"\""),
        (Metrics, "", "::ffff:127.0.0.1", "", "as \"\""),
        (Metrics, "", "127.0.0.2", "", "none"),
        (Read, "lobby", "192.0.2.1", "", "as \"\""),
        (Read, "lobby", "192.0.2.1", "Bearer who:ever", "as \"\""),
        (Publish, "lobby", "192.0.2.1", "", "none"),
        (Publish, "exam/1", "192.0.2.1", "Bearer cam:one", "as \"cam\""),
        (Publish, "exams/1", "192.0.2.1", "Bearer cam:one", "wrong"),
        (Publish, "hall", "192.0.2.1", "Bearer cam:one", "wrong"),
        (Publish, "hall", "192.0.2.1", "Bearer cam:two", "as \"cam\""),
        (Read, "exam/1", "192.0.2.1", "Bearer cam:one", "as \"cam\""),
        (Read, "exam/2", "192.0.2.1", "Bearer cam:one", "wrong"),
        (Publish, "exam/1", "192.0.2.1", "Bearer cam:", "wrong"),
        (Publish, "exam/1", "192.0.2.1", "Bearer any:", "wrong"),
        (Publish, "exam/1", "192.0.2.1", "Bearer atoken", "wrong"),
        (Publish, "exam/1", "192.0.2.1", "", "none"),
        (Api, "", "10.1.2.3", "Bearer head:secret", "as \"head\""),
        (Api, "", "11.1.2.3", "Bearer head:secret", "wrong"),
        (Api, "", "10.1.2.3", "Bearer head:Secret", "wrong"),
        (Read, "anything", "10.1.2.3", "Bearer head:secret", "as \"head\""),
        (Read, "library", "10.1.2.3", "Bearer quiet:x", "as \"quiet\""),
        (Read, "library", "10.1.2.3", "", "none"),
    ] {
        let what = format!("{action:?} {path} from {ip} by {authorization:?}");
        assert_eq!(
            judged(&gate, asks(action, path, ip, authorization)).await,
            expected,
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_digest_is_right_for_plain_users_only() {
    let mut config = config(vec![
        user("cam", plain("one"), &[], &[(Action::Read, "")]),
        user("head", Password::None, &[], &[(Action::Read, "")]),
    ]);
    config.fabric.limits.failed_logins = 0;
    let gate = Gate::new(Live::fixed(config));
    let md5 = |text: String| {
        use md5::{Digest as _, Md5};
        Md5::digest(text)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    for (name, password, expected) in [
        ("cam", "one", "as \"cam\""),
        ("cam", "two", "wrong"),
        ("head", "", "wrong"),
    ] {
        let (secret, what) = (
            md5(format!("{name}:ipcam:{password}")),
            md5("DESCRIBE:rtsp://h/cam".to_owned()),
        );
        let request = Request {
            protocol: Protocol::Rtsp,
            credentials: Credentials {
                digest: Some(DigestAnswer {
                    username: name.to_owned(),
                    realm: "ipcam".to_owned(),
                    nonce: "n".to_owned(),
                    uri: "rtsp://h/cam".to_owned(),
                    response: md5(format!("{secret}:n:{what}")),
                    method: "DESCRIBE".to_owned(),
                }),
                ..Credentials::default()
            },
            ..asks(Action::Read, "cam", "192.0.2.1", "")
        };
        assert_eq!(judged(&gate, request).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_is_for_its_addresses_whoever_comes() {
    let mut config = Config::default();
    let ips = |ip: &str| vec![ip.parse().unwrap()];
    config.paths = Paths::new(vec![
        PathConf {
            publish_ips: ips("10.0.0.0/8"),
            read_ips: ips("127.0.0.1"),
            ..PathConf::named("cam")
        },
        PathConf::named("all_others"),
    ]);
    let gate = Gate::new(Live::fixed(config));
    for (action, path, ip, expected) in [
        (Action::Publish, "cam", "10.0.0.1", "as \"\""),
        (Action::Publish, "cam", "127.0.0.1", "wrong"),
        (Action::Read, "cam", "127.0.0.1", "as \"\""),
        (Action::Read, "cam", "10.0.0.1", "wrong"),
        (Action::Read, "hall", "10.0.0.1", "as \"\""),
        (Action::Publish, "no name!", "10.0.0.1", "as \"\""),
    ] {
        assert_eq!(
            judged(&gate, asks(action, path, ip, "")).await,
            expected,
            "{action:?} {path} {ip}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_answered_after_a_pause_and_a_right_one_at_once_meanwhile() {
    let gate = Gate::new(Live::fixed(config(vec![user(
        "cam",
        plain("one"),
        &[],
        &[(Action::Read, "")],
    )])));
    let began = Instant::now();
    let wrong = async {
        assert_eq!(
            judged(&gate, asks(Action::Read, "a", "192.0.2.1", "Bearer cam:two")).await,
            "wrong"
        );
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    };
    let right = async {
        assert_eq!(
            judged(&gate, asks(Action::Read, "a", "192.0.2.1", "Bearer cam:one")).await,
            "as \"cam\""
        );
        assert_eq!(
            judged(&gate, asks(Action::Read, "a", "192.0.2.1", "")).await,
            "none"
        );
        assert_eq!(began.elapsed(), Duration::ZERO);
    };
    tokio::join!(wrong, right);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_fails_too_often_waits_for_the_rest_of_its_minute() {
    let mut config = config(vec![user("cam", plain("one"), &[], &[(Action::Read, "")])]);
    config.fabric.limits.failed_logins = 10;
    let gate = Gate::new(Live::fixed(config));
    let ask = |ip: &'static str, login: &'static str| judged(&gate, asks(Action::Read, "a", ip, login));
    let wrong = futures::future::join_all((0..10).map(|_| ask("192.0.2.1", "Bearer cam:two"))).await;
    assert!(wrong.iter().all(|w| w == "wrong"), "{wrong:?}");
    let told = ask("192.0.2.1", "Bearer cam:one").await;
    let seconds: u64 = told.strip_suffix(" s").unwrap().parse().unwrap();
    assert!((56..60).contains(&seconds), "{told}");
    assert_eq!(ask("192.0.2.1", "").await, "none");
    assert_eq!(ask("192.0.2.2", "Bearer cam:one").await, "as \"cam\"");
    tokio::time::advance(Duration::from_secs(seconds + 1)).await;
    assert_eq!(ask("192.0.2.1", "Bearer cam:one").await, "as \"cam\"");
    let mut counted = Vec::new();
    gate.counters(&mut |name, _, value| counted.push((name, value)));
    assert!(
        counted.contains(&("weft_auth_denied_wrong_total", 10)),
        "{counted:?}"
    );
    assert!(
        counted.contains(&("weft_auth_denied_too_many_total", 1)),
        "{counted:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peek_that_is_refused_is_no_failed_login_and_comes_without_a_pause() {
    let mut config = config(vec![user("cam", plain("one"), &[], &[(Action::Read, "mine")])]);
    config.fabric.limits.failed_logins = 2;
    let gate = Gate::new(Live::fixed(config));
    let began = Instant::now();
    for _ in 0..5 {
        let other = asks(Action::Read, "other", "192.0.2.1", "Bearer cam:one");
        assert_eq!(gate.peek(&other).await, Err(Denied::Wrong));
    }
    let mine = asks(Action::Read, "mine", "192.0.2.1", "Bearer cam:one");
    assert_eq!(gate.peek(&mine).await.unwrap().principal, "cam");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn readers_behind_an_rtsp_proxy_do_not_wait_for_one_of_them_that_fails() {
    let mut config = config(vec![user("cam", plain("one"), &[], &[(Action::Read, "")])]);
    config.fabric.limits.failed_logins = 2;
    config.trusted_proxies.rtsp = vec!["192.0.2.1".parse().unwrap()];
    let gate = Gate::new(Live::fixed(config));
    for (protocol, ip, then) in [
        (Protocol::Rtsp, "192.0.2.1", "as \"cam\""),
        (Protocol::Rtsp, "192.0.2.2", "limited"),
        // What is asked over HTTP says for whom.
        (Protocol::WebRtc, "192.0.2.1", "limited"),
    ] {
        let ask = |login: &'static str| {
            let request = asks(Action::Read, "a", ip, login);
            judged(&gate, Request { protocol, ..request })
        };
        for _ in 0..2 {
            assert_eq!(ask("Bearer cam:two").await, "wrong");
        }
        let told = ask("Bearer cam:one").await;
        let told = if told.ends_with(" s") { "limited" } else { &told };
        assert_eq!(told, then, "{protocol:?} {ip}");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_configuration_hold_from_the_next_request_on() {
    let sender = tokio::sync::watch::Sender::new(Arc::new(Config::default()));
    let gate = Gate::new(Live::new(sender.subscribe()));
    let ask = || asks(Action::Publish, "a", "192.0.2.1", "");
    assert_eq!(judged(&gate, ask()).await, "as \"\"");
    sender.send_replace(Arc::new(config(vec![])));
    assert_eq!(judged(&gate, ask()).await, "none");
    assert_eq!(judged(&Gate::open(), ask()).await, "as \"\"");
}

#[test]
fn addresses_of_paths_do_not_matter_to_the_api() {
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    assert!(allows_address(&Config::default(), Action::Api, "", ip));
}
