//! Who may read, as bytes on a connection: challenges, right and wrong answers to them, and what is remembered.
//! Real readers do the same in `tests/operators`.

use crate::client::{Answer, Client};
use crate::mock::{self, Running};
use md5::{Digest as _, Md5};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use weft_auth::Gate;
use weft_config::{Action, AuthMethod, Config, Live, Password, PathConf, PathMatch, Paths, Permission};
use weft_config::{RtspAuthMethod, Secret, User};
use weft_rtsp_server::ServerConfig;

const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
/// `cam:one` and `cam:two` in Base64.
const RIGHT: &str = "Authorization: Basic Y2FtOm9uZQ==\r\n";
const WRONG: &str = "Authorization: Basic Y2FtOnR3bw==\r\n";

fn start(change: impl FnOnce(&mut Config)) -> Running {
    start_live(change).0
}

/// The server, and the means to change its configuration.
fn start_live(change: impl FnOnce(&mut Config)) -> (Running, watch::Sender<Arc<Config>>) {
    let plain = |text: &str| Password::Plain(Secret::new(text));
    let mut config = Config::default();
    config.auth.users = vec![User {
        name: Some(plain("cam")),
        password: plain("one"),
        ips: vec![],
        permissions: ["demo", "other"]
            .map(|path| Permission {
                action: Action::Read,
                path: PathMatch::Exact(path.to_owned()),
            })
            .to_vec(),
    }];
    change(&mut config);
    let settings = watch::Sender::new(Arc::new(config));
    let live = Live::new(settings.subscribe());
    let server = mock::start_with(ServerConfig {
        gate: Gate::new(live.clone()),
        settings: live,
        ..mock::config()
    });
    (server, settings)
}

fn md5(text: &str) -> String {
    Md5::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The value of a challenge's parameter.
fn nonce(challenge: &str) -> &str {
    let rest = challenge.split("nonce=\"").nth(1).unwrap();
    rest.split('"').next().unwrap()
}

fn digest(nonce: &str, password: &str, method: &str, url: &str) -> String {
    let (secret, request) = (
        md5(&format!("cam:ipcam:{password}")),
        md5(&format!("{method}:{url}")),
    );
    let response = md5(&format!("{secret}:{nonce}:{request}"));
    format!(
        "Authorization: Digest username=\"cam\", realm=\"ipcam\", nonce=\"{nonce}\", uri=\"{url}\", response=\"{response}\"\r\n"
    )
}

async fn describe(client: &mut Client, path: &str, headers: &str) -> Answer {
    let url = client.url(path);
    client.ask("DESCRIBE", &url, headers).await
}

#[tokio::test]
async fn whoever_shows_nothing_is_asked_and_learns_nothing_about_names() {
    let server = start(|_| {});
    let mut client = Client::connect(&server).await;
    for path in ["demo", "nothing", "moved", "full"] {
        let answer = describe(&mut client, path, "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"ipcam\"");
        let url = client.url(&format!("{path}/trackID=0"));
        assert_eq!(client.ask("SETUP", &url, TCP).await.status, 401, "{path}");
    }
    assert!(server.requests.lock().unwrap().is_empty());
    // The connection is kept, and what is asked before a login needs none.
    assert_eq!(client.ask("OPTIONS", "*", "").await.status, 200);
    assert_eq!(describe(&mut client, "demo", RIGHT).await.status, 200);
}

#[tokio::test]
async fn a_wrong_login_is_told_after_a_pause_and_the_connection_closed() {
    let server = start(|_| {});
    for (path, headers) in [("demo", WRONG), ("nothing", RIGHT), ("video", RIGHT)] {
        let mut client = Client::connect(&server).await;
        let began = Instant::now();
        let answer = describe(&mut client, path, headers).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, ""));
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(client.until_closed().await, None);
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_is_let_in_is_not_asked_again_for_that_path_and_is_known_by_name() {
    let server = start(|_| {});
    let mut client = Client::connect(&server).await;
    assert_eq!(
        describe(&mut client, "demo?token=secret&a=b", RIGHT).await.status,
        200
    );
    let url = client.url("demo/trackID=0");
    client.set_up(&url, TCP).await;
    let url = client.url("demo");
    assert_eq!(client.ask("PLAY", &url, "").await.status, 200);
    let views = server.handle.sessions();
    assert_eq!(
        (views[0].principal.as_str(), views[0].query.as_str()),
        ("cam", "a=b")
    );
    let joined = server.demo.joined.lock().unwrap()[0].clone();
    assert_eq!((joined.principal.as_str(), joined.query.as_str()), ("cam", "a=b"));
    assert_eq!(server.requests.lock().unwrap()[0].principal, "cam");
    assert_eq!(describe(&mut client, "other", "").await.status, 401);
    assert_eq!(describe(&mut client, "demo", "").await.status, 200);
}

#[tokio::test]
async fn a_digest_opens_once_it_is_of_this_connection() {
    let server = start(|config| config.auth.rtsp_methods = vec![RtspAuthMethod::Digest]);
    let mut first = Client::connect(&server).await;
    let asked = describe(&mut first, "demo", "").await;
    let challenge = asked.header("www-authenticate").to_owned();
    assert!(
        challenge.starts_with("Digest realm=\"ipcam\", nonce=\""),
        "{challenge}"
    );
    assert!(
        !challenge.contains("qop") && !challenge.contains("stale"),
        "{challenge}"
    );
    let url = first.url("demo");
    let right = digest(nonce(&challenge), "one", "DESCRIBE", &url);
    assert_eq!(describe(&mut first, "demo", &right).await.status, 200);

    // Seen by somebody, and shown on a connection of theirs: a new challenge, no failed login.
    let mut second = Client::connect(&server).await;
    let answer = describe(&mut second, "demo", &right).await;
    let again = answer.header("www-authenticate").to_owned();
    assert!(answer.status == 401 && again.ends_with("stale=true"), "{again}");
    assert_ne!(nonce(&again), nonce(&challenge));
    // A password where everybody can read it counts for nothing.
    assert_eq!(describe(&mut second, "demo", RIGHT).await.status, 401);
    let wrong = digest(nonce(&again), "two", "DESCRIBE", &url);
    assert_eq!(describe(&mut second, "demo", &wrong).await.status, 401);
    assert_eq!(second.until_closed().await, None);
}

#[tokio::test]
async fn only_ways_that_can_be_judged_are_offered() {
    for (method, methods, expected) in [
        (AuthMethod::Internal, vec![RtspAuthMethod::Basic], "Basic"),
        (AuthMethod::Internal, vec![RtspAuthMethod::Digest], "Digest"),
        (AuthMethod::Jwt, vec![RtspAuthMethod::Digest], "Basic"),
        (
            AuthMethod::Jwt,
            vec![RtspAuthMethod::Digest, RtspAuthMethod::Basic],
            "Basic",
        ),
    ] {
        let server = start(|config| {
            config.auth.method = method;
            config.auth.rtsp_methods = methods;
        });
        let mut client = Client::connect(&server).await;
        let answer = describe(&mut client, "demo", "").await;
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with(expected), "{challenge}");
    }
}

