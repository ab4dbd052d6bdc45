//! Cases about questions to the owner of a stream: they find it wherever it is, and say so when nobody is there.
//! What an owner does about them is its own business.

use crate::fixture::Fixture;
use crate::source::{Source, epoch, from, name, node_name};
use weft_bus::RequestError;
use weft_wire::{CloseReason, KeyframeRequest, Kick, UnitsFrom};

fn keyframe() -> KeyframeRequest {
    KeyframeRequest {
        node: node_name(),
        now: true,
        interval_ms: 2000,
    }
}

fn kick() -> Kick {
    Kick {
        node: node_name(),
        reason: CloseReason::Kicked,
    }
}

pub(crate) async fn questions_reach_the_owner(on: Fixture) {
    let mut source = Source::start(&on.publisher, "exam.1/cam").await;
    source.key();
    let info = on.reader.owner(name("exam.1/cam")).await.unwrap();
    assert_eq!((info.session, info.units), (source.kept.session, 1));
    on.reader.keyframe(name("exam.1/cam"), keyframe()).await.unwrap();
    on.reader.kick(name("exam.1/cam"), kick()).await.unwrap();
    // An owner may be asked from its own node too.
    on.publisher.owner(name("exam.1/cam")).await.unwrap();
    let state = source.kept.state.lock().unwrap();
    assert_eq!(state.keyframes, [keyframe()]);
    assert_eq!(state.kicks, [kick()]);
}

async fn nobody(on: &Fixture) {
    let started = tokio::time::Instant::now();
    let answers = [
        on.reader
            .units(name("s"), from(UnitsFrom::Live))
            .await
            .map(drop)
            .unwrap_err(),
        on.reader.keyframe(name("s"), keyframe()).await.unwrap_err(),
        on.reader.owner(name("s")).await.map(drop).unwrap_err(),
        on.reader.kick(name("s"), kick()).await.unwrap_err(),
    ];
    for answer in answers {
        assert!(matches!(answer, RequestError::NoOwner), "{answer:?}");
    }
    assert!(
        started.elapsed().as_millis() < 800,
        "known at once, not by waiting"
    );
}

pub(crate) async fn where_nobody_owns_it_the_asker_is_told_at_once(on: Fixture) {
    // A reader alone owns nothing.
    let _reader = on
        .reader
        .subscribe(name("s"), weft_bus::MediaFilter::All)
        .await
        .unwrap();
    nobody(&on).await;
}

pub(crate) async fn a_dropped_publication_answers_no_more(on: Fixture) {
    let source = Source::start(&on.publisher, "s").await;
    on.reader.owner(name("s")).await.unwrap();
    drop(source);
    on.publisher.flush().await;
    nobody(&on).await;
}

pub(crate) async fn of_two_owners_the_higher_epoch_counts(on: Fixture) {
    let mut first = Source::start_at(&on.publisher, "s", 8).await;
    let mut second = Source::start_at(&on.reader, "s", 9).await;
    let mut third = Source::start_at(&on.publisher, "s", 3).await;
    for _ in 0..50 {
        first.key();
        second.key();
        third.key();
    }
    for _ in 0..5 {
        assert_eq!(on.reader.owner(name("s")).await.unwrap().epoch, epoch(9));
        assert_eq!(on.publisher.owner(name("s")).await.unwrap().epoch, epoch(9));
    }
    on.reader.kick(name("s"), kick()).await.unwrap();
    let answer = on
        .reader
        .units(name("s"), from(UnitsFrom::NewestGop))
        .await
        .unwrap();
    assert!(answer.batches.iter().all(|b| b.session == answer.end.session));
}
