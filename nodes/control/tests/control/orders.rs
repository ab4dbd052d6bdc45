//! Kicks and drains, wherever it is that they concern, and who may ask for them.
//! What a node does when it is told is tested with its parts.

use super::world::{World, json as read, node, owner, session, stream};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use weft_bus::{Bus, StreamOwner, UnitsAnswer};
use weft_wire::{
    CloseReason, Epoch, KeyframeRequest, Kick, NodeRole, OwnerInfo, SentTime, SessionId, StreamState,
    UnitSeq, UnitsEnd, UnitsRequest,
};

/// Somebody who answers for a stream on the bus.
pub(crate) struct Owner {
    info: OwnerInfo,
    kicks: Mutex<Vec<Kick>>,
}

impl Owner {
    pub(crate) fn of(at: &str, session: SessionId, state: StreamState, epoch: Epoch) -> Arc<Self> {
        Arc::new(Self {
            info: owner(at, session, state, epoch),
            kicks: Mutex::default(),
        })
    }
}

impl StreamOwner for Owner {
    fn units(&self, _: &UnitsRequest) -> UnitsAnswer {
        UnitsAnswer {
            batches: vec![],
            end: UnitsEnd {
                session: self.info.session,
                epoch: self.info.epoch,
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
        self.info.clone()
    }
    fn kick(&self, kick: Kick) {
        self.kicks.lock().unwrap().push(kick);
    }
}

fn ok() -> Value {
    json!({"status": "ok"})
}

async fn two() -> World {
    let world = World::new(&[("a", NodeRole::Ingest), ("b", NodeRole::Egress)]).await;
    world.publish("a", "cam", 1, StreamState::Live).await;
    world.open("b", "cam", &[0x21, 0x22], 9);
    world
}

#[actix_rt::test]
async fn a_session_is_closed_on_whichever_node_has_it_and_the_next_list_is_without_it() {
    let world = two().await;
    let kick = |kind: &str, number| format!("/v3/{kind}/kick/{}", session(number));
    assert_eq!(world.get("a", "/v3/rtspsessions/list").await.1["itemCount"], 2);
    let (status, body) = world.post("a", &kick("rtspsessions", 0x21)).await;
    assert_eq!((status.as_u16(), body), (200, ok()));
    assert_eq!(world.get("a", "/v3/rtspsessions/list").await.1["itemCount"], 1);
    let closed = world.fake("b").closed.lock().unwrap().clone();
    assert_eq!(closed.len(), 1, "nobody else is asked");
    assert_eq!(
        (&closed[0].node, closed[0].reason),
        (&node("a"), CloseReason::Kicked)
    );
    assert!(world.fake("a").closed.lock().unwrap().is_empty());

    assert_eq!(world.post("b", &kick("webrtcsessions", 1)).await.0, 200);
    assert_eq!(world.get("b", "/v3/webrtcsessions/list").await.1["itemCount"], 0);
}

#[actix_rt::test]
async fn a_session_that_has_come_since_the_last_round_is_closed_too() {
    let world = two().await;
    world.get("a", "/v3/rtspsessions/list").await;
    world.open("b", "other", &[0x33], 9);
    let (status, _) = world
        .post("a", &format!("/v3/rtspsessions/kick/{}", session(0x33)))
        .await;
    assert_eq!(status, 200);
    assert_eq!(world.fake("b").closed.lock().unwrap().len(), 1);
}

#[actix_rt::test]
async fn a_session_that_has_come_since_the_last_round_is_shown_by_its_id() {
    let world = two().await;
    world.get("a", "/v3/rtspsessions/list").await;
    world.open("b", "other", &[0x33], 9);
    let (status, body) = world
        .get("a", &format!("/v3/rtspsessions/get/{}", session(0x33)))
        .await;
    assert_eq!((status.as_u16(), body["path"].as_str()), (200, Some("other")));
}

#[actix_rt::test]
async fn what_is_not_there_or_of_another_kind_is_not_found() {
    let world = two().await;
    for (uri, status, error) in [
        (
            format!("/v3/rtspsessions/kick/{}", session(0x77)),
            404,
            "session not found",
        ),
        (
            format!("/v3/rtspsessions/kick/{}", session(1)),
            404,
            "session not found",
        ),
        (
            format!("/v3/webrtcsessions/kick/{}", session(0x21)),
            404,
            "session not found",
        ),
        (
            "/v3/webrtcsessions/kick/x".to_owned(),
            400,
            "invalid UUID length: 1",
        ),
        ("/v3/paths/kick/nobody".to_owned(), 404, "path not found"),
        ("/v3/nodes/drain/none".to_owned(), 404, "node not found"),
        (
            "/v3/node/drain?timeout=soon".to_owned(),
            400,
            "'soon' is not a duration; write it as '30s' or '5m'",
        ),
    ] {
        let (got, body) = world.post("a", &uri).await;
        assert_eq!(got.as_u16(), status, "{uri}");
        assert_eq!(body, json!({"status": "error", "error": error}), "{uri}");
    }
    let left = |name: &str| world.fake(name).publishers.lock().unwrap().len();
    assert_eq!(left("a"), 1, "the publisher is no RTSP session");
    assert_eq!(world.get("a", "/v3/rtspsessions/list").await.1["itemCount"], 2);
}

#[actix_rt::test]
async fn a_node_that_does_not_answer_is_named() {
    let world = two().await;
    world.get("a", "/v3/rtspsessions/list").await;
    world.fake("b").hangs.store(true, Relaxed);
    for uri in [
        format!("/v3/rtspsessions/kick/{}", session(0x21)),
        "/v3/nodes/drain/b".to_owned(),
    ] {
        let (status, body) = world.post("a", &uri).await;
        assert_eq!(status, 503, "{uri}");
        assert_eq!(
            body["error"],
            "node 'b' does not answer; ask it directly or try again"
        );
    }
}

#[actix_rt::test]
async fn a_stream_s_publisher_is_closed_by_the_stream_s_name() {
    let world = two().await;
    let owner = Owner::of("a", session(1), StreamState::Live, Epoch::default());
    let _publication = world.bus.publish(stream("cam/1"), owner.clone()).await.unwrap();
    let (status, body) = world.post("b", "/v3/paths/kick/cam/1").await;
    assert_eq!((status.as_u16(), body), (200, ok()));
    let kicks = owner.kicks.lock().unwrap();
    assert_eq!(
        (&kicks[0].node, kicks[0].reason),
        (&node("b"), CloseReason::Kicked)
    );
}

#[actix_rt::test]
async fn this_node_or_another_is_told_to_drain_and_says_who_is_left() {
    let world = two().await;
    for (uri, name, timeout_ms) in [
        ("/v3/node/drain", "a", 0),
        ("/v3/node/drain?timeout=30s", "a", 30_000),
        ("/v3/nodes/drain/a?timeout=0", "a", 0),
        ("/v3/nodes/drain/b?timeout=1m", "b", 60_000),
    ] {
        let (status, body) = world.post("a", uri).await;
        assert_eq!(status, 200, "{uri}");
        assert_eq!(
            body,
            json!({"status": "ok", "node": name, "publishers": 2, "readers": 3})
        );
        let told = world.fake(name).drained.lock().unwrap().pop().unwrap();
        assert_eq!((told.timeout_ms, told.node), (timeout_ms, node("a")), "{uri}");
    }
    let never: usize = ["a", "b"]
        .map(|name| world.fake(name).drained.lock().unwrap().len())
        .iter()
        .sum();
    assert_eq!(never, 0, "each was told once");
}

#[actix_rt::test]
async fn an_old_route_says_what_it_is_called_today() {
    let world = two().await;
    let owner = Owner::of("a", session(1), StreamState::Live, Epoch::default());
    let _publication = world.bus.publish(stream("cam/1"), owner.clone()).await.unwrap();
    let request = TestRequest::delete().uri("/v3/paths/delete/cam/1");
    let response = world.call("b", request).await;
    let notice = response
        .headers()
        .get("Weft-Notice")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(notice.contains("POST /v3/paths/kick/{name}"), "{notice}");
    assert_eq!(read(response).await, (actix_web::http::StatusCode::OK, ok()));
    assert_eq!(owner.kicks.lock().unwrap().len(), 1);
}
