//! MediaMTX's table of WHIP requests and answers, row by row, and what RFC 9725 and the design add to it.
//! Offers are answered by a fake; sessions and bus are the real ones.

use super::{FRAGMENT, SDP, UUID, call, node, published};
use crate::testing::{OFFER, made};
use crate::{Error, IceServer, IngestConfig};
use actix_web::http::StatusCode;
use weft_wire::CloseReason;

#[actix::test]
async fn an_offer_is_answered_with_all_that_a_client_needs() {
    let node = node(IngestConfig {
        ice_servers: vec![
            IceServer {
                url: "stun:stun.example:3478".to_owned(),
                credential: None,
            },
            IceServer {
                url: "turn:turn.example".to_owned(),
                credential: Some(("u".to_owned(), "p\"w".to_owned())),
            },
        ],
        ..IngestConfig::default()
    });
    let typed = ("Content-Type", "Application/SDP; charset=utf-8");
    let answer = call(&node, "POST", "/cam/1/whip?jwt=x", &[typed], OFFER).await;
    assert_eq!((answer.status, answer.body.as_str()), (201, "v=0\r\n"));
    let location = answer.header("Location").unwrap();
    let (path, secret) = location.split_once("here.").unwrap();
    assert_eq!(path, "/cam/1/whip/");
    let (secret, query) = secret.split_once('?').unwrap();
    assert!(uuid::Uuid::parse_str(secret).is_ok());
    assert_eq!(query, "jwt=x");
    let id = node.sessions().await[0].id.to_string();
    for (name, value) in [
        ("Content-Type", "application/sdp"),
        ("ETag", "*"),
        ("ID", id.as_str()),
        ("Accept-Patch", "application/trickle-ice-sdpfrag"),
        (
            "Access-Control-Expose-Headers",
            "ETag, ID, Accept-Patch, Link, Location",
        ),
        ("Access-Control-Allow-Origin", "*"),
        ("Server", "weft"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let links: Vec<_> = (answer.headers.iter())
        .filter(|(n, _)| n == "link")
        .map(|(_, v)| v)
        .collect();
    assert_eq!(links[0], "<stun:stun.example:3478>; rel=\"ice-server\"");
    assert_eq!(
        links[1],
        "<turn:turn.example>; rel=\"ice-server\"; username=\"u\"; credential=\"p\\\"w\"; credential-type=\"password\""
    );
    let events = format!("/cam/1/whip/here.{secret}/events?jwt=x");
    let relation = "rel=\"urn:ietf:params:whip:ext:core:server-sent-events\"; events=\"move,closed\"";
    assert_eq!(*links[2], format!("<{events}>; {relation}"));
    assert_eq!(links.len(), 3);
}

#[actix::test]
async fn each_wrong_offer_is_refused_with_its_status_and_words() {
    let node = node(IngestConfig::default());
    let no_video_codec = OFFER.replace("H264/90000", "VP8/90000");
    let data_channel =
        format!("{OFFER}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n");
    let large = format!("{OFFER}a=x:{}\r\n", "x".repeat(200_000));
    let plain = ("Content-Type", "text/plain");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("/cam/whip", &[], OFFER, 400, "invalid Content-Type"),
        ("/cam/whip", &[plain], OFFER, 400, "invalid Content-Type"),
        ("/cam/whip", &[SDP], "", 400, "bad SDP"),
        ("/cam/whip", &[SDP], "hello", 400, "bad SDP"),
        (
            "/cam/whip",
            &[SDP],
            "v=0\r\ns=-\r\n",
            406,
            "neither video nor audio",
        ),
        ("/cam/whip", &[SDP], &no_video_codec, 400, "VP8"),
        ("/cam/whip", &[SDP], &data_channel, 406, "m=application"),
        ("/cam/whip", &[SDP], &large, 413, "131072 bytes"),
        ("/a%20b/whip", &[SDP], OFFER, 400, "' '"),
        ("/a/../b/whip", &[SDP], OFFER, 400, "segment"),
        ("/a:b/whip", &[SDP], OFFER, 400, "':'"),
    ];
    for (url, headers, body, status, words) in cases {
        let answer = call(&node, "POST", url, headers, body).await;
        assert_eq!(answer.status, *status, "{url} {words}: {}", answer.body);
        assert!(answer.error().contains(words), "{words:?} in {}", answer.error());
        assert_eq!(answer.header("Server"), Some("weft"));
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    }
    assert!(node.sessions().await.is_empty());
}

#[actix::test]
async fn a_body_far_too_long_is_not_read_to_its_end() {
    let node = node(IngestConfig::default());
    let answer = call(&node, "POST", "/cam/whip", &[SDP], &"x".repeat(1_100_000)).await;
    assert_eq!(answer.status, 413);
}

#[actix::test]
async fn options_tell_what_is_taken_and_preflights_are_answered_without_more() {
    let node = node(IngestConfig::default());
    let asked = ("Access-Control-Request-Method", "POST");
    for url in [
        "/cam/whip",
        "/not%20a%20name/whip",
        &format!("/cam/whip/{UUID}"),
        &format!("/cam/whip/{UUID}/events"),
        "/cam/publish",
    ] {
        let answer = call(&node, "OPTIONS", url, &[asked], "").await;
        assert_eq!(answer.status, 204, "{url}");
        let methods = answer.header("Access-Control-Allow-Methods");
        assert_eq!(methods, Some("OPTIONS, GET, POST, PATCH, DELETE"));
        let headers = answer.header("Access-Control-Allow-Headers");
        assert_eq!(headers, Some("Authorization, Content-Type, If-Match"));
    }
    let answer = call(&node, "OPTIONS", "/cam/whip", &[], "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("Accept-Post"), Some("application/sdp"));
    let exposed = answer.header("Access-Control-Expose-Headers");
    assert_eq!(exposed, Some("Accept-Post, Link"));
    assert_eq!(call(&node, "OPTIONS", "/a%20b/whip", &[], "").await.status, 400);
}

#[actix::test]
async fn methods_that_do_not_belong_are_told_apart() {
    let node = node(IngestConfig::default());
    for method in ["GET", "PUT"] {
        let answer = call(&node, method, "/cam/whip", &[], "").await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (405, "method not allowed")
        );
    }
    assert_eq!(call(&node, "HEAD", "/cam/whip", &[], "").await.status, 405);
    let events = format!("/cam/whip/{UUID}/events");
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD"] {
        let answer = call(&node, method, &events, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("Allow")),
            (405, Some("GET, OPTIONS")),
            "{method}"
        );
    }
    for (method, url) in [
        ("PATCH", "/cam/whip".to_owned()),
        ("DELETE", "/cam/whip".to_owned()),
        ("GET", format!("/cam/whip/{UUID}")),
        ("POST", format!("/cam/whip/{UUID}")),
        ("POST", "/cam/publish".to_owned()),
    ] {
        let answer = call(&node, method, &url, &[], "").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, "404 page not found"),
            "{method} {url}"
        );
    }
}

