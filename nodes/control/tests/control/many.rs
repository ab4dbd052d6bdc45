//! What several nodes say together: streams, readers, sessions and nodes, the same at each of them.
//! What happens when one of them says nothing is in `silence`.

use super::world::{World, session, stream};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use weft_auth::Gate;
use weft_config::{Config, Live};
use weft_wire::{ConnectionReport, Epoch, IdleReport, NodeRole, ReaderReport, StreamState};

const THREE: [(&str, NodeRole); 3] = [
    ("in", NodeRole::Ingest),
    ("out1", NodeRole::Egress),
    ("out2", NodeRole::Egress),
];

fn names(list: &Value, field: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| i[field].as_str().unwrap().to_owned())
        .collect()
}

#[actix_rt::test]
async fn every_node_shows_the_streams_and_readers_of_all() {
    let world = World::new(&THREE).await;
    for (number, name) in [(1, "a"), (2, "b"), (3, "c/d")] {
        world.publish("in", name, number, StreamState::Live).await;
    }
    world.open("out1", "b", &[0x21, 0x22, 0x23], 100);
    world.open("out2", "held", &[0x24], 7);
    world.open("out2", "b", &[0x25], 11);
    // The second piece of a crowded stream, with a reader that was in the first before somebody came.
    world.open("out1", "b", &[0x23], 0);
    let (_, list) = world.get("in", "/v3/paths/list").await;
    assert_eq!(names(&list, "name"), ["a", "b", "c/d", "held"]);
    assert_eq!(list["viewAgeSeconds"], 0);
    let b = &list["items"][1];
    assert_eq!(b["source"]["node"], "in");
    assert_eq!(b["readersByNode"], json!({"out1": 3, "out2": 1}));
    assert_eq!(b["outboundBytes"], 111);
    assert_eq!(b["readers"].as_array().unwrap().len(), 4);
    let reader = json!({"type": "rtspSession", "id": session(0x25).to_string(), "node": "out2"});
    assert!(b["readers"].as_array().unwrap().contains(&reader));
    let held = &list["items"][3];
    assert_eq!((&held["ready"], &held["source"]), (&json!(false), &Value::Null));
    assert_eq!(held["readersByNode"], json!({"out2": 1}));
    for other in ["out1", "out2"] {
        assert_eq!(world.get(other, "/v3/paths/list").await.1, list, "{other}");
    }
    let (_, one) = world.get("out1", "/v3/paths/get/c/d").await;
    assert_eq!(one, list["items"][2]);
}

#[actix_rt::test]
async fn of_two_publishers_the_higher_epoch_counts_and_a_waiting_one_makes_nothing_ready() {
    let world = World::new(&[("a", NodeRole::Ingest), ("b", NodeRole::Ingest)]).await;
    let old = world.publish("a", "cam", 1, StreamState::Live).await;
    world.report_publisher("b", "cam", 2, StreamState::Waiting, Epoch::default());
    world.report_publisher("b", "new", 3, StreamState::Waiting, Epoch::default());
    let (_, list) = world.get("a", "/v3/paths/list").await;
    assert_eq!(names(&list, "name"), ["cam", "new"]);
    assert_eq!(list["items"][0]["source"]["epoch"], old.to_string());
    assert_eq!(list["items"][0]["ready"], true);
    assert_eq!(list["items"][1]["ready"], false);

    let new = world.publish("b", "cam", 2, StreamState::Live).await;
    // `b` has its old report of the same session too, as between two pages.
    let (_, path) = world.get("b", "/v3/paths/get/cam").await;
    assert_eq!(path["source"]["node"], "b");
    assert_eq!(path["source"]["epoch"], new.to_string());
    let (_, sessions) = world.get("b", "/v3/webrtcsessions/list").await;
    assert_eq!(
        sessions["itemCount"], 3,
        "a session that is there twice counts once"
    );
}

