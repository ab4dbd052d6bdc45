//! The events that pages live on: everything first, then what changes; one look a second for all who listen and none for
//! nobody; a page that is too slow; whom the wall shows what. Time is paused, so nothing here waits.

use super::world::{World, node, stream};
use actix_web::App;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use weft_auth::Gate;
use weft_config::{Config, Live};
use weft_wire::{NodeRole, SessionId, StreamEvent, StreamState};

/// Boss may use the API, anna may read what begins with `exam_1_`.
const USERS: &str = "authInternalUsers:
  - {user: boss, pass: hush, permissions: [{action: api}]}
  - {user: anna, pass: hush, permissions: [{action: read, path: '~^exam_1_'}]}
";

async fn open(world: &World, uri: &str, login: &str) -> ServiceResponse {
    let app = init_service(App::new().configure(world.places["a"].control.api())).await;
    let request = TestRequest::get()
        .uri(uri)
        .peer_addr("127.0.0.1:5".parse().unwrap())
        .insert_header(("Authorization", format!("Bearer {login}")));
    call_service(&app, request.to_request()).await
}

/// An answer that goes on.
struct Events(BoxBody);

impl Events {
    async fn of(world: &World, uri: &str, login: &str) -> Self {
        let response = open(world, uri, login).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers().get("Content-Type").unwrap(),
            "text/event-stream"
        );
        Self(response.into_body())
    }

    /// The next event and what it tells; `None`: the answer has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        let chunk = std::future::poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx));
        let bytes = timeout(Duration::from_secs(30), chunk).await.unwrap()?.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (name, data) = text
            .strip_prefix("event: ")
            .unwrap()
            .split_once("\ndata: ")
            .unwrap();
        Some((name.to_owned(), serde_json::from_str(data.trim_end()).unwrap()))
    }

    /// Of an event of this name.
    async fn told(&mut self, name: &str) -> Value {
        let (got, data) = self.next().await.unwrap();
        assert_eq!(got, name, "{data}");
        data
    }
}

fn names(streams: &Value) -> Vec<&str> {
    streams
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["name"].as_str().unwrap())
        .collect()
}

async fn guarded(world: &mut World, yaml: &str) {
    let live = Live::fixed(Config::parse(yaml, "test").unwrap());
    let place = world.places.get_mut("a").unwrap();
    place.control = place.control.clone().guarded(live.clone(), Gate::new(live));
}

#[actix_rt::test]
async fn a_page_is_told_everything_first_and_then_each_second_what_has_changed() {
    let world = World::new(&[("a", NodeRole::Ingest), ("b", NodeRole::Egress)]).await;
    tokio::time::pause();
    world.publish("a", "cam/1", 1, StreamState::Live).await;
    world.publish("a", "cam/2", 2, StreamState::Stalled).await;
    world.open("b", "held", &[0x21], 5);
    let mut page = Events::of(&world, "/v3/live", "").await;
    let told = page.told("snapshot").await;
    assert_eq!(names(&told["nodes"]), ["a", "b"]);
    assert_eq!(names(&told["streams"]), ["cam/1", "cam/2", "held"]);
    let line = &told["streams"][0];
    assert_eq!(
        (
            &line["state"],
            &line["node"],
            &line["tracks"],
            &line["width"],
            &line["bits"]
        ),
        (
            &json!("live"),
            &json!("a"),
            &json!(["H264", "Opus"]),
            &json!(1920),
            &Value::Null
        )
    );
    assert_eq!(told["streams"][1]["state"], "stalled");
    assert_eq!(
        (&told["streams"][2]["state"], &told["streams"][2]["readers"]),
        (&json!("held"), &json!(1))
    );

    // 250 kB and 30 pictures in a second; another stream ends.
    {
        let mut publishers = world.fake("a").publishers.lock().unwrap();
        publishers[0].info.inbound_bytes += 250_000;
        publishers[0].detail.pictures += 30;
        publishers.truncate(1);
    }
    let told = page.told("change").await;
    assert_eq!(names(&told["streams"]), ["cam/1"], "{told}");
    assert_eq!(told["goneStreams"], json!(["cam/2"]));
    let line = &told["streams"][0];
    let near = |value: &Value, wanted: f64| (value.as_f64().unwrap() / wanted - 1.0).abs() < 0.05;
    assert!(near(&line["bits"], 2e6) && near(&line["fps"], 30.0), "{line}");
    assert!(line.get("state").is_none(), "what is as it was is not told again");

    let mut one = Events::of(&world, "/v3/live?match=cam*", "").await;
    assert_eq!(names(&one.told("snapshot").await["streams"]), ["cam/1"]);
}