#[actix::test]
async fn fragments_steer_the_session_they_are_sent_to() {
    let node = node(IngestConfig::default());
    let url = published(&node).await;
    let bare = url.replace("here.", "");
    let candidate = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    let any = ("If-Match", "*");
    for url in [&url, &bare] {
        let answer = call(&node, "PATCH", url, &[FRAGMENT, any], candidate).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }
    let answer = call(&node, "PATCH", &url, &[FRAGMENT], "a=ice-ufrag:new\r\n").await;
    assert_eq!((answer.status, answer.header("ETag")), (200, Some("\"ours\"")));
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/trickle-ice-sdpfrag")
    );
    assert_eq!(call(&node, "PATCH", &url, &[FRAGMENT], "?").await.status, 400);
    assert_eq!(call(&node, "PATCH", &url, &[SDP], candidate).await.status, 400);
    for (secret, status, words) in [
        ("nonsense", 400, "invalid secret"),
        ("here.nonsense", 400, "invalid secret"),
        (UUID, 404, "session not found"),
        (&format!("here.{UUID}"), 404, "session not found"),
        (&format!("elsewhere.{UUID}"), 404, "session not found"),
    ] {
        for method in ["PATCH", "DELETE"] {
            let url = format!("/cam/1/whip/{secret}");
            let answer = call(&node, method, &url, &[FRAGMENT], candidate).await;
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (status, words),
                "{method} {secret}"
            );
        }
    }
}