#[actix_rt::test]
async fn nodes_say_what_they_carry_and_which_one_answers() {
    let world = World::new(&THREE).await;
    world.publish("in", "a", 1, StreamState::Live).await;
    world.publish("in", "b", 2, StreamState::Live).await;
    world.open("out1", "b", &[0x21], 100);
    world.open("out1", "c", &[0x22], 100);
    let (_, list) = world.get("out1", "/v3/nodes/list?itemsPerPage=2").await;
    assert_eq!((&list["itemCount"], &list["pageCount"]), (&json!(3), &json!(2)));
    assert_eq!(names(&list, "name"), ["in", "out1"]);
    let (_, own) = world.get("out1", "/v3/nodes/get/out1").await;
    let wanted = json!({
        "name": "out1", "own": true, "role": "egress", "version": "v9",
        "started": "2023-09-05T01:00:00.5Z", "draining": false,
        "addresses": {"webrtc": "", "ice": "", "rtsp": "192.0.2.1:8554", "api": ""},
        "load": {"publishers": 0, "readers": 2, "streams": 2, "bitsPerSecond": 0},
        "limits": {"publishers": 4, "readers": 10, "bitsPerSecond": 0},
        "fullness": 0.2, "lastHeardSeconds": 0.0, "answering": true,
    });
    assert_eq!(own, wanted);
    let (_, other) = world.get("out1", "/v3/nodes/get/in").await;
    assert_eq!((&other["own"], &other["fullness"]), (&json!(false), &json!(0.5)));
    let (status, body) = world.get("out1", "/v3/nodes/get/none").await;
    assert_eq!(status, 404);
    assert_eq!(body, json!({"status": "error", "error": "node not found"}));
}

#[actix_rt::test]
async fn sessions_of_all_nodes_are_listed_oldest_first_with_mediamtx_s_fields() {
    let world = World::new(&THREE).await;
    world.publish("in", "a", 2, StreamState::Live).await;
    world.publish("in", "b", 1, StreamState::Waiting).await;
    world.open("out1", "a", &[0x31], 100);
    world.open("out2", "a", &[0x21], 100);
    let (_, rtsp) = world.get("in", "/v3/rtspsessions/list").await;
    assert_eq!(names(&rtsp, "node"), ["out2", "out1"]);
    let (_, webrtc) = world.get("out2", "/v3/webrtcsessions/list").await;
    assert_eq!(names(&webrtc, "path"), ["b", "a"]);
    let common = [
        "id",
        "created",
        "remoteAddr",
        "state",
        "path",
        "query",
        "user",
        "userAgent",
        "inboundBytes",
        "inboundRTPPackets",
        "inboundRTPPacketsLost",
        "inboundRTPPacketsJitter",
        "inboundRTCPPackets",
        "outboundBytes",
        "outboundRTPPackets",
        "outboundRTCPPackets",
        "bytesReceived",
        "bytesSent",
        "rtpPacketsReceived",
        "rtpPacketsSent",
        "rtpPacketsLost",
        "rtpPacketsJitter",
        "rtcpPacketsReceived",
        "rtcpPacketsSent",
    ];
    let of_rtsp = [
        "transport",
        "profile",
        "conns",
        "inboundRTPPacketsInError",
        "inboundRTCPPacketsInError",
        "outboundRTPPacketsReportedLost",
        "outboundRTPPacketsDiscarded",
    ];
    let of_webrtc = [
        "peerConnectionEstablished",
        "localCandidate",
        "remoteCandidate",
        "outboundFramesDiscarded",
    ];
    for (list, own) in [(&rtsp, &of_rtsp[..]), (&webrtc, &of_webrtc[..])] {
        let fields = list["items"][0].as_object().unwrap();
        for field in common.iter().chain(own) {
            assert!(fields.contains_key(*field), "{field} is missing");
        }
    }
    let a = &webrtc["items"][1];
    assert_eq!(
        (&a["state"], &a["inboundBytes"]),
        (&json!("publish"), &json!(1234))
    );
    assert_eq!(a["remoteCandidate"], "prflx/udp/127.0.0.1/5");
    assert_eq!(a["localCandidate"], "host/udp/192.0.2.1/8189");
    assert_eq!(
        (&a["user"], &a["query"], &a["userAgent"]),
        (&json!("student"), &json!("quality=hd"), &json!("Browser/1"))
    );
    assert_eq!(
        (&a["inboundRTPPacketsJitter"], &a["inboundRTCPPackets"]),
        (&json!(0.0015), &json!(4))
    );
    let reader = session(0x31);
    let (_, one) = world.get("in", &format!("/v3/rtspsessions/get/{reader}")).await;
    assert_eq!(
        (&one["id"], &one["outboundBytes"]),
        (&json!(reader.to_string()), &json!(77))
    );
    assert_eq!(
        (&one["transport"], &one["profile"], &one["conns"]),
        (&json!("TCP"), &json!("AVP"), &json!([session(0xc0).to_string()]))
    );
    assert_eq!(
        (
            &one["outboundRTPPacketsReportedLost"],
            &one["outboundRTPPacketsDiscarded"]
        ),
        (&json!(5), &json!(6))
    );
    assert_eq!(
        (&one["inboundRTCPPackets"], &one["outboundRTCPPackets"]),
        (&json!(2), &json!(3))
    );
    for (uri, status, error) in [
        (
            format!("/v3/webrtcsessions/get/{reader}"),
            404,
            "session not found",
        ),
        (
            format!("/v3/rtspsessions/get/{}", session(0x77)),
            404,
            "session not found",
        ),
        ("/v3/rtspsessions/get/x".to_owned(), 400, "invalid UUID length: 1"),
    ] {
        let (got, body) = world.get("in", &uri).await;
        assert_eq!(got.as_u16(), status, "{uri}");
        assert_eq!(body, json!({"status": "error", "error": error}));
    }
}

