//! What the cache keeps, gives up and finds.
//! Times are those the units carry; nothing waits.

use crate::gop_cache::{Found, GOP_BYTES, GopCache, REPAIR_BYTES};
use crate::testing::data;
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, Epoch, GopSeq, MediaTime, SentTime, SessionId, TrackId,
    UnitFlags, UnitSeq, UnitsFrom, UnitsRequest,
};

const FRAME_US: u64 = 40_000;

/// Pushes frames of `bytes` at 25 a second with a key unit every `every`; returns how many there are.
fn fill(cache: &mut GopCache, frames: u64, every: u64, bytes: usize) {
    let first = cache.next().0;
    for n in first..first + frames {
        let key = n % every == 0;
        let at = n * FRAME_US;
        cache.push(AccessUnit {
            track: TrackId(0),
            seq: cache.next(),
            gop: GopSeq(n / every + 1),
            pts: MediaTime(n as i64 * 3_600),
            dts: MediaTime(n as i64 * 3_600),
            capture: CaptureTime(at as i64),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime(at),
            flags: if key { UnitFlags::KEY } else { UnitFlags::default() },
            data: data(bytes),
        });
    }
}

fn find(cache: &GopCache, from: UnitsFrom) -> (Vec<u64>, bool) {
    find_until(cache, from, None)
}

fn find_until(cache: &GopCache, from: UnitsFrom, until: Option<UnitSeq>) -> (Vec<u64>, bool) {
    let Found { units, gone } = cache.find(&UnitsRequest {
        from,
        until,
        session: None,
        key_only: false,
    });
    (units.iter().map(|u| u.seq.0).collect(), gone)
}

fn range(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn a_join_gets_the_running_group_from_its_key_on() {
    let mut cache = GopCache::default();
    assert_eq!(find(&cache, UnitsFrom::NewestGop), (vec![], false), "nothing yet");
    fill(&mut cache, 70, 50, 100);
    assert_eq!(find(&cache, UnitsFrom::NewestGop), (range(50..70), false));
    assert_eq!(find(&cache, UnitsFrom::Live), (vec![], false));
    assert_eq!(cache.next(), UnitSeq(70));
    assert_eq!(cache.key_age_ms(SentTime(70 * FRAME_US)), 800);
}

#[test]
fn a_repair_reaches_two_seconds_back_even_over_a_key_unit() {
    let mut cache = GopCache::default();
    fill(&mut cache, 110, 50, 100);
    assert_eq!(find(&cache, UnitsFrom::Seq(UnitSeq(95))), (range(95..110), false));
    let until = Some(UnitSeq(97));
    assert_eq!(
        find_until(&cache, UnitsFrom::Seq(UnitSeq(95)), until),
        (range(95..98), false)
    );
    assert_eq!(find(&cache, UnitsFrom::Seq(UnitSeq(59))), (range(59..110), false));
    assert_eq!(
        find(&cache, UnitsFrom::Seq(UnitSeq(58))),
        (vec![], true),
        "2 s are over"
    );
    assert_eq!(
        find(&cache, UnitsFrom::Seq(UnitSeq(110))),
        (vec![], false),
        "nothing is missing"
    );
    assert_eq!(
        find(&cache, UnitsFrom::Seq(UnitSeq(111))),
        (vec![], true),
        "not ours yet"
    );
}

#[test]
fn a_group_or_an_instant_of_the_past_begins_at_its_key_or_says_that_it_is_gone() {
    let mut cache = GopCache::default();
    fill(&mut cache, 130, 25, 100);
    // Group 6 runs since 125; 2 s back is 79, so groups 5 (100) and 4's tail are kept.
    assert_eq!(find(&cache, UnitsFrom::Gop(GopSeq(5))), (range(100..130), false));
    assert_eq!(find(&cache, UnitsFrom::Gop(GopSeq(2))), (range(100..130), true));
    assert_eq!(find(&cache, UnitsFrom::Gop(GopSeq(7))), (vec![], true));
    let at = |n: u64| UnitsFrom::Capture((n * FRAME_US) as i64);
    assert_eq!(find(&cache, at(124)), (range(100..130), false));
    assert_eq!(find(&cache, at(127)), (range(125..130), false));
    assert_eq!(find(&cache, at(99)), (vec![], true));
}

#[test]
fn a_group_longer_than_ten_seconds_is_given_up_until_the_next_key() {
    let mut cache = GopCache::default();
    fill(&mut cache, 251, 400, 100);
    assert_eq!(find(&cache, UnitsFrom::NewestGop).0.len(), 251);
    fill(&mut cache, 1, 400, 100);
    assert_eq!(find(&cache, UnitsFrom::NewestGop), (vec![], true));
    assert_eq!((cache.joinable(), cache.given_up()), (false, 1));
    assert!(
        find(&cache, UnitsFrom::Seq(UnitSeq(230))).0.len() == 22,
        "repairs go on"
    );
    fill(&mut cache, 150, 400, 100);
    assert_eq!(find(&cache, UnitsFrom::NewestGop), (range(400..402), false));
}

#[test]
fn bytes_are_bounded_whatever_the_publisher_sends() {
    let mut cache = GopCache::default();
    let size = 400 * 1024;
    for _ in 0..20 {
        fill(&mut cache, 10, 60, size);
        let kept: usize = cache.all().iter().map(|u| u.data.len()).sum();
        assert!(kept <= GOP_BYTES + REPAIR_BYTES + size, "{kept}");
    }
    assert_eq!(cache.given_up(), 3, "the fourth is not that long yet");
}

#[test]
fn answers_travel_in_batches_that_hold_nothing_up() {
    let mut cache = GopCache::default();
    fill(&mut cache, 40, 100, 100);
    fill(&mut cache, 3, 100, 300 * 1024);
    let found = cache.find(&UnitsRequest {
        from: UnitsFrom::NewestGop,
        until: None,
        session: None,
        key_only: false,
    });
    let batches = found.into_batches(SessionId([1; 16]), Epoch::default());
    let sizes: Vec<usize> = batches.iter().map(|b| b.units.len()).collect();
    assert_eq!(sizes, [32, 8, 1, 1, 1]);
}
