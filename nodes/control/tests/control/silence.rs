//! A node that hangs or is gone, a bus that is away, a table of nodes out of reach: lists answer all the same, soon, and say
//! how old they are. How a cut-off node keeps its sessions is tested with the parts.

use super::world::{World, session};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use weft_wire::{NodeRole, StreamState};

const TWO: [(&str, NodeRole); 2] = [("a", NodeRole::Standalone), ("b", NodeRole::Standalone)];

/// The longest a round may take, with what a loaded machine adds.
const BOUND: Duration = Duration::from_millis(1_500);

async fn both() -> World {
    let world = World::new(&TWO).await;
    world.publish("a", "here", 1, StreamState::Live).await;
    world.publish("b", "there", 2, StreamState::Live).await;
    world.open("b", "here", &[0x21], 9);
    world
}

/// The list of streams, by name: ready, node, readers. With the header beside it.
async fn streams(world: &World, at: &str) -> (Value, Value) {
    let response = world.call(at, TestRequest::get().uri("/v3/paths/list")).await;
    assert_eq!(response.status(), 200);
    let header = response.headers().get("Weft-View-Age").unwrap().to_str().unwrap();
    let header: u64 = header.parse().unwrap();
    let (_, list) = super::world::json(response).await;
    assert_eq!(list["viewAgeSeconds"], header);
    let items = list["items"].as_array().unwrap().iter().map(|item| {
        let readers = item["readers"].as_array().unwrap().len();
        (
            item["name"].as_str().unwrap().to_owned(),
            json!([item["ready"], item["source"]["node"], readers]),
        )
    });
    (Value::Object(items.collect()), json!(header))
}

#[actix_rt::test]
async fn a_node_that_hangs_costs_a_second_and_its_streams_are_shown_as_not_ready() {
    let world = both().await;
    world.fake("b").hangs.store(true, Relaxed);
    for _ in 0..2 {
        let began = Instant::now();
        let (list, age) = streams(&world, "a").await;
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        assert_eq!(list, json!({"here": [true, "a", 0], "there": [false, "b", 0]}));
        assert_eq!(age, 0, "this node sees all it can");
        let (_, b) = world.get("a", "/v3/nodes/get/b").await;
        assert_eq!(b["answering"], false);
        tokio::time::sleep(Duration::from_millis(210)).await;
    }
    world.fake("b").hangs.store(false, Relaxed);
    let (list, _) = streams(&world, "a").await;
    assert_eq!(list, json!({"here": [true, "a", 1], "there": [true, "b", 0]}));
}

#[actix_rt::test]
async fn a_node_that_is_gone_is_known_at_once() {
    let mut world = both().await;
    world.places.remove("b");
    let began = Instant::now();
    let (list, _) = streams(&world, "a").await;
    assert!(
        began.elapsed() < Duration::from_millis(700),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(list, json!({"here": [true, "a", 0], "there": [false, "b", 0]}));
    let (_, b) = world.get("a", "/v3/nodes/get/b").await;
    assert_eq!(b["answering"], false);
}

#[actix_rt::test]
async fn this_node_s_own_silence_bounds_nobody_s_patience_either() {
    let world = both().await;
    world.fake("a").hangs.store(true, Relaxed);
    let began = Instant::now();
    let (list, _) = streams(&world, "a").await;
    assert!(began.elapsed() < BOUND);
    assert_eq!(list["there"], json!([true, "b", 0]));
}

#[actix_rt::test]
async fn many_that_hang_do_not_keep_the_others_from_being_asked() {
    let names: Vec<&'static str> = (0..45)
        .map(|i| &*Box::leak(format!("n{i:02}").into_boxed_str()))
        .collect();
    let nodes: Vec<_> = names.iter().map(|name| (*name, NodeRole::Standalone)).collect();
    let world = World::new(&nodes).await;
    for name in &names[1..40] {
        world.fake(name).hangs.store(true, Relaxed);
    }
    let began = Instant::now();
    let (_, list) = world.get("n00", "/v3/nodes/list").await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let items = list["items"].as_array().unwrap();
    let answering = items.iter().filter(|node| node["answering"] == true).count();
    assert_eq!(answering, 6);
}

#[actix_rt::test]
async fn a_node_cut_off_answers_with_what_it_knew_and_says_since_when() {
    let world = both().await;
    let whole = json!({"here": [true, "a", 1], "there": [true, "b", 0]});
    assert_eq!(streams(&world, "a").await, (whole.clone(), json!(0)));
    tokio::time::sleep(Duration::from_millis(250)).await;
    world.places["a"].link.cut(true);
    let began = Instant::now();
    let (list, age) = streams(&world, "a").await;
    assert!(began.elapsed() < Duration::from_millis(700));
    assert_eq!(list, whole, "it may all be going on as before");
    assert_eq!(age, 1);
    let (_, nodes) = world.get("a", "/v3/nodes/list").await;
    assert_eq!(nodes["viewAgeSeconds"], 1);
    assert_eq!(nodes["items"][0]["answering"], true);
    assert_eq!(nodes["items"][1]["answering"], false);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(streams(&world, "a").await.1, 2);
    assert!(
        world
            .metrics("a")
            .await
            .contains("\nweft_fabric_view_age_seconds ")
    );
    world.places["a"].link.cut(false);
    tokio::time::sleep(Duration::from_millis(210)).await;
    assert_eq!(streams(&world, "a").await, (whole, json!(0)));
}

#[actix_rt::test]
async fn a_node_that_never_saw_the_others_answers_for_itself() {
    let world = both().await;
    world.places["a"].link.cut(true);
    let (list, age) = streams(&world, "a").await;
    assert_eq!(list, json!({"here": [true, "a", 0]}));
    assert_eq!(age, 1);
    let (status, body) = world
        .post("a", &format!("/v3/rtspsessions/kick/{}", session(0x21)))
        .await;
    assert_eq!(
        (status.as_u16(), &body["error"]),
        (404, &json!("session not found"))
    );
    let (status, _) = world.post("a", "/v3/nodes/drain/b").await;
    assert_eq!(status, 503);
}

#[actix_rt::test]
async fn a_stream_of_this_node_is_closed_while_the_bus_is_away_and_one_without_media_anywhere() {
    let world = both().await;
    world.publish("b", "new", 0x30, StreamState::Waiting).await;
    assert_eq!(world.post("a", "/v3/paths/kick/new").await.0, 200);
    assert_eq!(world.fake("b").closed.lock().unwrap()[0].session, session(0x30));
    world.places["a"].link.cut(true);
    assert_eq!(world.post("a", "/v3/paths/kick/here").await.0, 200);
    assert_eq!(world.fake("a").closed.lock().unwrap().len(), 1);
    assert_eq!(world.post("a", "/v3/paths/kick/there").await.0, 503);
}

#[actix_rt::test]
async fn a_table_of_nodes_out_of_reach_for_5_s_is_named_with_its_age() {
    let world = both().await;
    assert_eq!(world.get("a", "/v3/node/ready").await.0, 200);
    world.view.send_modify(|view| {
        let as_of = &mut Arc::make_mut(view).as_of;
        *as_of = as_of.map(|at| at.checked_sub(Duration::from_secs(7)).unwrap());
    });
    let (list, age) = streams(&world, "a").await;
    assert_eq!(list["there"], json!([true, "b", 0]), "nodes still answer");
    assert_eq!(age, 8, "upwards");
    let (status, body) = world.get("a", "/v3/node/ready").await;
    assert_eq!(status, 503);
    let problem = "the view of the other nodes is 7 s old: the table of nodes is out of reach";
    assert_eq!(body["problems"], json!([problem]));
}
