//! How long a stream's pictures are kept, what is asked of its owner meanwhile, and which publisher's picture it is.
//! Time is paused: nothing here is decoded.

use crate::lamp::{LARGE, Lamp, SMALL};
use crate::{Scene, name};
use std::time::Duration;
use tokio::time::{advance, pause, sleep};
use weft_wire::UnitsFrom;

const URL: &str = "/cam/keyframe.h264";

#[actix_web::test]
async fn a_picture_is_kept_and_key_units_are_wished_for_as_long_as_somebody_asks() {
    pause();
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    for _ in 0..20 {
        assert_eq!(scene.get(URL).await.status, 200);
        sleep(Duration::from_secs(1)).await;
        lamp.flash(SMALL);
    }
    assert_eq!(
        (
            scene.egress.stills().kept(),
            scene.count("weft_egress_stills_opened_total")
        ),
        (1, 1)
    );
    let questions = lamp.questions();
    assert_eq!(questions.len(), 1, "one question, then what comes");
    assert!(questions[0].key_only && questions[0].from == UnitsFrom::NewestGop);
    let wishes = lamp.wishes();
    assert!(
        (6..=8).contains(&wishes.len()),
        "every 3 s of 20: {}",
        wishes.len()
    );
    assert!(wishes.iter().all(|wish| wish.interval_ms == 2_000 && !wish.now));
    // Twelve seconds without anybody.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(scene.egress.stills().kept(), 1);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.egress.stills().kept(), 0);
    let wished = lamp.wishes().len();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lamp.wishes().len(), wished, "nobody asks, nothing is wished for");
    assert_eq!(scene.get(URL).await.status, 200);
    assert_eq!(scene.count("weft_egress_stills_opened_total"), 2);
}

#[actix_web::test]
async fn an_old_picture_is_shown_at_once_and_a_new_one_asked_for() {
    pause();
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    sleep(Duration::from_secs(5)).await;
    let old = scene.get(URL).await;
    assert_eq!(old.header("Weft-Capture-Time"), Some("2026-11-29T23:40:37.123Z"));
    assert_eq!(lamp.wishes().iter().filter(|wish| wish.now).count(), 1);
    lamp.flash(SMALL);
    sleep(Duration::from_millis(1)).await;
    let new = scene.get(URL).await;
    assert_eq!(new.header("Weft-Capture-Time"), Some("2026-11-29T23:40:38.123Z"));
}

#[actix_web::test]
async fn whoever_comes_first_waits_for_the_first_picture() {
    pause();
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    let waiting = scene.get(URL);
    let flash = async {
        sleep(Duration::from_millis(700)).await;
        lamp.flash(SMALL);
    };
    let (answer, ()) = futures::join!(waiting, flash);
    assert_eq!(answer.status, 200);
}

#[actix_web::test]
async fn the_picture_is_the_highest_epochs_and_ends_with_its_publisher() {
    pause();
    let scene = Scene::new();
    let mut first = scene.lamp("cam").await;
    first.flash(SMALL);
    let before = scene.get(URL).await;
    let mut second = Lamp::light(&scene.bus, name("cam"), 2, 2).await;
    second.flash(LARGE);
    sleep(Duration::from_millis(1)).await;
    let after = scene.get(URL).await;
    assert_ne!(before.body, after.body);
    // The loser has not heard of it yet.
    first.flash(SMALL);
    first.flash(SMALL);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.get(URL).await.body, after.body);
    first.out();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.get(URL).await.body, after.body);
    second.out();
    sleep(Duration::from_millis(1)).await;
    let gone = scene.get(URL).await;
    assert_eq!(
        (gone.status, gone.error().as_str()),
        (404, "nobody publishes this stream")
    );
    assert_eq!(scene.egress.stills().kept(), 0);
}

#[actix_web::test]
async fn a_publisher_that_is_gone_without_a_word_is_noticed() {
    pause();
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    assert_eq!(scene.get(URL).await.status, 200);
    drop(lamp);
    assert_eq!(scene.get(URL).await.status, 200, "it may be moving");
    advance(Duration::from_secs(4)).await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(scene.get(URL).await.status, 404);
}

#[actix_web::test]
async fn of_too_many_streams_the_one_that_was_asked_for_least_recently_goes() {
    pause();
    let scene = Scene::new();
    let mut lamps = Vec::new();
    for number in 0..257 {
        let mut lamp = scene.lamp(&format!("cam/{number}")).await;
        lamp.flash(SMALL);
        lamps.push(lamp);
    }
    for number in 0..256 {
        let url = format!("/cam/{number}/keyframe.h264");
        assert_eq!(scene.get(&url).await.status, 200, "{number}");
        sleep(Duration::from_millis(5)).await;
    }
    let newcomer = "/cam/256/keyframe.h264";
    let refused = scene.get(newcomer).await;
    assert_eq!(
        (refused.status, refused.header("Retry-After")),
        (503, Some("2")),
        "all were asked for lately"
    );
    sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.get(newcomer).await.status, 200);
    assert_eq!(scene.egress.stills().kept(), 256);
}
