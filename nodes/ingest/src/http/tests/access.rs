//! Who is let in by the HTTP face, how the others are told, and what of a request's secrets goes on.
//! What is right and wrong is judged in `weft-auth`; here stands one user who may publish one name.

use super::{Answer, Fabric, OFFER, SDP, UUID, call, node, published};
use crate::IngestConfig;
use crate::testing::lock;
use weft_auth::Gate;
use weft_bus::NodeRequest;
use weft_config::{Action, Config, Live, Password, PathConf, PathMatch, Paths, Permission, Secret, User};

/// `cam:one` and `cam:two` in Base64.
const RIGHT: (&str, &str) = ("Authorization", "Basic Y2FtOm9uZQ==");
const WRONG: (&str, &str) = ("Authorization", "Basic Y2FtOnR3bw==");

fn config(change: impl FnOnce(&mut Config)) -> IngestConfig {
    let plain = |text: &str| Password::Plain(Secret::new(text));
    let mut config = Config::default();
    config.auth.users = vec![User {
        name: Some(plain("cam")),
        password: plain("one"),
        ips: vec![],
        permissions: vec![Permission {
            action: Action::Publish,
            path: PathMatch::Exact("cam/1".to_owned()),
        }],
    }];
    config.paths = Paths::new(vec![PathConf::named("cam/1"), PathConf::named("shut")]);
    change(&mut config);
    let live = Live::fixed(config);
    IngestConfig {
        gate: Gate::new(live.clone()),
        settings: live,
        ..IngestConfig::default()
    }
}

fn told(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("WWW-Authenticate"))
}

#[actix::test]
async fn offer_options_and_page_are_for_whoever_may_publish_and_tell_the_others_nothing() {
    let ingest = node(config(|_| {}));
    let challenge = Some("Basic realm=\"mediamtx\"");
    for (method, url, body, status) in [
        ("POST", "/cam/1/whip", OFFER, 201),
        ("OPTIONS", "/cam/1/whip", "", 204),
        ("GET", "/cam/1/publish", "", 200),
    ] {
        let none = call(&ingest, method, url, &[SDP], body).await;
        assert_eq!(told(&none), (401, challenge), "{method}");
        assert_eq!(none.error(), "authentication error");
        // A page of another site can read it.
        assert_eq!(none.header("Access-Control-Allow-Origin"), Some("*"));
        let right = call(&ingest, method, url, &[SDP, RIGHT], body).await;
        assert_eq!(right.status, status, "{method}: {}", right.body);
    }
    tokio::time::pause();
    // Its name is another's, or no path means it: the same words, after the same pause.
    for url in ["/cam/2/whip", "/shut/whip", "/nothing/whip"] {
        let other = call(&ingest, "POST", url, &[SDP, RIGHT], OFFER).await;
        assert_eq!(
            (told(&other), other.error().as_str()),
            ((401, None), "authentication error")
        );
        let none = call(&ingest, "POST", url, &[SDP], "no offer at all").await;
        assert_eq!(told(&none), (401, challenge));
    }
    let wrong = call(&ingest, "POST", "/cam/1/whip", &[SDP, WRONG], "no offer at all").await;
    assert_eq!(told(&wrong), (401, None));
    let preflight = [("Access-Control-Request-Method", "POST")];
    assert_eq!(
        call(&ingest, "OPTIONS", "/cam/1/whip", &preflight, "")
            .await
            .status,
        204
    );
}

#[actix::test]
async fn whoever_fails_too_often_is_told_when_to_come_again() {
    tokio::time::pause();
    let ingest = node(config(|config| config.fabric.limits.failed_logins = 2));
    for _ in 0..2 {
        assert_eq!(
            call(&ingest, "POST", "/cam/1/whip", &[SDP, WRONG], OFFER)
                .await
                .status,
            401
        );
    }
    let answer = call(&ingest, "POST", "/cam/1/whip", &[SDP, RIGHT], OFFER).await;
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((53..=60).contains(&seconds), "{seconds}");
    assert_eq!(
        answer.header("Access-Control-Expose-Headers"),
        Some("Retry-After")
    );
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    assert_eq!(
        call(&ingest, "POST", "/cam/1/whip", &[SDP, RIGHT], OFFER)
            .await
            .status,
        201
    );
}