#[tokio::test]
async fn the_user_of_a_url_and_an_address_list_count_too() {
    let server = start(|config| {
        config.paths = Paths::new(vec![
            PathConf {
                read_ips: vec!["10.0.0.0/8".parse().unwrap()],
                ..PathConf::named("other")
            },
            PathConf::named("all_others"),
        ]);
    });
    let mut client = Client::connect(&server).await;
    let url = client.url("demo").replace("rtsp://", "rtsp://cam:one@");
    assert_eq!(client.ask("DESCRIBE", &url, "").await.status, 200);
    let url = client.url("demo?user=cam&pass=one");
    assert_eq!(client.ask("DESCRIBE", &url, "").await.status, 200);
    // Not from here, whatever is shown: told at once.
    let answer = describe(&mut client, "other", RIGHT).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, ""));
}

/// A client that has set up a track of `demo` and waits before PLAY.
async fn parked(server: &Running, query: &str, headers: &str) -> Client {
    let mut client = Client::connect(server).await;
    let answer = describe(&mut client, &format!("demo{query}"), headers).await;
    assert_eq!(answer.status, 200);
    let url = client.url("demo/trackID=0");
    client.set_up(&url, TCP).await;
    client
}

fn changed(settings: &watch::Sender<Arc<Config>>, change: impl FnOnce(&mut Config)) {
    let mut config = Config::clone(&settings.borrow());
    change(&mut config);
    settings.send_replace(Arc::new(config));
}

#[tokio::test]
async fn who_waits_before_play_while_its_user_goes_does_not_play() {
    let (server, settings) = start_live(|_| {});
    let mut set_up = parked(&server, "", RIGHT).await;
    let mut described = Client::connect(&server).await;
    assert_eq!(describe(&mut described, "demo", RIGHT).await.status, 200);
    changed(&settings, |config| {
        config.auth.users[0].password = Password::Plain(Secret::new("three"));
    });
    let url = set_up.url("demo");
    assert_eq!(set_up.ask("PLAY", &url, "").await.status, 401);
    let url = described.url("demo/trackID=0");
    assert_eq!(described.ask("SETUP", &url, TCP).await.status, 401);
    assert!(server.demo.joined.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_waits_before_play_while_its_path_goes_does_not_play() {
    let (server, settings) = start_live(|_| {});
    let mut client = parked(&server, "", RIGHT).await;
    changed(&settings, |config| {
        config.paths = Paths::new(vec![PathConf::named("other")]);
    });
    let url = client.url("demo");
    assert_eq!(client.ask("PLAY", &url, RIGHT).await.status, 404);
    assert!(server.demo.joined.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_change_that_leaves_a_user_as_it_is_makes_nobody_show_it_again() {
    let (server, settings) = start_live(|_| {});
    for (query, headers) in [("", RIGHT), ("?user=cam&pass=one", "")] {
        let mut client = parked(&server, query, headers).await;
        changed(&settings, |config| config.fabric.limits.readers += 1);
        let url = client.url("demo");
        assert_eq!(client.ask("PLAY", &url, "").await.status, 200, "{query}");
    }
    assert_eq!(server.demo.joined.lock().unwrap().len(), 2);
}
