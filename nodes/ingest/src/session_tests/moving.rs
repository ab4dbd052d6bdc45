//! A node drains: newcomers are refused, publishers are told to move, and their moves are no conflict.
//! How the words travel to a browser is the HTTP side's subject.

use super::{Camera, found, ms};
use crate::error::Error;
use crate::live::{Client, Live};
use crate::messages::{Close, CloseAll, Drain, Found, Publish};
use crate::testing::{identity, ingest, ingest_among, live, made, memory, stream};
use crate::{Ingest, IngestConfig};
use futures::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{pause, sleep};
use uuid::Uuid;
use weft_bus::{Members, NodesView};
use weft_wire::{
    CloseReason, Guest, NodeAddresses, NodeLimits, NodeLoad, NodeRecord, NodeRole, PublisherWord, StreamState,
};

fn exclusive() -> IngestConfig {
    IngestConfig {
        override_publisher: false,
        ..IngestConfig::default()
    }
}

/// Drains; how many URLs were made is counted.
async fn drain(node: &Ingest, urls: &Arc<AtomicUsize>) {
    let made = Arc::clone(urls);
    let url = Arc::new(move |live: &Live, secret: Uuid| {
        made.fetch_add(1, Ordering::Relaxed);
        format!("/{}?moves={secret}", live.stream)
    });
    node.state.sessions.send(Drain { url }).await.unwrap();
}

fn told(camera: &Camera) -> Option<PublisherWord> {
    camera.published.live.words().borrow().clone()
}

fn sent_on(camera: &Camera) -> PublisherWord {
    PublisherWord::Move(format!("/test?moves={}", camera.published.secret))
}

#[actix::test]
async fn a_node_that_drains_takes_nobody_and_tells_each_publisher_once_where_to_go() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    let waiting = Camera::offer(&node).await;
    let mut heard = bus.hear(camera.published.live.id).await.unwrap();
    let urls = Arc::default();
    drain(&node, &urls).await;
    drain(&node, &urls).await;
    assert_eq!(told(&camera), Some(sent_on(&camera)));
    assert_eq!(told(&waiting), Some(sent_on(&waiting)), "without media yet, too");
    assert_eq!(urls.load(Ordering::Relaxed), 2, "said again it changes nothing");
    assert!(matches!(Camera::try_offer(&node).await, Err(Error::Draining)));
    assert_eq!(camera.state(), StreamState::Live);
    let Found::Open(entry) = found(&node, &camera).await else {
        panic!("the session runs");
    };
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    node.state
        .sessions
        .send(CloseAll(CloseReason::Shutdown))
        .await
        .unwrap();
    sleep(ms(20)).await;
    assert_eq!(told(&camera), Some(PublisherWord::Closed(CloseReason::PeerLeft)));
    assert_eq!(told(&waiting), Some(PublisherWord::Closed(CloseReason::Shutdown)));
    assert_eq!(waiting.closed(), [CloseReason::Shutdown]);
    for word in [sent_on(&camera), PublisherWord::Closed(CloseReason::PeerLeft)] {
        assert_eq!(heard.recv().await.unwrap().word, word, "on other nodes the same");
    }
}

#[actix::test]
async fn a_word_is_said_once_and_none_follows_the_last() {
    let (bus, _) = memory();
    let session = live();
    let mut heard = bus.hear(session.id).await.unwrap();
    let go = |url: &str| PublisherWord::Move(url.to_owned());
    let closed = PublisherWord::Closed(CloseReason::PeerLeft);
    for word in [
        go("/a"),
        go("/a"),
        go("/b"),
        closed.clone(),
        closed.clone(),
        go("/c"),
    ] {
        session.say(&*bus, word);
    }
    assert_eq!(session.said(), Some(closed.clone()));
    for word in [go("/a"), go("/b"), closed] {
        assert_eq!(heard.recv().await.unwrap().word, word);
    }
    assert!(heard.recv().now_or_never().is_none());
}

#[actix::test]
async fn an_offer_that_was_being_answered_when_the_drain_began_is_sent_on_too() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(exclusive(), bus, registry, "a");
    let publish = Publish {
        stream: stream("test"),
        offer: String::new(),
        client: Client::default(),
        reached_at: None,
        moves: None,
    };
    let published = node.state.sessions.send(publish);
    drain(&node, &Arc::default()).await;
    let published = published.await.unwrap().unwrap();
    let _made = made();
    let word = published.live.words().borrow().clone();
    assert!(matches!(word, Some(PublisherWord::Move(_))), "{word:?}");
}

#[actix::test]
async fn a_mover_replaces_the_session_it_comes_from_where_nobody_else_may() {
    pause();
    let (bus, registry) = memory();
    let here = ingest(exclusive(), bus.clone(), registry.clone(), "a");
    let there = ingest(exclusive(), bus.clone(), registry.clone(), "b");
    let mut old = Camera::offer(&here).await;
    old.stream_for(ms(200)).await;
    assert!(matches!(Camera::try_offer(&there).await, Err(Error::Conflict(_))));
    let moves = Some(old.published.live.id);
    let mut new = Camera::try_moving(&there, moves).await.unwrap();
    old.stream_for(ms(200)).await;
    assert!(old.closed().is_empty(), "until the new one's media is there");
    new.send(true).await;
    sleep(ms(20)).await;
    assert_eq!(new.state(), StreamState::Live);
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(held.record.session, new.published.live.id);
}

#[actix::test]
async fn a_mover_whose_name_is_somebody_elses_by_then_is_a_newcomer_like_any_other() {
    pause();
    let (bus, registry) = memory();
    let here = ingest(exclusive(), bus.clone(), registry.clone(), "a");
    let there = ingest(exclusive(), bus.clone(), registry.clone(), "b");
    let mut old = Camera::offer(&here).await;
    old.send(true).await;
    let mut mover = Camera::try_moving(&there, Some(old.published.live.id))
        .await
        .unwrap();
    let Found::Open(entry) = found(&here, &old).await else {
        panic!("the session runs");
    };
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    sleep(ms(20)).await;
    let mut third = Camera::offer(&here).await;
    third.send(true).await;
    mover.send(true).await;
    sleep(ms(20)).await;
    assert_eq!(mover.closed(), [CloseReason::Conflict]);
    assert_eq!(told(&mover), Some(PublisherWord::Closed(CloseReason::Conflict)));
    assert_eq!(third.state(), StreamState::Live);
    assert!(third.closed().is_empty());
}

#[actix::test]
async fn a_node_at_its_limit_of_bits_names_the_key_of_it() {
    pause();
    let (bus, registry) = memory();
    let record = NodeRecord {
        role: NodeRole::Ingest,
        incarnation: identity("a").incarnation,
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad {
            bits_per_second: 1_000,
            ..NodeLoad::default()
        },
        limits: NodeLimits {
            bits_per_second: 1_000,
            ..NodeLimits::default()
        },
        draining: false,
        started: 0,
    };
    assert!(!record.takes(Guest::Publisher));
    let view = tokio::sync::watch::channel(Arc::new(NodesView::default())).1;
    let members = Members::seeing(identity("a").name, Arc::new(move || record.clone()), view);
    let node = ingest_among(IngestConfig::default(), bus, registry, members);
    let Err(refused) = Camera::try_offer(&node).await else {
        panic!("it is full");
    };
    assert!(matches!(refused, Error::Full(_)));
    assert!(
        refused.to_string().contains("fabric.limits.bitsPerSecond"),
        "{refused}"
    );
}
