//! What a publisher hears on its events channel, at its own node and at another; and that no channel is left behind.
//! The words come from real sessions: a drain, a close.

use super::moves::Camera;
use super::{Fabric, Node, OFFER, SDP, call, ms, name, node, request};
use crate::testing::memory;
use crate::{Ingest, IngestConfig};
use actix_web::body::MessageBody;
use std::future::poll_fn;
use std::pin::Pin;
use tokio::time::{Instant, pause, sleep, timeout};
use weft_bus::faulty::{Faults, Faulty};
use weft_wire::{CloseReason, PublisherWord};

/// A client's end of a channel.
struct Ear(Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>>);

impl Ear {
    async fn open(ingest: &Ingest, session: &str) -> Self {
        let (url, query) = session.split_once('?').unwrap_or((session, ""));
        let response = request(ingest, "GET", &format!("{url}/events?{query}"), &[], "").await;
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers.get("Content-Type").unwrap(), "text/event-stream");
        assert_eq!(headers.get("Cache-Control").unwrap(), "no-cache");
        let body = response.into_body();
        let mut ear = Self(Box::pin(body.boxed()));
        assert_eq!(ear.chunk().await.as_deref(), Some(":\n\n"), "open at once");
        ear
    }

    async fn chunk(&mut self) -> Option<String> {
        let chunk = poll_fn(|cx| self.0.as_mut().poll_next(cx)).await?;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }

    /// The next event; comments are none.
    async fn event(&mut self) -> Option<String> {
        loop {
            let chunk = self.chunk().await?;
            if chunk != ":\n\n" {
                return Some(chunk);
            }
        }
    }
}

fn closed(reason: &str) -> Option<String> {
    Some(format!("event: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n"))
}

fn moved(url: &str) -> Option<String> {
    Some(format!("event: move\ndata: {{\"url\":\"{url}\"}}\n\n"))
}

/// Publishes `cam/1` with media that flows.
async fn flowing(ingest: &Ingest) -> String {
    flowing_as(ingest, "cam/1").await
}

async fn flowing_as(ingest: &Ingest, stream: &str) -> String {
    let answer = call(ingest, "POST", &format!("/{stream}/whip"), &[SDP], OFFER).await;
    let url = answer.header("Location").unwrap().to_owned();
    Camera::of(url.clone()).await.flow();
    url
}

async fn published_with(ingest: &Ingest, query: &str) -> String {
    let answer = call(ingest, "POST", &format!("/cam/1/whip?{query}"), &[SDP], OFFER).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("Location").unwrap().to_owned()
}

fn secret(url: &str) -> &str {
    let (path, _) = url.split_once('?').unwrap_or((url, ""));
    path.rsplit_once('/').unwrap().1
}

#[actix::test]
async fn a_publisher_hears_where_to_go_and_why_it_was_closed() {
    pause();
    let node = node(IngestConfig::default());
    let url = published_with(&node, "jwt=x%20y").await;
    let mut ear = Ear::open(&node, &url).await;
    assert_eq!(node.listeners(), 1);
    node.drain().await;
    let there = format!("/cam/1/whip?moves={}&jwt=x%20y", secret(&url));
    assert_eq!(ear.event().await, moved(&there));
    let mut late = Ear(Ear::open_raw(&node, &url).await);
    assert_eq!(
        late.event().await,
        moved(&there),
        "what was said before is heard too"
    );
    assert_eq!(call(&node, "DELETE", &url, &[], "").await.status, 200);
    assert_eq!(ear.event().await, closed("peer-left"));
    assert_eq!(ear.event().await, None);
    assert_eq!(late.event().await, closed("peer-left"));
    drop((ear, late));
    assert_eq!(node.listeners(), 0);
    let (path, query) = url.split_once('?').unwrap();
    let answer = call(&node, "GET", &format!("{path}/events?{query}"), &[], "").await;
    assert_eq!(answer.status, 410);
    assert_eq!(answer.error(), "session is closed: peer-left");
}

