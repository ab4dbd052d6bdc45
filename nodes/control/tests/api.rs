//! The routes over a memory bus with one publisher and one reader: shapes, paging, errors, health and metrics as a user of
//! MediaMTX knows them. That several nodes answer alike is tested end to end.
#![allow(clippy::unwrap_used)] // a helper of a test fails by panicking

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, dev::ServiceResponse};
use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Claim, Publication, Registry, StreamOwner, UnitsAnswer};
use weft_control::{Control, HubLine, Identity, NodeView, ReaderLine, SessionKind, SessionLine};
use weft_wire::{
    ClockRate, Codec, Epoch, Incarnation, KeyframeRequest, Kick, NodeName, OwnerInfo, SentTime, SessionId,
    StreamName, StreamRecord, StreamState, TrackId, TrackInfo, UnitSeq, UnitsEnd, UnitsRequest,
};

const SINCE: i64 = 1_693_875_600_500_000;

struct Node {
    problems: Vec<String>,
}

impl NodeView for Node {
    fn identity(&self) -> Identity {
        Identity {
            name: NodeName::new("a").unwrap(),
            role: "standalone",
            version: "v9",
            started: UNIX_EPOCH + Duration::from_secs(1),
        }
    }

    fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    fn hubs(&self) -> Vec<HubLine> {
        let hub = |name: &str, bytes_sent| HubLine {
            stream: StreamName::new(name).unwrap(),
            readers: vec![ReaderLine {
                kind: "rtspSession",
                id: "r1".to_owned(),
            }],
            bytes_sent,
        };
        vec![hub("demo", 77), hub("held", 5)]
    }

    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>> {
        let line = SessionLine {
            kind: SessionKind::Rtsp,
            id: "r1".to_owned(),
            state: "read",
            path: "demo".to_owned(),
            remote: "127.0.0.1:9".to_owned(),
            inbound_bytes: 0,
            inbound_packets: 0,
            inbound_lost: 0,
            outbound_bytes: 77,
            outbound_packets: 3,
        };
        ready(vec![line]).boxed()
    }

    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        visit("weft_things_total", "Things.", 4);
    }
}

struct Owner(OwnerInfo);

impl StreamOwner for Owner {
    fn units(&self, _: &UnitsRequest) -> UnitsAnswer {
        UnitsAnswer {
            batches: vec![],
            end: UnitsEnd {
                session: self.0.session,
                epoch: self.0.epoch,
                next: UnitSeq(0),
                gone: false,
                sent: SentTime(0),
                tracks: vec![],
                key_age_ms: 0,
            },
        }
    }
    fn keyframe(&self, _: KeyframeRequest) {}
    fn owner(&self) -> OwnerInfo {
        self.0.clone()
    }
    fn kick(&self, _: Kick) {}
}

fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

async fn publish(bus: &MemoryBus, stream: &str, state: StreamState) -> Publication {
    let session = SessionId([7; 16]);
    let node = NodeName::new("a").unwrap();
    let record = StreamRecord {
        node: node.clone(),
        incarnation: Incarnation(1),
        session,
        since: SINCE,
    };
    let epoch: Epoch = bus.claim(name(stream), record, Claim::Vacant).await.unwrap();
    let track = |id, codec, rate, channels, sets| TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate: ClockRate(NonZeroU32::new(rate).unwrap()),
        channels,
        parameter_sets: sets,
        width: if channels == 0 { 1920 } else { 0 },
        height: if channels == 0 { 1080 } else { 0 },
    };
    let info = OwnerInfo {
        node,
        incarnation: Incarnation(1),
        session,
        epoch,
        state,
        since: SINCE,
        tracks: vec![
            track(0, Codec::H264, 90_000, 0, vec![vec![0x67, 66, 0xe0, 31].into()]),
            track(1, Codec::Opus, 48_000, 2, vec![]),
        ],
        inbound_bytes: 1234,
        inbound_packets: 12,
        packets_lost: 1,
        units_in_error: 2,
        units: 5,
        media_age_ms: 10,
        remote: "127.0.0.1:5".to_owned(),
    };
    bus.publish(name(stream), Arc::new(Owner(info))).await.unwrap()
}

struct Api {
    bus: MemoryBus,
    control: Control,
}

fn api(problems: &[&str]) -> Api {
    let bus = MemoryBus::new();
    let node = Node {
        problems: problems.iter().map(|p| (*p).to_owned()).collect(),
    };
    let control = Control::new(Arc::new(node), Arc::new(bus.clone()), Arc::new(bus.clone()));
    Api { bus, control }
}

impl Api {
    async fn call(&self, request: TestRequest) -> ServiceResponse {
        let app = init_service(App::new().configure(self.control.api())).await;
        call_service(&app, request.to_request()).await
    }