#[actix_rt::test]
async fn many_pages_cost_one_look_a_second_and_no_page_none() {
    let world = World::alone().await;
    tokio::time::pause();
    world.publish("a", "cam", 1, StreamState::Live).await;
    let asked = || world.fake("a").asked.load(Relaxed);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(asked(), 0, "nobody looks");
    let mut pages = Vec::new();
    for _ in 0..20 {
        pages.push(Events::of(&world, "/v3/live", "").await);
    }
    let (before, began) = (asked(), Instant::now());
    for _ in 0..10 {
        for page in &mut pages {
            page.next().await.unwrap();
        }
    }
    let (looks, seconds) = (asked() - before, began.elapsed().as_secs());
    assert!(
        (9..=11).contains(&looks) && (8..=10).contains(&seconds),
        "{looks} looks in {seconds} s"
    );
    assert!(
        world
            .metrics("a")
            .await
            .contains("\nweft_control_live_listeners 20\n")
    );
    drop(pages);
    sleep(Duration::from_secs(2)).await;
    let before = asked();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(asked(), before, "nobody looks any more");
    assert!(
        world
            .metrics("a")
            .await
            .contains("\nweft_control_live_listeners 0\n")
    );
}

#[actix_rt::test]
async fn a_page_too_many_is_refused_until_another_one_leaves() {
    let world = World::alone().await;
    tokio::time::pause();
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(Events::of(&world, "/v3/live", "").await);
    }
    let refused = open(&world, "/v3/live", "").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("Retry-After"));
    assert!(
        world
            .metrics("a")
            .await
            .contains("\nweft_control_live_refused_total 1\n")
    );
    pages.pop();
    Events::of(&world, "/v3/live", "").await.told("snapshot").await;
}

#[actix_rt::test]
async fn a_page_that_does_not_keep_up_gets_everything_anew_and_keeps_nobody_waiting() {
    let world = World::alone().await;
    tokio::time::pause();
    world.publish("a", "cam", 1, StreamState::Live).await;
    let (mut slow, mut quick) = (
        Events::of(&world, "/v3/live", "").await,
        Events::of(&world, "/v3/live", "").await,
    );
    slow.told("snapshot").await;
    quick.told("snapshot").await;
    for _ in 0..30 {
        quick.told("change").await;
    }
    assert_eq!(names(&slow.told("snapshot").await["streams"]), ["cam"]);
    slow.told("change").await;
    assert!(
        world
            .metrics("a")
            .await
            .contains("\nweft_control_live_behind_total 1\n")
    );
}

#[actix_rt::test]
async fn a_new_configuration_ends_what_was_allowed_under_the_old_one() {
    let mut world = World::alone().await;
    tokio::time::pause();
    let settings = watch::Sender::new(Arc::new(Config::default()));
    let live = Live::new(settings.subscribe());
    let place = world.places.get_mut("a").unwrap();
    place.control = place.control.clone().guarded(live.clone(), Gate::new(live));
    let mut page = Events::of(&world, "/v3/live", "").await;
    page.told("snapshot").await;
    settings.send_replace(Arc::new(Config::parse(USERS, "test").unwrap()));
    let began = Instant::now();
    while page.next().await.is_some() {
        assert!(began.elapsed() < Duration::from_secs(3));
    }
    assert_eq!(
        open(&world, "/v3/live", "anna:hush").await.status(),
        StatusCode::UNAUTHORIZED
    );
    Events::of(&world, "/v3/live", "boss:hush")
        .await
        .told("snapshot")
        .await;
}

