//! The callback against a real server: what it is asked, what its answers mean, and what one that hangs costs.
//! Times are real here: sockets do not wait for a paused clock.

use crate::testing::HttpServer;
use crate::{Action, Credentials, Denied, Gate, Protocol, Request};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use weft_config::{AuthMethod, Config, Live, PathMatch, Permission};
use weft_wire::SessionId;

fn config(address: &str) -> Config {
    let mut config = Config::default();
    config.auth.method = AuthMethod::Http;
    config.auth.http.address = address.to_owned();
    config.auth.http.exclude = vec![Permission {
        action: Action::Read,
        path: PathMatch::Exact("lobby".to_owned()),
    }];
    config
}

fn request(path: &str, authorization: Option<&str>) -> Request {
    Request {
        action: Action::Read,
        path: path.to_owned(),
        protocol: Protocol::Rtsp,
        session: Some(SessionId([7; 16])),
        ip: "::ffff:192.0.2.1".parse().unwrap(),
        query: "token=t&a=b".to_owned(),
        user_agent: "tester".to_owned(),
        credentials: Credentials::from_http(authorization, "token=t&a=b"),
    }
}

fn counted(gate: &Gate, wanted: &str) -> u64 {
    let mut found = None;
    gate.counters(&mut |name, _, value| {
        if name == wanted {
            found = Some(value);
        }
    });
    found.unwrap()
}

#[tokio::test]
async fn the_server_is_asked_as_mediamtx_asks_and_its_status_is_the_answer() {
    let status = Arc::new(AtomicU16::new(204));
    let says = Arc::clone(&status);
    let server = HttpServer::start(move |_| (says.load(Relaxed), "no".to_owned(), Duration::ZERO)).await;
    let gate = Gate::new(Live::fixed(config(&server.url())));
    let grant = gate
        .check(request("cam", Some("Bearer head:secret")))
        .await
        .unwrap();
    assert_eq!(grant.principal, "head");
    let asked: serde_json::Value = serde_json::from_str(&server.asked.lock().unwrap()[0]).unwrap();
    let expected = serde_json::json!({
        "user": "head", "password": "secret", "token": "t", "ip": "192.0.2.1", "action": "read", "path": "cam",
        "protocol": "rtsp", "id": "07070707-0707-0707-0707-070707070707", "query": "token=t&a=b", "userAgent": "tester",
    });
    assert_eq!(asked, expected);

    assert!(gate.check(request("lobby", None)).await.is_ok());
    assert_eq!(server.times(), 1);

    let nothing = |path: &str| Request {
        credentials: Credentials::default(),
        session: None,
        ..request(path, None)
    };
    for (answer, unavailable) in [(401, false), (404, false), (302, true), (500, true), (429, true)] {
        status.store(answer, Relaxed);
        let denied = gate.check(nothing(&format!("path{answer}"))).await.unwrap_err();
        assert_eq!(
            matches!(denied, Denied::Unavailable(_)),
            unavailable,
            "{answer}: {denied}"
        );
        assert_eq!(
            matches!(denied, Denied::NoCredentials),
            !unavailable,
            "{answer}: {denied}"
        );
    }
    status.store(403, Relaxed);
    assert_eq!(gate.check(request("other", None)).await, Err(Denied::Wrong));
    let asked: serde_json::Value = serde_json::from_str(&server.asked.lock().unwrap()[1]).unwrap();
    assert_eq!(asked["id"], serde_json::Value::Null);
}

#[tokio::test]
async fn equal_questions_are_one_and_an_allowed_one_is_known_for_a_moment() {
    let server = HttpServer::start(|_| (200, String::new(), Duration::from_millis(100))).await;
    let gate = Gate::new(Live::fixed(config(&server.url())));
    let all = futures::future::join_all((0..50).map(|_| gate.check(request("cam", None)))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(gate.check(request("cam", None)).await.is_ok());
    assert_eq!(server.times(), 1);
    assert_eq!(counted(&gate, "weft_auth_callback_spared_total"), 50);
    assert!(gate.check(request("cam2", None)).await.is_ok());
    let other = Request {
        ip: "192.0.2.2".parse().unwrap(),
        ..request("cam", None)
    };
    assert!(gate.check(other).await.is_ok());
    assert_eq!(server.times(), 3);
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let first = Arc::new(Mutex::new(true));
    let server = HttpServer::start(move |_| {
        let status = if std::mem::take(&mut *first.lock().unwrap()) {
            401
        } else {
            200
        };
        (status, String::new(), Duration::ZERO)
    })
    .await;
    let gate = Gate::new(Live::fixed(config(&server.url())));
    let ask = || Request {
        credentials: Credentials::default(),
        ..request("cam", None)
    };
    assert_eq!(gate.check(ask()).await, Err(Denied::NoCredentials));
    assert!(gate.check(ask()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_hangs_costs_only_those_who_wait_for_it() {
    let server = HttpServer::start(|body| {
        let slow = body.contains("\"slow");
        (200, String::new(), Duration::from_secs(if slow { 60 } else { 0 }))
    })
    .await;
    let gate = Gate::new(Live::fixed(config(&server.url())));
    let began = Instant::now();
    let slow = futures::future::join_all((0..70).map(|n| {
        let gate = gate.clone();
        async move { gate.check(request(&format!("slow{n}"), None)).await }
    }));
    let quick = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let asked = Instant::now();
        let other = Request {
            ip: "192.0.2.2".parse().unwrap(),
            ..request("cam", None)
        };
        assert!(gate.check(other).await.is_ok());
        asked.elapsed()
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert!(quick < Duration::from_secs(1), "{quick:?}");
    assert!(slow.iter().all(|s| matches!(s, Err(Denied::Unavailable(_)))));
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(8),
        "{took:?}"
    );
    // Of 70 of one address, 64 may wait; nothing is a failed login.
    assert_eq!(server.times(), 65);
    assert_eq!(counted(&gate, "weft_auth_denied_wrong_total"), 0);
    assert_eq!(counted(&gate, "weft_auth_callback_failures_total"), 70);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let gate = Gate::new(Live::fixed(config("http://127.0.0.1:1/")));
    let began = Instant::now();
    assert!(matches!(
        gate.check(request("cam", None)).await,
        Err(Denied::Unavailable(_))
    ));
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn one_ipv6_network_has_the_places_of_one_address() {
    let waiting = Arc::default();
    let take = |ip: String| super::Place::take(&waiting, ip.parse().unwrap());
    let places: Vec<_> = (0..super::OPEN_OF_ONE)
        .filter_map(|host| take(format!("2001:db8:0:1::{host:x}")))
        .collect();
    assert_eq!(places.len(), super::OPEN_OF_ONE);
    assert!(take("2001:db8:0:1::ffff".to_owned()).is_none());
    assert!(take("2001:db8:0:2::1".to_owned()).is_some());
    drop(places);
    assert!(take("2001:db8:0:1::ffff".to_owned()).is_some());
}