#[actix::test]
async fn a_client_behind_a_trusted_proxy_is_itself_and_can_be_nobody_else() {
    let publish_ips = |config: &mut Config, trusted: &str| {
        config.auth = weft_config::Auth::default();
        config.trusted_proxies.webrtc = vec![trusted.parse().unwrap()];
        config.paths = Paths::new(vec![PathConf {
            publish_ips: vec!["198.51.100.0/24".parse().unwrap()],
            ..PathConf::named("all_others")
        }]);
    };
    for (trusted, forwarded, status) in [
        // The tests' client is 192.0.2.7.
        ("192.0.2.7", vec!["198.51.100.1"], 201),
        ("192.0.2.7", vec!["203.0.113.1"], 401),
        ("192.0.2.7", vec!["198.51.100.1, 203.0.113.1"], 401),
        ("192.0.2.8", vec!["198.51.100.1"], 401),
    ] {
        let ingest = node(config(|config| publish_ips(config, trusted)));
        let mut headers = vec![SDP];
        headers.extend(forwarded.iter().map(|value| ("X-Forwarded-For", *value)));
        let answer = call(&ingest, "POST", "/a/whip", &headers, OFFER).await;
        assert_eq!(answer.status, status, "{trusted} says {forwarded:?}");
    }
}

#[actix::test]
async fn what_is_shown_stays_with_the_client_and_its_location_still_works() {
    let fabric = Fabric::new();
    let by_query = "user=cam&pass=one&token=t0ken&room=7";
    let full = fabric.node("full", 10, config(|_| {})).await;
    let other = fabric.node("other", 0, IngestConfig::default()).await;
    let answer = call(
        &full.ingest,
        "POST",
        &format!("/cam/1/whip?{by_query}"),
        &[SDP],
        OFFER,
    )
    .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let offers: Vec<_> = lock(&other.asked)
        .iter()
        .filter_map(|asked| match asked {
            NodeRequest::Offer(offer) => Some(offer.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(offers.len(), 1);
    assert_eq!(offers[0].principal, "cam");
    let words = format!("{:?}", offers[0]);
    assert!(!words.contains("t0ken") && !words.contains("one&"), "{words}");
    let url = answer.header("Location").unwrap();
    assert!(url.ends_with(by_query), "{url}");
    // The secret in it is the right: nothing else is asked for.
    let bare = url.split('?').next().unwrap();
    assert_eq!(call(&full.ingest, "DELETE", bare, &[], "").await.status, 200);

    let here = node(config(|_| {}));
    let answer = call(&here, "POST", &format!("/cam/1/whip?{by_query}"), &[SDP], OFFER).await;
    assert_eq!(answer.status, 201);
    let views = here.sessions().await;
    assert_eq!(views[0].query, "room=7");
}

#[actix::test]
async fn requests_about_sessions_of_other_nodes_are_bounded_for_each_address() {
    tokio::time::pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = published(&a.ingest).await;
    let guess = format!("/cam/1/whip/a.{UUID}");
    let mut refused = 0;
    for _ in 0..150 {
        let answer = call(&b.ingest, "DELETE", &guess, &[], "").await;
        match answer.status {
            404 => {}
            429 => {
                assert_eq!(answer.header("Retry-After"), Some("1"));
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!((40..=50).contains(&refused), "{refused}");
    assert_eq!(a.asked.lock().unwrap().len(), 150 - refused);
    // Its own are not passed on.
    assert_eq!(call(&a.ingest, "GET", &url, &[], "").await.status, 404);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(call(&b.ingest, "DELETE", &url, &[], "").await.status, 200);
}