impl Ear {
    /// The body alone, from its first byte.
    async fn open_raw(
        ingest: &Ingest,
        session: &str,
    ) -> Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>> {
        let (url, query) = session.split_once('?').unwrap_or((session, ""));
        let response = request(ingest, "GET", &format!("{url}/events?{query}"), &[], "").await;
        Box::pin(response.into_body().boxed())
    }
}

#[actix::test]
async fn through_another_node_it_hears_the_same_in_order() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = published_with(&a.ingest, "user=u&pass=p").await;
    let mut ear = Ear::open(&b.ingest, &url).await;
    assert_eq!((a.ingest.listeners(), b.ingest.listeners()), (0, 1));
    a.ingest.drain().await;
    call(&a.ingest, "DELETE", &url, &[], "").await;
    let there = format!(
        "http://node.example:8889/cam/1/whip?moves={}&user=u&pass=p",
        secret(&url)
    );
    assert_eq!(ear.event().await, moved(&there));
    assert_eq!(ear.event().await, closed("peer-left"));
    assert_eq!(ear.event().await, None);
    drop(ear);
    assert_eq!(b.ingest.listeners(), 0);
    let (path, _) = url.split_once('?').unwrap();
    let answer = call(&b.ingest, "GET", &format!("{path}/events"), &[], "").await;
    assert_eq!(answer.status, 410);
    assert!(answer.body.contains(r#""reason":"peer-left""#));
    assert_eq!(b.ingest.listeners(), 0);
}

#[actix::test]
async fn a_word_lost_between_nodes_is_asked_for_within_10_s() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = flowing(&a.ingest).await;
    let mut ear = Ear::open(&b.ingest, &url).await;
    sleep(ms(500)).await;
    let entry = a.ingest.state.find(secret(&url).parse_uuid()).await.unwrap();
    // Told to a bus that nobody hears.
    let (deaf, _) = memory();
    entry.live.say(&*deaf, PublisherWord::Move("/x".to_owned()));
    let said = Instant::now();
    assert_eq!(ear.event().await, moved("/x"));
    assert!(said.elapsed() <= ms(10_500), "{:?}", said.elapsed());
    entry.live.say(&*deaf, PublisherWord::Closed(CloseReason::Kicked));
    assert_eq!(ear.event().await, closed("kicked"));
    assert_eq!(ear.event().await, None);
}

#[actix::test]
async fn a_channel_outlives_its_node_s_absence_from_the_bus() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let way = Faulty::wrap(fabric.bus.clone(), Faults::default());
    let b = fabric.node_on(way.clone(), "b", 0, IngestConfig::default()).await;
    let url = flowing(&a.ingest).await;
    let mut ear = Ear::open(&b.ingest, &url).await;
    way.cut(true);
    let heard = timeout(ms(45_000), ear.event()).await;
    assert!(heard.is_err(), "{heard:?}");
    a.ingest.drain().await;
    let heard = timeout(ms(1_000), ear.event()).await;
    assert!(heard.is_err(), "said while it was away: {heard:?}");
    way.cut(false);
    let back = Instant::now();
    assert!(ear.event().await.unwrap().contains("event: move"));
    assert!(back.elapsed() <= ms(11_000), "{:?}", back.elapsed());
}

trait ParseUuid {
    fn parse_uuid(&self) -> uuid::Uuid;
}

impl ParseUuid for str {
    /// The secret of `{node}.{uuid}`.
    fn parse_uuid(&self) -> uuid::Uuid {
        self.rsplit_once('.').unwrap().1.parse().unwrap()
    }
}

#[actix::test]
async fn when_the_session_s_node_dies_or_hangs_the_channel_ends() {
    pause();
    let fabric = Fabric::new();
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    for hangs in [false, true] {
        let mut a = fabric.node("a", 0, IngestConfig::default()).await;
        let url = flowing(&a.ingest).await;
        let mut ear = Ear::open(&b.ingest, &url).await;
        sleep(ms(15_000)).await;
        a.die();
        let _hanging = if hangs {
            Some(fabric.hanging("a").await)
        } else {
            None
        };
        let died = Instant::now();
        assert_eq!(ear.event().await, None);
        let took = died.elapsed();
        assert!(
            took <= ms(if hangs { 21_000 } else { 11_500 }),
            "{hangs}: {took:?}"
        );
        drop(ear);
        assert_eq!(b.ingest.listeners(), 0);
    }
}

