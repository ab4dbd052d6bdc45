//! What knows a session's secret may steer it, so no log line has one, on either node, at any level.
//! The whole of what a publisher can do is done once with everything that logs written down.

use super::moves::Camera;
use super::{FRAGMENT, Fabric, OFFER, SDP, call, ms};
use crate::IngestConfig;
use std::cell::RefCell;
use std::io::Write;
use tokio::time::{pause, sleep};
use tracing::Level;

thread_local! {
    /// What this thread logged, once it listens.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix::test]
async fn no_secret_and_no_credential_is_ever_logged() {
    pause();
    // For the whole process: a subscriber of one thread misses what other tests' threads logged first.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.with_writer(|| Lines).finish()).unwrap();
    // Everything here runs on this thread.
    LINES.set(Some(Vec::new()));
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let query = "jwt=s3cret&user=u&pass=s3cret";
    let signed = ("Authorization", "Bearer s3cret");
    let mut secrets = vec!["s3cret".to_owned()];
    let mut moves = String::new();
    for _ in 0..2 {
        let url = format!("/cam/1/whip?{query}{moves}");
        let answer = call(&a.ingest, "POST", &url, &[SDP, signed], OFFER).await;
        let url = answer.header("Location").unwrap().to_owned();
        let shown = url
            .strip_prefix("/cam/1/whip/")
            .unwrap()
            .split_once('?')
            .unwrap()
            .0;
        let secret = shown.split_once('.').unwrap().1.to_owned();
        moves = format!("&moves={shown}");
        secrets.push(secret.replace('-', ""));
        secrets.push(secret);
        let mut camera = Camera::of(url.clone()).await;
        camera.send().await;
        call(&a.ingest, "PATCH", &url, &[FRAGMENT, signed], "?").await;
        call(&a.ingest, "PATCH", &url, &[FRAGMENT, signed], "a=candidate:1").await;
    }
    let answer = call(
        &a.ingest,
        "POST",
        &format!("/cam/1/whip?{query}{moves}"),
        &[SDP],
        "no",
    )
    .await;
    assert_eq!(answer.status, 400);
    b.ingest.drain().await;
    let answer = call(
        &a.ingest,
        "POST",
        &format!("/cam/1/whip?{query}{moves}"),
        &[SDP],
        OFFER,
    )
    .await;
    assert_eq!(answer.status, 503);
    b.ingest.shutdown(weft_wire::CloseReason::Shutdown).await;
    sleep(ms(2_000)).await;
    let lines = String::from_utf8(LINES.take().unwrap()).unwrap();
    for expected in [
        "publisher passed on",
        "publisher live",
        "offer refused",
        "publisher closed",
    ] {
        assert!(lines.contains(expected), "{expected} in\n{lines}");
    }
    for secret in &secrets {
        assert!(!lines.contains(secret.as_str()), "{secret} in\n{lines}");
    }
}