#[actix_rt::test]
async fn a_storm_of_requests_costs_one_round_and_the_next_moment_another() {
    let world = World::new(&THREE).await;
    world.open("out2", "a", &[0x21], 100);
    let asked = || world.fake("out2").asked.load(Relaxed);
    let uris = [
        "/v3/paths/list",
        "/v3/nodes/list",
        "/v3/paths/get/a",
        "/v3/rtspsessions/list",
    ];
    let storm = || join_all((0..40).map(|i| world.get("in", uris[i % uris.len()])));
    assert!(storm().await.iter().all(|(status, _)| *status == 200));
    assert_eq!(asked(), 1);
    tokio::time::sleep(Duration::from_millis(250)).await;
    storm().await;
    assert_eq!(asked(), 2);
}

#[actix_rt::test]
async fn by_its_name_a_stream_is_found_as_soon_as_it_comes_and_gone_as_soon_as_it_goes() {
    let world = World::new(&THREE).await;
    assert_eq!(world.get("out1", "/v3/paths/list").await.1["itemCount"], 0);
    world.publish("in", "new", 1, StreamState::Live).await;
    let (status, path) = world.get("out1", "/v3/paths/get/new").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&path["ready"], &path["source"]["node"]),
        (&json!(true), &json!("in"))
    );
    tokio::time::sleep(Duration::from_millis(210)).await;
    assert_eq!(world.get("out1", "/v3/paths/list").await.1["itemCount"], 1);
    world.publications.lock().unwrap().clear();
    assert_eq!(world.get("out1", "/v3/paths/get/new").await.0, 404);
}

