//! The table of answers: what each request gets, by its status and its headers.
//! How long pictures are kept, and how they are made, is tested beside.

use crate::lamp::SMALL;
use crate::{Scene, made};
use weft_config::{Action, Config, Password, PathConf, PathMatch, Paths, Permission, Secret, User};

const TAG: &str = "\"01010101010101010101010101010101-0\"";

#[actix_web::test]
async fn a_key_unit_is_a_byte_stream_with_its_tag_and_the_time_of_its_capture() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("exam/cam").await;
    lamp.flash(SMALL);
    let answer = scene.get("/exam/cam/keyframe.h264").await;
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("video/h264"))
    );
    let nals: Vec<&[u8]> = weft_wire::nal_units(SMALL).collect();
    let stream: Vec<u8> = nals
        .iter()
        .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
        .collect();
    assert_eq!(answer.body, stream);
    for (header, value) in [
        ("Weft-Capture-Time", "2026-11-29T23:40:37.123Z"),
        ("Weft-Capture-Source", "sender-report"),
        ("Last-Modified", "Sun, 29 Nov 2026 23:40:37 GMT"),
        ("Cache-Control", "private, no-cache"),
        ("Server", "weft"),
        ("Access-Control-Allow-Origin", "*"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{header}");
    }
    let tag = answer.header("ETag").unwrap();
    assert!(tag.ends_with("-0\""), "{tag}");
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap();
    assert!(exposed.contains("Weft-Capture-Time") && exposed.contains("ETag"));
    // Who has it is told so, whichever form it has; who has another one gets it.
    for url in [
        "/exam/cam/keyframe.h264",
        "/exam/cam/keyframe.mp4",
        "/exam/cam/snapshot.jpg?width=64",
    ] {
        let same = scene.ask("GET", url, &[("If-None-Match", tag)]).await;
        assert_eq!(
            (same.status, same.header("ETag"), same.body.len()),
            (304, Some(tag), 0)
        );
        let other = scene
            .ask("GET", url, &[("If-None-Match", TAG.replace("-0", "-9").as_str())])
            .await;
        let given = if url.contains("jpg") { made(200) } else { 200 };
        assert_eq!(other.status, given, "{url}");
    }
    assert_eq!(scene.count("weft_egress_stills_unchanged_total"), 3);
    lamp.flash(SMALL);
    scene.settle().await;
    let next = scene
        .ask("GET", "/exam/cam/keyframe.h264", &[("If-None-Match", tag)])
        .await;
    assert_eq!(
        (next.status, next.header("Weft-Capture-Time")),
        (200, Some("2026-11-29T23:40:38.123Z"))
    );
}

#[actix_web::test]
async fn a_key_unit_is_a_file_of_its_own() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    let answer = scene.get("/cam/keyframe.mp4").await;
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("video/mp4"))
    );
    assert_eq!(&answer.body[4..8], b"ftyp");
    let slice = weft_wire::nal_units(SMALL).last().unwrap();
    assert!(answer.body.windows(slice.len()).any(|part| part == slice));
    assert_eq!(
        answer.header("Weft-Capture-Time"),
        Some("2026-11-29T23:40:37.123Z")
    );
}

