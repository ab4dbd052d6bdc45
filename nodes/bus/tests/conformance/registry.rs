//! Cases about the table of names: one holder at a time, epochs that only rise, removal by the holder only.
//! Each is seen from two nodes.

use crate::fixture::Fixture;
use crate::source::name;
use std::collections::BTreeSet;
use std::time::Duration;
use weft_bus::{Claim, ClaimError, Registered};
use weft_wire::{Epoch, Incarnation, NodeName, SessionId, StreamRecord};

fn record(session: u8) -> StreamRecord {
    StreamRecord {
        node: NodeName::new("n.1").unwrap(),
        incarnation: Incarnation(3),
        session: SessionId([session; 16]),
        since: 1_700_000_000_000_000,
    }
}

pub(crate) async fn a_claimed_name_is_seen_by_all_and_held(on: Fixture) {
    let [a, b] = &on.registries;
    assert_eq!(a.lookup(name("s")).await.unwrap(), None);
    let epoch = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    assert!(epoch.generation > 1_000_000_000_000_000, "µs since 1970");
    let registered = Registered {
        stream: name("s"),
        record: record(1),
        epoch,
    };
    for registry in [a, b] {
        assert_eq!(
            registry.lookup(name("s")).await.unwrap(),
            Some(registered.clone())
        );
        match registry.claim(name("s"), record(2), Claim::Vacant).await {
            Err(ClaimError::Held(held)) => assert_eq!(*held, registered),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn a_record_is_replaced_only_by_who_knows_its_epoch(on: Fixture) {
    let [a, b] = &on.registries;
    let first = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    let second = b.claim(name("s"), record(2), Claim::Over(first)).await.unwrap();
    assert!(second > first);
    match a.claim(name("s"), record(3), Claim::Over(first)).await {
        Err(ClaimError::Held(held)) => assert_eq!((held.epoch, held.record), (second, record(2))),
        other => panic!("{other:?}"),
    }
    let elsewhere = Epoch {
        generation: 1,
        ..second
    };
    assert!(matches!(
        a.claim(name("s"), record(3), Claim::Over(elsewhere)).await,
        Err(ClaimError::Held(_))
    ));
}

pub(crate) async fn a_claim_over_what_is_gone_says_that_it_changed(on: Fixture) {
    let [a, b] = &on.registries;
    let first = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    assert!(b.remove(name("s"), first).await.unwrap());
    for registry in [a, b] {
        let claimed = registry.claim(name("s"), record(2), Claim::Over(first)).await;
        assert!(matches!(claimed, Err(ClaimError::Changed)), "{claimed:?}");
    }
    let never = a.claim(name("never"), record(2), Claim::Over(first)).await;
    assert!(matches!(never, Err(ClaimError::Changed)), "{never:?}");
}

pub(crate) async fn only_the_record_of_that_epoch_is_removed(on: Fixture) {
    let [a, b] = &on.registries;
    let first = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    let second = a.claim(name("s"), record(2), Claim::Over(first)).await.unwrap();
    assert!(!b.remove(name("s"), first).await.unwrap());
    assert_eq!(b.lookup(name("s")).await.unwrap().unwrap().epoch, second);
    assert!(b.remove(name("s"), second).await.unwrap());
    assert_eq!(a.lookup(name("s")).await.unwrap(), None);
    assert!(!a.remove(name("s"), second).await.unwrap(), "it is gone already");
    assert!(!a.remove(name("never"), second).await.unwrap());
}

pub(crate) async fn epochs_rise_across_removal_and_new_claims(on: Fixture) {
    let [a, b] = &on.registries;
    let mut last = Epoch::default();
    for round in 0..10 {
        let (claimer, remover) = if round % 2 == 0 { (a, b) } else { (b, a) };
        let epoch = claimer
            .claim(name("s"), record(round), Claim::Vacant)
            .await
            .unwrap();
        assert!(epoch > last, "{epoch} after {last}");
        last = epoch;
        assert!(remover.remove(name("s"), epoch).await.unwrap());
    }
}

pub(crate) async fn of_many_claims_at_once_one_wins(on: Fixture) {
    for round in 0..10 {
        let stream = name(&format!("race/{round}"));
        let claims =
            (0..8).map(|i| on.registries[i % 2].claim(stream.clone(), record(i as u8), Claim::Vacant));
        let results = futures::future::join_all(claims).await;
        let won: Vec<Epoch> = results.iter().filter_map(|r| r.as_ref().ok().copied()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        let held = on.registries[0].lookup(stream).await.unwrap().unwrap();
        assert_eq!(held.epoch, won[0]);
    }
}

pub(crate) async fn a_claim_repeated_with_the_same_record_is_the_same_claim(on: Fixture) {
    let [a, _] = &on.registries;
    let first = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    let again = a.claim(name("s"), record(1), Claim::Vacant).await.unwrap();
    assert_eq!(first, again);
}

pub(crate) async fn the_list_has_every_name_in_order_and_no_removed_one(on: Fixture) {
    let [a, b] = &on.registries;
    assert_eq!(b.list().await.unwrap(), []);
    let mut expected = BTreeSet::new();
    for i in 0..50 {
        let stream = name(&format!("exam.{i}/cam~{i}"));
        let epoch = a.claim(stream.clone(), record(i), Claim::Vacant).await.unwrap();
        if i % 5 == 0 {
            assert!(b.remove(stream, epoch).await.unwrap());
        } else {
            expected.insert((stream, epoch));
        }
    }
    let listed = b.list().await.unwrap();
    let got: Vec<_> = listed.into_iter().map(|r| (r.stream, r.epoch)).collect();
    assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
    let last = a.claim(name("only"), record(1), Claim::Vacant).await.unwrap();
    assert!(a.remove(name("only"), last).await.unwrap());
    assert_eq!(
        a.list().await.unwrap().len(),
        40,
        "a mark at the very end ends the list too"
    );
}

pub(crate) async fn a_table_left_alone_grows_steady(on: Fixture) {
    for registry in &on.registries {
        let first = registry.steady().await.unwrap();
        let waited = Duration::from_millis(200);
        tokio::time::sleep(waited).await;
        let second = registry.steady().await.unwrap();
        assert!(second >= first + waited, "{second:?} after {first:?}");
        assert!(second < Duration::from_secs(20), "{second:?}");
    }
}