#[actix_rt::test]
async fn the_wall_shows_what_its_viewer_may_read_and_nothing_else_of_the_fabric() {
    let mut world = World::alone().await;
    guarded(&mut world, USERS).await;
    tokio::time::pause();
    for (number, name) in [(1, "exam_1_alice"), (2, "exam_1_bob"), (3, "exam_2_carl")] {
        world.publish("a", name, number, StreamState::Live).await;
    }
    let mut wall = Events::of(&world, "/v3/wall?match=exam_*", "anna:hush").await;
    let told = wall.told("snapshot").await;
    assert_eq!(names(&told["streams"]), ["exam_1_alice", "exam_1_bob"]);
    let fields: Vec<&String> = told["streams"][0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["height", "name", "since", "state", "width"]);
    assert!(told.get("nodes").is_none());
    // Who comes later is judged as well.
    world.publish("a", "exam_2_dora", 4, StreamState::Live).await;
    world.publish("a", "exam_1_emil", 5, StreamState::Live).await;
    world.fake("a").publishers.lock().unwrap().remove(0);
    let told = wall.told("change").await;
    assert_eq!(
        (names(&told["streams"]), &told["goneStreams"]),
        (vec!["exam_1_emil"], &json!(["exam_1_alice"]))
    );
}

#[actix_rt::test]
async fn who_may_see_nothing_of_a_wall_has_failed_to_log_in_and_waits_when_that_is_repeated() {
    let mut world = World::alone().await;
    guarded(
        &mut world,
        &format!("{USERS}fabric: {{limits: {{failedLogins: 3}}}}\n"),
    )
    .await;
    world.publish("a", "exam_1_alice", 1, StreamState::Live).await;
    world.publish("a", "exam_1_bob", 2, StreamState::Live).await;
    tokio::time::pause();
    assert_eq!(
        open(&world, "/v3/wall", "anna:hush").await.status(),
        StatusCode::BAD_REQUEST
    );
    for guess in ["anna:a", "anna:b", "anna:c"] {
        let answer = open(&world, "/v3/wall?match=*", guess).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{guess}");
    }
    let answer = open(&world, "/v3/wall?match=*", "anna:hush").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_rt::test]
async fn passwords_cannot_be_tried_by_way_of_streams_that_are_for_everybody() {
    let mut world = World::alone().await;
    let users = format!("{USERS}  - {{user: any, permissions: [{{action: read, path: public}}]}}\n");
    guarded(
        &mut world,
        &format!("{users}fabric: {{limits: {{failedLogins: 3}}}}\n"),
    )
    .await;
    world.publish("a", "exam_1_alice", 1, StreamState::Live).await;
    world.publish("a", "public", 2, StreamState::Live).await;
    tokio::time::pause();
    let mut wall = Events::of(&world, "/v3/wall?match=*", "anna:hush").await;
    assert_eq!(
        names(&wall.told("snapshot").await["streams"]),
        ["exam_1_alice", "public"]
    );
    for guess in ["anna:a", "anna:b", "anna:c"] {
        let mut wall = Events::of(&world, "/v3/wall?match=*", guess).await;
        assert_eq!(
            names(&wall.told("snapshot").await["streams"]),
            ["public"],
            "{guess}"
        );
    }
    let answer = open(&world, "/v3/wall?match=*", "anna:hush").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_rt::test]
async fn what_has_happened_to_a_stream_is_told_of_all_nodes_in_the_order_of_time() {
    let world = World::new(&[("a", NodeRole::Ingest), ("b", NodeRole::Egress)]).await;
    let note = |at: &str, of: &str, second: i64, what: &str, reason: &str| {
        let event = StreamEvent {
            at: 1_693_875_600_000_000 + second * 1_000_000,
            what: what.to_owned(),
            session: SessionId([7; 16]),
            kind: String::new(),
            reason: reason.to_owned(),
        };
        world.fake(at).events.lock().unwrap().push((stream(of), event));
    };
    note("a", "exam/1", 0, "live", "");
    note("a", "exam/1", 9, "closed", "kicked");
    note("b", "exam/1", 3, "reader-joined", "");
    note("b", "exam/2", 4, "reader-joined", "");
    let (status, told) = world.get("a", "/v3/paths/events/exam/1").await;
    assert_eq!((status, &told["silent"]), (StatusCode::OK, &json!([])));
    let items = told["items"].as_array().unwrap();
    let shown: Vec<_> = items
        .iter()
        .map(|i| (i["event"].as_str().unwrap(), i["node"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("live", "a"), ("reader-joined", "b"), ("closed", "a")]);
    assert_eq!(
        (&items[2]["time"], &items[2]["reason"]),
        (&json!("2023-09-05T01:00:09Z"), &json!("kicked"))
    );
    world.fake("b").hangs.store(true, Relaxed);
    let (_, told) = world.get("a", "/v3/paths/events/exam/1").await;
    assert_eq!(told["silent"], json!([node("b").to_string()]));
}
