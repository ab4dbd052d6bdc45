//! Snapshots: made once for all that ask, kept until the next picture comes, each size by itself.
//! How a picture is decoded is tested in `weft-picture`.

use crate::lamp::{LARGE, SMALL};
use crate::{Answer, Scene};
use futures::future::join_all;

/// Width and height as the file says them (ITU-T T.81 §B.2.2).
fn size(answer: &Answer) -> (u16, u16) {
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("image/jpeg"))
    );
    let at = answer
        .body
        .windows(2)
        .position(|two| two == [0xff, 0xc0])
        .unwrap()
        + 5;
    let number = |at: usize| u16::from_be_bytes([answer.body[at], answer.body[at + 1]]);
    (number(at + 2), number(at))
}

#[actix_web::test]
async fn many_that_ask_for_one_picture_have_it_made_once() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(LARGE);
    let made = || scene.count("weft_egress_snapshots_total");
    let all = join_all((0..30).map(|_| scene.get("/cam/snapshot.jpg"))).await;
    assert!(
        all.iter()
            .all(|answer| size(answer) == (128, 96) && answer.body == all[0].body)
    );
    assert_eq!(made(), 1);
    assert_eq!(scene.count("weft_egress_stills_served_total"), 30);
    // Another size is another file, of the same picture.
    let small = join_all((0..5).map(|_| scene.get("/cam/snapshot.jpg?width=64"))).await;
    assert!(small.iter().all(|answer| size(answer) == (64, 48)));
    assert_eq!((small[0].header("ETag"), made()), (all[0].header("ETag"), 2));
    // The next picture is made when it is asked for, in the size that is asked for.
    lamp.flash(SMALL);
    scene.settle().await;
    assert_eq!(made(), 2);
    // As soon as the share of a core allows; until then the one before it is shown.
    while size(&scene.get("/cam/snapshot.jpg").await) != (64, 48) {
        actix_web::rt::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(made(), 3);
    assert!(scene.count("weft_egress_snapshot_microseconds_total") > 0);
}

#[actix_web::test]
async fn a_picture_that_cannot_be_decoded_is_tried_once() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(&SMALL[..60]);
    for _ in 0..5 {
        assert_eq!(scene.get("/cam/snapshot.jpg").await.status, 415);
    }
    assert_eq!(scene.count("weft_egress_snapshots_failed_total"), 1);
    lamp.flash(SMALL);
    scene.settle().await;
    assert_eq!(size(&scene.get("/cam/snapshot.jpg").await), (64, 48));
}

#[actix_web::test]
async fn of_many_streams_at_once_each_gets_its_picture_or_is_told_to_come_again() {
    let scene = Scene::new();
    let mut lamps = Vec::new();
    for number in 0..100 {
        let mut lamp = scene.lamp(&format!("cam/{number}")).await;
        lamp.flash(if number % 2 == 0 { SMALL } else { LARGE });
        lamps.push(lamp);
    }
    let urls: Vec<String> = (0..100)
        .map(|number| format!("/cam/{number}/snapshot.jpg"))
        .collect();
    let answers = join_all(urls.iter().map(|url| scene.get(url))).await;
    for (number, answer) in answers.iter().enumerate() {
        if answer.status == 200 {
            assert_eq!(size(answer).0, if number % 2 == 0 { 64 } else { 128 });
        } else {
            assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
        }
    }
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(given >= 64, "{given}: as many as wait for the decoder");
}
