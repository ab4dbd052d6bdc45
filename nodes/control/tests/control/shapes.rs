//! One node's answers as a user of MediaMTX knows them: fields, paging, errors, health.
//! What several nodes say together is in `many`.

use super::world::World;
use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use weft_wire::StreamState;

#[actix_rt::test]
async fn a_stream_has_every_field_of_mediamtx_with_its_type() {
    let world = World::alone().await;
    let epoch = world.publish("a", "demo", 7, StreamState::Live).await;
    world.open("a", "demo", &[0x11], 77);
    let (status, path) = world.get("a", "/v3/paths/get/demo").await;
    assert_eq!(status, StatusCode::OK);
    let since = "2023-09-05T01:00:00.5Z";
    assert_eq!(
        path,
        json!({
            "name": "demo", "confName": "all_others",
            "ready": true, "readyTime": since, "available": true, "availableTime": since,
            "online": true, "onlineTime": since,
            "source": {"type": "webRTCSession", "id": "07070707-0707-0707-0707-070707070707",
                "node": "a", "epoch": epoch.to_string()},
            "tracks": ["H264", "Opus"],
            "tracks2": [
                {"codec": "H264", "codecProps": {"width": 1920, "height": 1080, "profile": "Baseline", "level": "3.1"}},
                {"codec": "Opus", "codecProps": {"channelCount": 2}},
            ],
            "readers": [{"type": "rtspSession", "id": "11111111-1111-1111-1111-111111111111", "node": "a"}],
            "readersByNode": {"a": 1},
            "inboundBytes": 1234, "outboundBytes": 77, "inboundFramesInError": 2,
            "bytesReceived": 1234, "bytesSent": 77,
        })
    );
}

#[actix_rt::test]
async fn the_list_is_sorted_paged_and_shows_streams_whose_readers_are_held() {
    let world = World::alone().await;
    world.publish("a", "zoo/1", 7, StreamState::Live).await;
    world.publish("a", "demo", 8, StreamState::Stalled).await;
    world.open("a", "held", &[0x11], 5);
    let (_, list) = world.get("a", "/v3/paths/list").await;
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["demo", "held", "zoo/1"]);
    assert_eq!((&list["itemCount"], &list["pageCount"]), (&json!(3), &json!(1)));
    assert_eq!(list["items"][0]["ready"], false, "stalled");
    assert_eq!(list["items"][1]["source"], Value::Null);
    let (_, page) = world.get("a", "/v3/paths/list?itemsPerPage=2&page=1").await;
    assert_eq!(page["items"][0]["name"], "zoo/1");
    let (_, slash) = world.get("a", "/v3/paths/get/zoo/1").await;
    assert_eq!(slash["name"], "zoo/1");
}

#[actix_rt::test]
async fn errors_have_mediamtx_s_statuses_and_body() {
    let world = World::alone().await;
    for (uri, status, error) in [
        ("/v3/paths/get/nobody", 404, "path not found"),
        ("/v3/paths/list?itemsPerPage=0", 400, "invalid items per page"),
        (
            "/v3/paths/list?page=x",
            400,
            "'x' is not a number of items or a page",
        ),
        (
            "/v3/paths/list?page=1&page=2",
            400,
            "Query deserialize error: duplicate field `page`",
        ),
    ] {
        let (got, body) = world.get("a", uri).await;
        assert_eq!(got.as_u16(), status, "{uri}");
        assert_eq!(body, json!({"status": "error", "error": error}));
    }
    assert_eq!(
        world.get("a", "/v3/paths/get/a%20b").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[actix_rt::test]
async fn an_unknown_route_or_method_is_a_plain_404() {
    let world = World::alone().await;
    let here = "127.0.0.1:5".parse().unwrap();
    for request in [
        TestRequest::get().uri("/v3/nothing"),
        TestRequest::get().uri("/"),
        TestRequest::post().uri("/v3/paths/list").peer_addr(here),
        TestRequest::delete().uri("/v3/paths/get/demo").peer_addr(here),
        TestRequest::get().uri("/v3/paths/kick/demo"),
        TestRequest::get().uri("/metrics"),
    ] {
        let response = world.call("a", request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(body, "404 page not found");
    }
    let preflight = TestRequest::default()
        .method(Method::OPTIONS)
        .uri("/v3/paths/list")
        .insert_header(("Access-Control-Request-Method", "GET"));
    assert_eq!(world.call("a", preflight).await.status(), StatusCode::NO_CONTENT);
}

#[actix_rt::test]
async fn health_says_what_is_wrong() {
    let world = World::alone().await;
    assert_eq!(world.get("a", "/v3/node/ready").await.0, StatusCode::OK);
    let (_, info) = world.get("a", "/v3/info").await;
    assert_eq!(info, json!({"version": "v9", "started": "1970-01-01T00:00:01Z"}));
    world.fake("a").record.lock().unwrap().draining = true;
    let (status, body) = world.get("a", "/v3/node/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        body["problems"],
        json!(["the node is draining: it takes nobody new"])
    );
    *world.fake("a").problems.lock().unwrap() = vec!["the bus is away".to_owned()];
    for uri in ["/v3/node/ready", "/healthz"] {
        let (status, body) = world.get("a", uri).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["problems"], json!(["the bus is away"]));
    }
    assert_eq!(world.get("a", "/v3/node/live").await.0, StatusCode::OK);
}