#[actix_rt::test]
async fn sessions_before_play_and_connections_of_all_nodes_are_listed() {
    let world = World::new(&THREE).await;
    world.open("out1", "a", &[0x31], 100);
    let reader = |number: u8| {
        let hubs = world.fake("out1").hubs.lock().unwrap();
        let mut reader = hubs[0].readers[0].clone();
        reader.session = session(number);
        reader
    };
    let idle = |number, kind: &str| IdleReport {
        stream: stream("b"),
        reader: ReaderReport {
            kind: kind.to_owned(),
            ..reader(number)
        },
    };
    let connection = |number, tls, of: Option<u8>| ConnectionReport {
        id: session(number),
        created: i64::from(number),
        remote: "192.0.2.9:5".to_owned(),
        tls,
        session: of.map(session),
        bytes_received: 11,
        bytes_sent: 22,
    };
    // One that has begun to read between two looks is there twice.
    let waiting = vec![
        idle(0x41, "rtspSession"),
        idle(0x31, "rtspSession"),
        idle(0x42, "rtspsSession"),
    ];
    *world.fake("out1").idle.lock().unwrap() = waiting;
    *world.fake("out1").connections.lock().unwrap() =
        vec![connection(0xc1, false, Some(0x41)), connection(0xc2, true, None)];
    *world.fake("out2").connections.lock().unwrap() = vec![connection(0xc0, false, None)];

    let (_, plain) = world.get("in", "/v3/rtspsessions/list").await;
    assert_eq!(names(&plain, "state"), ["read", "idle"]);
    let (_, tls) = world.get("in", "/v3/rtspssessions/list").await;
    assert_eq!(names(&tls, "id"), [session(0x42).to_string()]);
    let (_, conns) = world.get("in", "/v3/rtspconns/list").await;
    assert_eq!(names(&conns, "node"), ["out2", "out1"]);
    let wanted = json!({
        "id": session(0xc1).to_string(), "created": "1970-01-01T00:00:00.000193Z", "remoteAddr": "192.0.2.9:5",
        "session": session(0x41).to_string(), "tunnel": "none", "node": "out1",
        "inboundBytes": 11, "outboundBytes": 22, "bytesReceived": 11, "bytesSent": 22,
    });
    assert_eq!(conns["items"][1], wanted);
    let get = |word: &str, number| format!("/v3/{word}/get/{}", session(number));
    assert_eq!(world.get("in", &get("rtspconns", 0xc1)).await.1, wanted);
    let (_, secure) = world.get("in", &get("rtspsconns", 0xc2)).await;
    assert_eq!(secure["session"], Value::Null);
    let (status, body) = world.get("in", &get("rtspsconns", 0xc1)).await;
    assert_eq!(
        (status.as_u16(), &body["error"]),
        (404, &json!("connection not found"))
    );
}

#[actix_rt::test]
async fn paths_of_the_configuration_are_listed_while_idle_and_name_their_entry() {
    let mut world = World::new(&THREE).await;
    world.publish("in", "exam/1", 1, StreamState::Live).await;
    let yaml = "paths:\n  hall:\n  ~^exam/:\n  all_others:\n";
    let live = Live::fixed(Config::parse(yaml, "test").unwrap());
    let place = world.places.get_mut("out1").unwrap();
    place.control = place.control.clone().guarded(live, Gate::open());
    let (_, list) = world.get("out1", "/v3/paths/list").await;
    assert_eq!(names(&list, "name"), ["exam/1", "hall"]);
    assert_eq!(names(&list, "confName"), ["~^exam/", "hall"]);
    assert_eq!(
        (&list["items"][1]["ready"], &list["items"][1]["source"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(world.get("out1", "/v3/paths/get/hall").await.1, list["items"][1]);
    assert_eq!(world.get("out1", "/v3/paths/get/attic").await.0, 404);
}

#[actix_rt::test]
async fn a_stream_that_two_nodes_make_into_hls_is_one_muxer_with_every_field_of_mediamtx() {
    let world = World::new(&THREE).await;
    world.mux("out2", "exam/17", 1, 2, 1_000);
    world.mux("out1", "demo", 2, 9, 5);
    world.mux("out1", "exam/17", 5, 7, 500);
    for at in ["in", "out1", "out2"] {
        let (status, muxer) = world.get(at, "/v3/hlsmuxers/get/exam/17").await;
        assert_eq!(status, 200);
        assert_eq!(
            muxer,
            json!({
                "path": "exam/17",
                "created": "2023-09-05T01:00:01.5Z", "lastRequest": "2023-09-05T01:00:07.5Z",
                "outboundBytes": 1_500, "outboundFramesDiscarded": 6, "bytesSent": 1_500,
                "nodes": ["out1", "out2"],
            })
        );
        let (_, list) = world.get(at, "/v3/hlsmuxers/list").await;
        assert_eq!(names(&list, "path"), ["exam/17", "demo"], "oldest first");
        assert_eq!((&list["itemCount"], &list["pageCount"]), (&json!(2), &json!(1)));
    }
    let (_, page) = world.get("in", "/v3/hlsmuxers/list?itemsPerPage=1&page=1").await;
    assert_eq!(page["items"][0]["path"], "demo");
    let (status, body) = world.get("in", "/v3/hlsmuxers/get/nobody").await;
    assert_eq!(status, 404);
    assert_eq!(body["error"], "muxer not found");
}