    async fn get(&self, uri: &str) -> (StatusCode, Value) {
        let response = self.call(TestRequest::get().uri(uri)).await;
        let status = response.status();
        let body = to_bytes(response.into_body()).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

#[actix_rt::test]
async fn a_stream_has_every_field_of_mediamtx_with_its_type() {
    let api = api(&[]);
    let _publication = publish(&api.bus, "demo", StreamState::Live).await;
    let (status, path) = api.get("/v3/paths/get/demo").await;
    assert_eq!(status, StatusCode::OK);
    let since = "2023-09-05T01:00:00.5Z";
    assert_eq!(
        path,
        json!({
            "name": "demo", "confName": "all_others",
            "ready": true, "readyTime": since, "available": true, "availableTime": since,
            "online": true, "onlineTime": since,
            "source": {"type": "webRTCSession", "id": "07070707-0707-0707-0707-070707070707"},
            "tracks": ["H264", "Opus"],
            "tracks2": [
                {"codec": "H264", "codecProps": {"width": 1920, "height": 1080, "profile": "Baseline", "level": "3.1"}},
                {"codec": "Opus", "codecProps": {"channelCount": 2}},
            ],
            "readers": [{"type": "rtspSession", "id": "r1"}],
            "inboundBytes": 1234, "outboundBytes": 77, "inboundFramesInError": 2,
            "bytesReceived": 1234, "bytesSent": 77,
        })
    );
}

#[actix_rt::test]
async fn the_list_is_sorted_paged_and_shows_streams_whose_readers_are_held() {
    let api = api(&[]);
    let _a = publish(&api.bus, "zoo/1", StreamState::Live).await;
    let _b = publish(&api.bus, "demo", StreamState::Stalled).await;
    let (_, list) = api.get("/v3/paths/list").await;
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
    let (_, page) = api.get("/v3/paths/list?itemsPerPage=2&page=1").await;
    assert_eq!(page["items"][0]["name"], "zoo/1");
    let (_, slash) = api.get("/v3/paths/get/zoo/1").await;
    assert_eq!(slash["name"], "zoo/1");
}

#[actix_rt::test]
async fn errors_have_mediamtx_s_statuses_and_body() {
    let api = api(&[]);
    for (uri, status, error) in [
        ("/v3/paths/get/nobody", 404, "path not found"),
        ("/v3/paths/list?itemsPerPage=0", 400, "invalid items per page"),
        (
            "/v3/paths/list?page=x",
            400,
            "'x' is not a number of items or a page",
        ),
    ] {
        let (got, body) = api.get(uri).await;
        assert_eq!(got.as_u16(), status, "{uri}");
        assert_eq!(body, json!({"status": "error", "error": error}));
    }
    assert_eq!(api.get("/v3/paths/get/a%20b").await.0, StatusCode::BAD_REQUEST);
}

#[actix_rt::test]
async fn an_unknown_route_or_method_is_a_plain_404() {
    let api = api(&[]);
    for request in [
        TestRequest::get().uri("/v3/nothing"),
        TestRequest::get().uri("/"),
        TestRequest::post().uri("/v3/paths/list"),
        TestRequest::delete().uri("/v3/paths/get/demo"),
        TestRequest::get().uri("/metrics"),
    ] {
        let response = api.call(request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(body, "404 page not found");
    }
    let preflight = TestRequest::default()
        .method(Method::OPTIONS)
        .uri("/v3/paths/list")
        .insert_header(("Access-Control-Request-Method", "GET"));
    assert_eq!(api.call(preflight).await.status(), StatusCode::NO_CONTENT);
}

#[actix_rt::test]
async fn health_says_what_is_wrong() {
    let well = api(&[]);
    assert_eq!(well.get("/v3/node/ready").await.0, StatusCode::OK);
    let ill = api(&["the bus is away"]);
    for uri in ["/v3/node/ready", "/healthz"] {
        let (status, body) = ill.get(uri).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["problems"], json!(["the bus is away"]));
    }
    assert_eq!(ill.get("/v3/node/live").await.0, StatusCode::OK);
    let (_, info) = well.get("/v3/info").await;
    assert_eq!(info, json!({"version": "v9", "started": "1970-01-01T00:00:01Z"}));
}

#[actix_rt::test]
async fn metrics_are_prometheus_text_with_one_head_per_family() {
    let api = api(&["the bus is away"]);
    let _publication = publish(&api.bus, "demo", StreamState::Live).await;
    let app = init_service(App::new().configure(api.control.metrics())).await;
    let response = call_service(&app, TestRequest::get().uri("/metrics").to_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = to_bytes(response.into_body()).await.unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    for line in [
        "paths{name=\"demo\",state=\"ready\"} 1",
        "paths_bytes_received{name=\"demo\",state=\"ready\"} 1234",
        "paths_outbound_bytes{name=\"held\",state=\"notReady\"} 5",
        "paths_readers{name=\"demo\",readerType=\"rtspSession\",state=\"ready\"} 1",
        "rtsp_sessions_outbound_rtp_packets{id=\"r1\",path=\"demo\",remoteAddr=\"127.0.0.1:9\",state=\"read\"} 3",
        "webrtc_sessions 0",
        "weft_ready 0",
        "weft_info{node=\"a\",role=\"standalone\",version=\"v9\"} 1",
        "weft_things_total 4",
        "# TYPE weft_things_total counter",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in:\n{text}");
    }
    let mut heads: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
    let all = heads.len();
    heads.dedup();
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(heads.len(), all);
    assert!(text.contains("process_resident_memory_bytes "));
}
