//! Lines and destinations, each by itself: what a client's words look like in a line, and that nothing waits.
//! That a node logs what it should is shown with real nodes elsewhere.

use super::file::LogFile;
use super::line::{Line, Style};
use super::sink::{Out, Sink};
use super::{DROPPED, filter};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer};
use weft_config::LogLevel;

/// Lines of the events that `work` causes, in two forms.
fn lines(work: impl FnOnce()) -> Vec<[String; 2]> {
    struct Keep(Arc<Mutex<Vec<[String; 2]>>>);
    impl<S: Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let line = Line::of(event, "n1");
            let text = |style| String::from_utf8(line.bytes(style)).unwrap();
            self.0
                .lock()
                .unwrap()
                .push([text(Style::Plain), text(Style::Json)]);
        }
    }
    let kept = Arc::default();
    let subscriber = tracing_subscriber::registry().with(Keep(Arc::clone(&kept)));
    tracing::subscriber::with_default(subscriber, work);
    std::mem::take(&mut *kept.lock().unwrap())
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("weft-log-{}-{name}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_line_is_text_with_fields_or_one_json_object() {
    let [[text, json]] = &lines(|| tracing::info!(stream = %"a/b", units = 3, good = true, "it is so"))[..]
    else {
        panic!("not one line");
    };
    assert!(
        text.ends_with("it is so stream=a/b units=3 good=true node=n1\n")
            && text.contains(" INFO weft::logging::tests: "),
        "{text}"
    );
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    for (key, expected) in [
        ("message", serde_json::json!("it is so")),
        ("stream", "a/b".into()),
        ("units", 3.into()),
        ("good", true.into()),
        ("node", "n1".into()),
        ("level", "info".into()),
    ] {
        assert_eq!(value[key], expected, "{json}");
    }
    assert!(value["timestamp"].as_str().unwrap().ends_with('Z') && json.ends_with("}\n"));
}

#[test]
fn what_a_client_has_sent_begins_no_line_and_colours_no_terminal() {
    let evil = "x\n2026-01-01T00:00:00Z ERROR weft: burnt down \u{1b}[31m\" session=1";
    let written = lines(|| tracing::warn!(agent = %evil, other = ?evil, "{evil}"));
    for form in written.iter().flatten() {
        assert_eq!(form.matches('\n').count(), 1, "{form}");
        assert!(!form.contains('\u{1b}'), "{form}");
    }
    let value: serde_json::Value = serde_json::from_str(&written[0][1]).unwrap();
    assert_eq!(value["agent"], evil, "it is kept as it was where that is safe");
}

#[test]
fn a_field_is_not_longer_than_a_page() {
    let [[text, _]] = &lines(|| tracing::info!(agent = %"ä".repeat(100_000), "long"))[..] else {
        panic!("not one line");
    };
    assert!(
        text.len() < 5_000 && text.contains("ää..."),
        "{} bytes",
        text.len()
    );
}

#[test]
fn a_level_is_about_our_own_code_and_others_only_warn() {
    let subscriber = |level| {
        let filter = EnvFilter::new(filter(level));
        tracing_subscriber::registry().with(filter)
    };
    tracing::subscriber::with_default(subscriber(LogLevel::Debug), || {
        assert!(tracing::enabled!(target: "weft_ingest::session", tracing::Level::DEBUG));
        assert!(!tracing::enabled!(target: "hyper::client", tracing::Level::INFO));
        assert!(tracing::enabled!(target: "hyper::client", tracing::Level::WARN));
        assert!(!tracing::enabled!(target: "async_nats::x", tracing::Level::ERROR));
        assert!(
            !tracing::enabled!(target: "span", tracing::Level::INFO),
            "spans are no lines"
        );
    });
    tracing::subscriber::with_default(subscriber(LogLevel::Error), || {
        assert!(!tracing::enabled!(target: "weft_ingest", tracing::Level::WARN));
        assert!(!tracing::enabled!(target: "hyper", tracing::Level::WARN));
        assert!(tracing::enabled!(target: "weft", tracing::Level::ERROR));
    });
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_time() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let sink = Sink::start(
        "test",
        Style::Plain,
        Out::Standard(Some(File::from(std::os::fd::OwnedFd::from(writer)))),
    );
    let before = DROPPED.load(Relaxed);
    let long = "x".repeat(2_000);
    let began = Instant::now();
    let subscriber = {
        struct Give(Sink);
        impl<S: Subscriber> Layer<S> for Give {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                self.0.take(&Line::of(event, ""));
            }
        }
        tracing_subscriber::registry().with(Give(sink))
    };
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..12_000 {
            tracing::info!(number, long, "line");
        }
    });
    let took = began.elapsed();
    let dropped = DROPPED.load(Relaxed) - before;
    assert!(dropped >= 3_000, "{dropped} of 12,000 lines dropped");
    assert!(took < Duration::from_secs(5), "{took:?}");
    // Read at last, the pipe has the first lines whole and in order.
    let mut text = String::new();
    std::io::Read::take(&mut reader, 1 << 20)
        .read_to_string(&mut text)
        .unwrap();
    for (at, line) in text.lines().take(100).enumerate() {
        assert!(line.contains(&format!("number={at} ")), "{at}: {line:.120}");
    }
}

#[test]
fn a_log_file_is_opened_anew_when_told_and_when_its_name_leads_elsewhere() {
    let folder = scratch("rotated");
    let (path, old) = (folder.join("weft.log"), folder.join("weft.log.1"));
    let mut file = LogFile::open(path.clone());
    assert!(file.write(b"one\n"));
    std::fs::rename(&path, &old).unwrap();
    // Not looked at yet: the line goes to where the old one went.
    assert!(file.write(b"two\n"));
    file.look(true);
    assert!(file.write(b"three\n"));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "one\ntwo\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    // Nobody tells: within a second and a bit it is seen.
    std::fs::remove_file(&path).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while !path.exists() && Instant::now() < until {
        file.look(false);
        std::thread::yield_now();
    }
    assert!(file.write(b"four\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_log_file_that_cannot_be_had_is_tried_again() {
    let folder = scratch("away");
    let path = folder.join("later/weft.log");
    let mut file = LogFile::open(path.clone());
    assert!(!file.write(b"lost\n"));
    std::fs::create_dir_all(folder.join("later")).unwrap();
    file.look(true);
    assert!(file.write(b"kept\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept\n");
    std::fs::remove_dir_all(folder).unwrap();
}
