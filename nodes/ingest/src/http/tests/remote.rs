//! A session's URL asked for at a node that does not have the session.
//! What is done there is the contract's subject; here it is that it arrives, and what comes when it does not.

use super::{FRAGMENT, Fabric, OFFER, SDP, UUID, call, ms, name, published};
use crate::testing::{lock, made};
use crate::{Error, IngestConfig};
use tokio::time::{Instant, pause, sleep};
use weft_bus::NodeRequest;
use weft_bus::faulty::{Faults, Faulty};
use weft_wire::{CloseReason, ResourceMethod, ResourceReply, ResourceRequest, SessionSecret};

const CANDIDATE: &str = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";

#[actix::test]
async fn a_session_is_steered_and_ended_through_any_node() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = published(&a.ingest).await;
    let (peer, _receiver) = made();
    assert!(url.starts_with("/cam/1/whip/a."));

    let answer = call(&b.ingest, "PATCH", &url, &[FRAGMENT], CANDIDATE).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("Content-Type"), None);
    let answer = call(&b.ingest, "PATCH", &url, &[FRAGMENT], "a=ice-ufrag:new\r\n").await;
    assert_eq!((answer.status, answer.header("ETag")), (200, Some("\"ours\"")));
    assert_eq!(answer.header("Content-Type"), Some(FRAGMENT.1));
    assert!(answer.body.contains("a=ice-pwd:x"));
    let answer = call(&b.ingest, "PATCH", &url, &[FRAGMENT], "?").await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "bad SDP"));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    let answer = call(&b.ingest, "GET", &url, &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found"));

    let answer = call(&b.ingest, "DELETE", &url, &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(*lock(&peer.closed), [CloseReason::PeerLeft]);
    for method in ["GET", "PATCH", "DELETE"] {
        let answer = call(&b.ingest, method, &url, &[FRAGMENT], CANDIDATE).await;
        assert_eq!(answer.status, 410, "{method}");
        assert!(answer.body.contains(r#""reason":"peer-left""#), "{}", answer.body);
    }
    assert!(b.asked.lock().unwrap().is_empty());
}

#[actix::test]
async fn only_a_url_that_names_another_node_is_passed_on() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = published(&a.ingest).await;
    let bare = url.replace("/a.", "/");
    assert_eq!(call(&b.ingest, "DELETE", &bare, &[], "").await.status, 404);
    // What is wrong with a request is told where it came in.
    assert_eq!(call(&b.ingest, "PATCH", &url, &[], CANDIDATE).await.status, 400);
    assert_eq!(
        call(&b.ingest, "DELETE", "/cam/1/whip/a.no", &[], "")
            .await
            .status,
        400
    );
    assert!(a.asked.lock().unwrap().is_empty());
    // Its own name is no other's.
    assert_eq!(
        call(&a.ingest, "PATCH", &url, &[FRAGMENT], CANDIDATE)
            .await
            .status,
        204
    );
    assert_eq!(call(&a.ingest, "DELETE", &bare, &[], "").await.status, 200);
    assert!(a.asked.lock().unwrap().is_empty());
}

#[actix::test]
async fn a_node_that_is_unknown_dead_or_hangs_is_told_within_300_ms() {
    pause();
    let fabric = Fabric::new();
    let here = fabric.node("here", 0, IngestConfig::default()).await;
    let mut dead = fabric.node("dead", 0, IngestConfig::default()).await;
    let _hanging = fabric.hanging("hanging").await;
    dead.die();
    for node in ["nobody", "dead", "hanging", "no:name"] {
        for (method, of) in [("PATCH", ""), ("DELETE", ""), ("GET", ""), ("GET", "/events")] {
            let url = format!("/cam/1/whip/{node}.{UUID}{of}");
            let asked = Instant::now();
            let answer = call(&here.ingest, method, &url, &[FRAGMENT], CANDIDATE).await;
            assert_eq!(answer.status, 404, "{method} {url}");
            assert!(
                asked.elapsed() <= ms(300),
                "{method} {node}: {:?}",
                asked.elapsed()
            );
            if (method, of) != ("GET", "") {
                assert_eq!(answer.error(), "session not found");
            }
        }
    }
}

#[actix::test]
async fn while_this_node_s_bus_is_away_nothing_is_said_about_other_nodes_sessions() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let way = Faulty::wrap(fabric.bus.clone(), Faults::default());
    let b = fabric
        .node_on(way.clone(), "b", 10, IngestConfig::default())
        .await;
    let url = published(&a.ingest).await;
    let _publisher = made();
    way.cut(true);
    sleep(ms(10)).await;
    for (method, of) in [("PATCH", ""), ("DELETE", ""), ("GET", ""), ("GET", "/events")] {
        let answer = call(&b.ingest, method, &format!("{url}{of}"), &[FRAGMENT], CANDIDATE).await;
        assert_eq!(
            (answer.status, answer.header("Retry-After")),
            (503, Some("2")),
            "{method}{of}"
        );
    }
    // Nor is anybody blamed for not taking an offer.
    let answer = call(&b.ingest, "POST", "/cam/2/whip", &[SDP], OFFER).await;
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("bus is away"), "{}", answer.error());
    way.cut(false);
    sleep(ms(2_000)).await;
    let answer = call(&b.ingest, "POST", "/cam/2/whip", &[SDP], OFFER).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(call(&b.ingest, "DELETE", &url, &[], "").await.status, 200);
}

#[actix::test]
async fn another_node_s_words_cannot_break_an_answer() {
    let reply = ResourceReply {
        status: 7,
        content_type: "a\r\nb: c".to_owned(),
        etag: "\"x\"\r\n".to_owned(),
        body: "x".to_owned(),
        session: None,
        stream: None,
        said: None,
    };
    let answer = weft_http::reply::passed(reply);
    assert_eq!(answer.status(), 502);
    assert!(answer.headers().get("ETag").is_none());
    assert!(answer.headers().get("b").is_none());
}

#[actix::test]
async fn a_node_answers_for_its_own_sessions_only() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let ask = |secret, method| {
        a.ingest.resource(ResourceRequest {
            node: name("b"),
            secret,
            method,
            body: String::new(),
        })
    };
    let url = published(&a.ingest).await;
    let secret = uuid::Uuid::parse_str(url.rsplit_once('.').unwrap().1).unwrap();
    let secret = SessionSecret(secret.into_bytes());
    let reply = ask(secret, ResourceMethod::Events).await;
    let session = a.ingest.sessions().await[0].id;
    assert_eq!(
        (reply.status, reply.session, reply.said),
        (200, Some(session), None)
    );
    assert_eq!(reply.stream.unwrap().as_str(), "cam/1");
    let reply = ask(SessionSecret([1; 16]), ResourceMethod::Events).await;
    assert_eq!((reply.status, reply.session, reply.stream), (404, None, None));
    let asked = NodeRequest::Resource(ResourceRequest {
        node: name("b"),
        secret,
        method: ResourceMethod::Get,
        body: String::new(),
    });
    let shown = format!(
        "{asked:?} {:?}",
        crate::remote::Target::parse(&format!("x.{UUID}"), &name("a"))
    );
    assert!(!shown.contains(UUID) && !shown.contains(url.rsplit_once('.').unwrap().1));
    assert!(matches!(
        crate::remote::Target::parse("a.b.nonsense", &name("a")),
        Err(Error::InvalidSecret)
    ));
}