#[actix::test]
async fn a_node_that_hangs_for_a_moment_ends_no_channel() {
    pause();
    let fabric = Fabric::new();
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let mut a = fabric.node("a", 0, IngestConfig::default()).await;
    let url = flowing(&a.ingest).await;
    let mut ear = Ear::open(&b.ingest, &url).await;
    a.die();
    let hanging = fabric.hanging("a").await;
    let heard = timeout(ms(9_000), ear.event()).await;
    assert!(heard.is_err(), "{heard:?}");
    drop(hanging);
    let _serving = a.serve_again(&fabric).await;
    let heard = timeout(ms(30_000), ear.event()).await;
    assert!(heard.is_err(), "{heard:?}");
    a.ingest.drain().await;
    assert!(ear.event().await.unwrap().contains("event: move"));
}

impl Node {
    async fn serve_again(&self, fabric: &Fabric) -> weft_bus::Serving {
        let service = super::Answers {
            ingest: self.ingest.clone(),
            asked: self.asked.clone(),
        };
        fabric
            .bus
            .serve(name("a"), std::sync::Arc::new(service))
            .await
            .unwrap()
    }
}

#[actix::test]
async fn a_silent_channel_is_kept_alive_and_given_back_when_the_client_leaves() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = flowing(&a.ingest).await;
    let mut ears = [Ear::open(&a.ingest, &url).await, Ear::open(&b.ingest, &url).await];
    for ear in &mut ears {
        for _ in 0..2 {
            let since = Instant::now();
            assert_eq!(ear.chunk().await.as_deref(), Some(":\n\n"));
            assert!(since.elapsed() <= ms(10_100));
        }
    }
    assert_eq!((a.ingest.listeners(), b.ingest.listeners()), (1, 1));
    drop(ears);
    assert_eq!((a.ingest.listeners(), b.ingest.listeners()), (0, 0));
}

#[actix::test]
async fn channels_are_bounded_by_session_and_by_node() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let small = IngestConfig {
        max_publishers: 1,
        ..IngestConfig::default()
    };
    let b = fabric.node("b", 0, small).await;
    let url = flowing(&a.ingest).await;
    let mut ears = Vec::new();
    for _ in 0..5 {
        ears.push(Ear::open(&a.ingest, &url).await);
    }
    assert_eq!(a.ingest.listeners(), 4);
    assert_eq!(ears[0].event().await, None, "the oldest ends");
    assert_eq!(ears[4].chunk().await.as_deref(), Some(":\n\n"));

    let first = flowing_as(&a.ingest, "cam/2").await;
    let second = flowing_as(&a.ingest, "cam/3").await;
    let held = [
        Ear::open(&b.ingest, &url).await,
        Ear::open(&b.ingest, &first).await,
    ];
    let answer = call(&b.ingest, "GET", &format!("{second}/events"), &[], "").await;
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("2")));
    drop(held);
    Ear::open(&b.ingest, &second).await;
}

#[actix::test]
async fn a_shutdown_says_why_and_ends_every_channel() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let url = flowing(&a.ingest).await;
    let (mut own, mut far) = (Ear::open(&a.ingest, &url).await, Ear::open(&b.ingest, &url).await);
    b.ingest.shutdown(CloseReason::Shutdown).await;
    assert_eq!(
        far.event().await,
        None,
        "its session lives, the node that relays it ends"
    );
    a.ingest.shutdown(CloseReason::Shutdown).await;
    assert_eq!(own.event().await, closed("shutdown"));
    assert_eq!(own.event().await, None);
    let answer = call(&b.ingest, "GET", &format!("{url}/events"), &[], "").await;
    assert_ne!(answer.status, 200);
}
