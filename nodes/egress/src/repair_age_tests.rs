//! How old what comes out may be: groups of silent publishers, answers that were held up on their way.
//! Order, holes and questions are the tests' beside these.

use super::*;

/// An answer with these units, given `now` by the scene's clock.
fn given(s: &Scene, session: SessionId, revision: u64, units: Vec<AccessUnit>, next: u64) -> UnitsAnswer {
    UnitsAnswer {
        batches: vec![UnitBatch {
            session,
            epoch: epoch(revision),
            units,
        }],
        end: UnitsEnd {
            key_age_ms: 60_000,
            ..s.end(session, revision, next)
        },
    }
}

#[tokio::test(start_paused = true)]
async fn readers_of_another_session_are_not_shown_the_last_group_of_a_silent_newcomer() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    let group: Vec<_> = (50..53).map(|seq| s.unit(seq)).collect();
    s.pass(9_000);
    s.repair.reconnected(s.now);
    assert_eq!(s.ask(), Some(Ask::Newest));
    let answer = given(&s, NEW, 2, group, 53);
    s.repair.answered(s.now, Ask::Newest, Ok(answer));
    assert_eq!(s.out(), ["10", "session"]);
    s.live(NEW, 2, [53, 54]);
    assert_eq!(s.out(), ["53", "54"]);
}

#[tokio::test(start_paused = true)]
async fn they_are_shown_the_group_of_one_whose_media_flows_however_long_ago_it_began() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    let mut group = vec![s.unit(50)];
    s.pass(9_000);
    group.push(s.unit(51));
    s.repair.reconnected(s.now);
    assert_eq!(s.ask(), Some(Ask::Newest));
    let answer = given(&s, NEW, 2, group, 52);
    s.repair.answered(s.now, Ask::Newest, Ok(answer));
    assert_eq!(s.out(), ["10", "session", "50", "51"]);
}

#[tokio::test(start_paused = true)]
async fn who_opens_a_silent_stream_is_shown_the_last_group_there_was() {
    let mut s = Scene::new();
    let group: Vec<_> = (50..53).map(|seq| s.unit(seq)).collect();
    s.pass(9_000);
    assert_eq!(s.ask(), Some(Ask::Newest));
    let answer = given(&s, NEW, 2, group, 53);
    s.repair.answered(s.now, Ask::Newest, Ok(answer));
    assert_eq!(s.out(), ["session", "50", "51", "52"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_held_up_on_its_way_brings_nothing_older_than_a_second() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(300);
    let ask = s.ask().unwrap();
    let early = s.unit(11);
    s.pass(400);
    let answer = given(&s, OLD, 1, vec![early, s.unit(12)], 13);
    // So long it waited in somebody's queue.
    s.pass(700);
    s.repair.answered(s.now, ask, Ok(answer));
    assert_eq!(s.out(), ["10", "lost 1", "12"]);
    assert_eq!(s.counters.stale.load(Relaxed), 1);
}