#[actix_web::test]
async fn what_is_not_there_yet_or_at_all_or_no_picture_is_told_apart() {
    let names = ["cam", "waiting", "sound", "bent", "nobody"];
    let config = Config {
        paths: Paths::new(names.map(PathConf::named).to_vec()),
        ..Config::default()
    };
    let scene = Scene::with(config);
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    let _waiting = scene.lamp("waiting").await;
    let mut sound = scene.lamp("sound").await;
    sound.dark();
    let mut bent = scene.lamp("bent").await;
    // Parameter sets and half a slice.
    bent.flash(&SMALL[..60]);
    for (url, status, words, retry_after) in [
        ("/nobody/snapshot.jpg", 404, "nobody publishes this stream", None),
        ("/nobody/keyframe.h264", 404, "nobody publishes this stream", None),
        ("/other/snapshot.jpg", 404, "path 'other' is not configured", None),
        ("/a//b/keyframe.h264", 400, "'a//b' is no name of a stream", None),
        (
            "/waiting/snapshot.jpg",
            503,
            "the stream has no picture yet",
            Some("1"),
        ),
        (
            "/waiting/keyframe.h264",
            503,
            "the stream has no picture yet",
            Some("1"),
        ),
        ("/sound/snapshot.jpg", 406, "the stream has no video", None),
        (
            "/cam/snapshot.jpg?width=7",
            400,
            "width is a number of pixels from 64 to 1920",
            None,
        ),
    ] {
        let answer = scene.get(url).await;
        let shown = (answer.status, answer.error(), answer.header("Retry-After"));
        assert_eq!(shown, (status, words.to_owned(), retry_after), "{url}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    }
    let bent = scene.get("/bent/snapshot.jpg").await;
    assert_eq!(bent.status, made(415), "{}", bent.error());
    let words = if cfg!(feature = "snapshot") {
        "the stream's H264 cannot be decoded here"
    } else {
        "this weft is built without snapshots"
    };
    assert!(bent.error().starts_with(words), "{}", bent.error());
    // The bytes are there for whoever wants them.
    assert_eq!(scene.get("/bent/keyframe.h264").await.status, 200);
}

#[actix_web::test]
async fn methods_are_get_and_head_and_preflights_are_answered() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    for url in ["/cam/keyframe.h264", "/cam/keyframe.mp4", "/cam/snapshot.jpg"] {
        let given = if url.contains("jpg") { made(200) } else { 200 };
        assert_eq!(scene.ask("HEAD", url, &[]).await.status, given);
        let post = scene.ask("POST", url, &[]).await;
        assert_eq!(
            (post.status, post.header("Allow")),
            (405, Some("GET, HEAD, OPTIONS"))
        );
        let asked = [
            ("Access-Control-Request-Method", "GET"),
            ("Origin", "https://a.example"),
        ];
        let preflight = scene.ask("OPTIONS", url, &asked).await;
        assert_eq!(preflight.status, 204);
        let allowed = preflight.header("Access-Control-Allow-Headers").unwrap();
        assert!(allowed.contains("If-None-Match") && allowed.contains("Authorization"));
    }
}

#[actix_web::test]
async fn pictures_are_for_whoever_may_read_and_the_others_are_told_nothing() {
    let plain = |text: &str| Password::Plain(Secret::new(text));
    let mut config = Config::default();
    config.auth.users = vec![User {
        name: Some(plain("eye")),
        password: plain("one"),
        ips: vec![],
        permissions: vec![Permission {
            action: Action::Read,
            path: PathMatch::Exact("cam".to_owned()),
        }],
    }];
    config.paths = Paths::new(vec![PathConf::named("cam")]);
    let scene = Scene::with(config);
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    for url in ["/cam/snapshot.jpg", "/cam/keyframe.h264", "/nothing/snapshot.jpg"] {
        let nobody = scene.get(url).await;
        let challenge = nobody.header("WWW-Authenticate");
        assert_eq!(
            (nobody.status, challenge),
            (401, Some("Basic realm=\"mediamtx\"")),
            "{url}"
        );
        assert_eq!(nobody.error(), "authentication error");
    }
    // `eye:one`.
    let right = ("Authorization", "Basic ZXllOm9uZQ==");
    assert_eq!(
        scene.ask("GET", "/cam/snapshot.jpg", &[right]).await.status,
        made(200)
    );
    tokio::time::pause();
    let other = scene.ask("GET", "/nothing/snapshot.jpg", &[right]).await;
    assert_eq!(
        (other.status, other.error().as_str()),
        (401, "authentication error")
    );
}

#[actix_web::test]
async fn one_address_asks_so_often_and_is_then_told_when_to_come_again() {
    let scene = Scene::new();
    let mut lamp = scene.lamp("cam").await;
    lamp.flash(SMALL);
    scene.get("/cam/keyframe.h264").await;
    tokio::time::pause();
    let mut statuses = Vec::new();
    for _ in 0..250 {
        statuses.push(scene.get("/cam/keyframe.h264").await.status);
    }
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(
        statuses.iter().all(|s| [200, 429].contains(s)) && refused >= 40,
        "{refused}"
    );
    let answer = scene.get("/cam/keyframe.h264").await;
    assert_eq!((answer.status, answer.header("Retry-After")), (429, Some("1")));
    assert_eq!(
        scene.count("weft_egress_stills_refused_total"),
        refused as u64 + 1
    );
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(scene.get("/cam/keyframe.h264").await.status, 200);
}
