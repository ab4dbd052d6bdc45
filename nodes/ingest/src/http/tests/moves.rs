//! A publisher that comes from its own old session, on a fabric where nobody is replaced.
//! What the session does with the name it takes is `session_tests`' subject.

use super::{Fabric, Node, OFFER, SDP, UUID, call, ms, name, published};
use crate::IngestConfig;
use crate::testing::{FakePeer, Source, feed, lock, made};
use std::sync::Arc;
use tokio::time::{pause, sleep};
use weft_bus::NodeRequest;
use weft_rtc::MediaReceiver;
use weft_wire::{CloseReason, SessionId};

pub(super) fn exclusive() -> IngestConfig {
    IngestConfig {
        override_publisher: false,
        ..IngestConfig::default()
    }
}

/// A publisher whose media flows.
pub(super) struct Camera {
    pub(super) url: String,
    pub(super) peer: Arc<FakePeer>,
    receiver: Box<dyn MediaReceiver>,
    source: Source,
}

impl Camera {
    /// What the last offer answered made.
    pub(super) async fn of(url: String) -> Self {
        let (peer, receiver) = made();
        let mut camera = Self {
            url,
            peer,
            receiver,
            source: Source::video(),
        };
        camera.send().await;
        camera
    }

    pub(super) async fn send(&mut self) {
        feed(&mut *self.receiver, self.source.unit(true, 500));
        sleep(ms(20)).await;
    }

    /// Its media flows on while the test does something else; ends with the test.
    pub(super) fn flow(mut self) {
        actix_rt::spawn(async move {
            loop {
                self.send().await;
                sleep(ms(480)).await;
            }
        });
    }

    /// `{node}.{secret}`.
    fn shown(&self) -> &str {
        self.url.rsplit_once('/').unwrap().1
    }
}

async fn come(node: &Node, moves: &str) -> super::Answer {
    call(
        &node.ingest,
        "POST",
        &format!("/cam/1/whip?jwt=x&moves={moves}"),
        &[SDP],
        OFFER,
    )
    .await
}

#[actix::test]
async fn a_publisher_that_shows_its_old_session_is_no_conflict_on_any_node() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, exclusive()).await;
    let b = fabric.node("b", 0, exclusive()).await;
    for (at, other) in [(&a, &b), (&b, &a)] {
        let mut old = Camera::of(published(&at.ingest).await).await;
        for node in [at, other] {
            let answer = call(&node.ingest, "POST", "/cam/1/whip", &[SDP], OFFER).await;
            assert_eq!(answer.status, 409);
            assert_eq!(answer.error(), "someone is already publishing to path 'cam/1'");
        }
        let answer = come(other, old.shown()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let location = answer.header("Location").unwrap();
        assert!(
            location.ends_with("?jwt=x"),
            "the old secret is of no further use: {location}"
        );
        assert!(
            lock(&old.peer.closed).is_empty(),
            "the old media flows until the new is there"
        );
        old.send().await;
        let new = Camera::of(location.to_owned()).await;
        sleep(ms(100)).await;
        assert_eq!(*lock(&old.peer.closed), [CloseReason::TakenOver]);
        assert!(lock(&new.peer.closed).is_empty());
        assert_eq!(call(&at.ingest, "DELETE", &new.url, &[], "").await.status, 200);
        sleep(ms(3_000)).await;
    }
}

#[actix::test]
async fn a_wrong_or_ended_or_foreign_session_gives_no_right() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, exclusive()).await;
    let b = fabric.node("b", 0, exclusive()).await;
    let _hanging = fabric.hanging("hanging").await;
    // Of another stream, and one that has ended.
    let foreign = call(&b.ingest, "POST", "/other/whip", &[SDP], OFFER).await;
    let foreign = foreign
        .header("Location")
        .unwrap()
        .rsplit_once('/')
        .unwrap()
        .1
        .to_owned();
    let ended = published(&a.ingest).await;
    call(&a.ingest, "DELETE", &ended, &[], "").await;
    let ended = ended.rsplit_once('/').unwrap().1;
    let mut camera = Camera::of(published(&a.ingest).await).await;
    for node in [&a, &b] {
        for shown in [
            &format!("a.{UUID}"),
            &format!("nobody.{UUID}"),
            &format!("hanging.{UUID}"),
            "nonsense",
            "",
            ended,
            &foreign,
        ] {
            camera.send().await;
            assert_eq!(come(node, shown).await.status, 409, "{shown}");
        }
    }
    assert!(lock(&camera.peer.closed).is_empty());
}

#[actix::test]
async fn where_a_publisher_comes_from_goes_along_with_its_offer() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, exclusive()).await;
    let b = fabric.node("b", 0, exclusive()).await;
    a.record.lock().unwrap().load.publishers = 0;
    let old = Camera::of(published(&a.ingest).await).await;
    let session = a.ingest.sessions().await[0].id;
    a.record.lock().unwrap().draining = true;
    let answer = come(&a, old.shown()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(answer.header("Location").unwrap().starts_with("/cam/1/whip/b."));
    let new = Camera::of(String::new()).await;
    sleep(ms(100)).await;
    assert_eq!(*lock(&old.peer.closed), [CloseReason::TakenOver]);
    assert!(lock(&new.peer.closed).is_empty());
    let moved: Vec<Option<SessionId>> = (b.asked.lock().unwrap().iter())
        .filter_map(|request| match request {
            NodeRequest::Offer(offer) => Some(offer.moves),
            _ => None,
        })
        .collect();
    assert_eq!(moved, [Some(session)]);
    assert_eq!(b.ingest.report().await[0].info.node, name("b"));
}