#[actix::test]
async fn a_deleted_session_is_gone_with_its_reason_for_a_minute() {
    let node = node(IngestConfig::default());
    let url = published(&node).await;
    let (peer, _receiver) = made();
    assert_eq!(call(&node, "GET", &url, &[], "").await.status, 404);
    let answer = call(&node, "DELETE", &url, &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(*crate::testing::lock(&peer.closed), [CloseReason::PeerLeft]);
    for method in ["DELETE", "PATCH", "GET"] {
        let answer = call(&node, method, &url, &[FRAGMENT], "a=candidate:x").await;
        assert_eq!(answer.status, 410, "{method}");
        assert_eq!(answer.error(), "session is closed: peer-left");
        assert!(answer.body.contains(r#""reason":"peer-left""#));
    }
}

#[actix::test]
async fn a_full_node_asks_to_come_back() {
    let node = node(IngestConfig {
        max_publishers: 1,
        ..IngestConfig::default()
    });
    published(&node).await;
    let answer = call(&node, "POST", "/other/whip", &[SDP], OFFER).await;
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("2")));
    assert_eq!(
        answer.error(),
        "this node is full: as many publishers as fabric.limits.publishers allows; \
         there is no other node to take it, try again"
    );
    let exposed = answer.header("Access-Control-Expose-Headers");
    assert_eq!(exposed, Some("Retry-After"), "a page may read when to come again");
}

#[actix::test]
async fn the_publish_page_is_there_for_every_valid_name() {
    let node = node(IngestConfig::default());
    let answer = call(&node, "GET", "/cam/1/publish", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("Cache-Control"), Some("no-cache"));
    assert!(answer.body.contains("/weft-pages/publish.js"));
    let answer = call(&node, "GET", "/a%20b/publish", &[], "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("invalid path name"));
}

#[core::prelude::v1::test]
fn each_refusal_has_a_status() {
    for (error, status) in [
        (Error::Conflict("x".to_owned()), StatusCode::CONFLICT),
        (Error::Full("x"), StatusCode::SERVICE_UNAVAILABLE),
        (Error::Draining, StatusCode::SERVICE_UNAVAILABLE),
        (
            Error::NoRoom {
                why: "x".to_owned(),
                asked: 0,
            },
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        (
            Error::Elsewhere {
                status: 406,
                words: "x".to_owned(),
            },
            StatusCode::NOT_ACCEPTABLE,
        ),
        (
            Error::Body(weft_http::BodyError::Timeout),
            StatusCode::REQUEST_TIMEOUT,
        ),
        (Error::Closed(CloseReason::TakenOver), StatusCode::GONE),
        (Error::Internal("x".to_owned()), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        assert_eq!(error.status(), status);
    }
}

#[actix::test]
async fn pages_of_listed_sites_alone_may_read_what_is_answered() {
    let config = weft_config::Config::parse("webrtcAllowOrigins: ['https://exams.example']", "test");
    let node = node(IngestConfig {
        settings: weft_config::Live::fixed(config.unwrap()),
        ..IngestConfig::default()
    });
    for (origin, allowed) in [
        ("https://exams.example", Some("https://exams.example")),
        ("https://other.example", None),
    ] {
        let answer = call(&node, "OPTIONS", "/cam/1/whip", &[("Origin", origin)], "").await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), allowed, "{origin}");
        assert_eq!(answer.header("Vary"), Some("Origin"));
    }
}
