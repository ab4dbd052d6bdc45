//! From what happens to what is run, in the order of MediaMTX's hooks.
//! Commands by themselves and webhooks by themselves are tested beside them.

use super::*;
use std::time::Instant;
use tokio::time::sleep;
use weft_config::{Config, PathConf, PathHooks, Paths, Pattern};
use weft_wire::{CloseReason, SessionId, StreamName};

fn append(file: &str, text: &str) -> Command {
    Command {
        line: format!("sh -c 'echo {text} >>{file}'"),
        restart: false,
    }
}

fn stream() -> StreamName {
    StreamName::new("cam/1").unwrap()
}

async fn lines(file: &str, count: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{count} lines never came: {text}"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn each_hook_runs_at_its_occasion_and_is_told_what_it_needs() {
    let file = std::env::temp_dir().join(format!("weft-hooks-{}", uuid::Uuid::new_v4()));
    let file = file.display().to_string();
    let path = PathConf {
        pattern: Some(Pattern::new("^cam/(.*)$").unwrap()),
        hooks: PathHooks {
            available: vec![append(
                &file,
                "available $MTX_PATH $G1 $MTX_SOURCE_TYPE $MTX_SOURCE_ID $MTX_QUERY",
            )],
            unavailable: vec![append(&file, "unavailable $MTX_PATH $MTX_SOURCE_TYPE")],
            read: Some(append(
                &file,
                "read $MTX_PATH $MTX_READER_TYPE $RTSP_PORT $WEFT_NODE",
            )),
            unread: Some(append(&file, "unread $MTX_READER_ID $MTX_QUERY")),
            ..PathHooks::default()
        },
        ..PathConf::named("~^cam/(.*)$")
    };
    let config = Config {
        run_on_connect: Some(append(&file, "connect $MTX_CONN_TYPE")),
        run_on_disconnect: Some(append(&file, "disconnect $MTX_CONN_ID")),
        paths: Paths::new(vec![path]),
        ..Config::default()
    };
    let identity = Identity {
        node: NodeName::new("n1").unwrap(),
        rtsp_port: 0,
    };
    let hooks = Hooks::start(Live::fixed(config), identity);
    hooks.reachable_at(Ports {
        rtsp: 8554,
        webrtc: 8889,
    });
    let [conn, source, reader] = [1, 2, 3].map(|n| SessionId([n; 16]));
    let peer = "192.0.2.1:5".parse().unwrap();
    let happenings = [
        Happening::Connected {
            kind: "rtspConn",
            id: conn,
            peer,
        },
        Happening::Available {
            stream: stream(),
            source_type: "webRTCSession",
            source,
            query: "a=1".to_owned(),
            principal: String::new(),
        },
        Happening::Read {
            stream: stream(),
            reader_type: "rtspSession",
            reader,
            query: "b;c".to_owned(),
            principal: String::new(),
        },
        Happening::Unread {
            stream: stream(),
            reader,
            reason: CloseReason::PeerLeft,
        },
        Happening::Unavailable {
            stream: stream(),
            source,
            reason: CloseReason::Kicked,
        },
        Happening::Disconnected { id: conn },
        // Of one that never came.
        Happening::Disconnected { id: source },
    ];
    let expected = [
        "connect rtspConn".to_owned(),
        format!("available cam/1 1 webRTCSession {source} a%3D1"),
        "read cam/1 rtspSession 8554 n1".to_owned(),
        format!("unread {reader} b%3Bc"),
        "unavailable cam/1 webRTCSession".to_owned(),
        format!("disconnect {conn}"),
    ];
    for (number, happening) in happenings.into_iter().enumerate() {
        hooks.happened(happening);
        // One after the other: commands run side by side.
        lines(&file, (number + 1).min(expected.len())).await;
    }
    assert_eq!(lines(&file, expected.len()).await, expected);
    hooks.shutdown().await;
    let mut started = 0;
    hooks.counters(&mut |name, _, value| {
        if name == "weft_hooks_commands_started_total" {
            started = value;
        }
    });
    assert_eq!(started, 6);
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn ends_are_heard_of_though_the_queue_was_full_and_what_is_too_much_is_counted() {
    let kept = Command {
        line: "sleep 300".to_owned(),
        restart: false,
    };
    let path = PathConf {
        hooks: PathHooks {
            read: Some(kept),
            ..PathHooks::default()
        },
        ..PathConf::named("all_others")
    };
    let config = Config {
        paths: Paths::new(vec![path]),
        ..Config::default()
    };
    let identity = Identity {
        node: NodeName::new("n1").unwrap(),
        rtsp_port: 0,
    };
    let hooks = Hooks::start(Live::fixed(config), identity);
    let id = |n: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        SessionId(id)
    };
    let read = |n| Happening::Read {
        stream: stream(),
        reader_type: "rtspSession",
        reader: id(n),
        query: String::new(),
        principal: String::new(),
    };
    // On one thread the desk hears nothing before the first pause.
    for n in 0..QUEUE + 100 {
        hooks.happened(read(n));
    }
    for n in 0..QUEUE + 100 {
        let reason = CloseReason::PeerLeft;
        hooks.happened(Happening::Unread {
            stream: stream(),
            reader: id(n),
            reason,
        });
    }
    let value = |wanted: &str| {
        let mut found = 0;
        hooks.counters(&mut |name, _, value| {
            if name == wanted {
                found = value;
            }
        });
        found
    };
    assert_eq!(value("weft_hooks_happenings_dropped_total"), 100);
    let begin = Instant::now();
    loop {
        sleep(Duration::from_millis(10)).await;
        let all = value("weft_hooks_commands_started_total") + value("weft_hooks_commands_refused_total");
        if all == QUEUE as u64 && value("weft_hooks_commands_running") == 0 {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{all} of {QUEUE} seen");
    }
    hooks.shutdown().await;
}

#[tokio::test]
async fn of_a_takeover_the_end_of_the_former_publisher_is_told_before_the_newcomer_and_once() {
    let file = std::env::temp_dir().join(format!("weft-hooks-{}", uuid::Uuid::new_v4()));
    let file = file.display().to_string();
    let path = PathConf {
        hooks: PathHooks {
            available: vec![append(&file, "available $MTX_SOURCE_ID")],
            unavailable: vec![append(&file, "unavailable $MTX_SOURCE_ID")],
            ..PathHooks::default()
        },
        ..PathConf::named("all_others")
    };
    let config = Config {
        paths: Paths::new(vec![path]),
        ..Config::default()
    };
    let identity = Identity {
        node: NodeName::new("n1").unwrap(),
        rtsp_port: 0,
    };
    let hooks = Hooks::start(Live::fixed(config), identity);
    let [old, new] = [1, 2].map(|n| SessionId([n; 16]));
    let available = |source| Happening::Available {
        stream: stream(),
        source_type: "webRTCSession",
        source,
        query: String::new(),
        principal: String::new(),
    };
    hooks.happened(available(old));
    lines(&file, 1).await;
    // The newcomer has claimed the name before the loser is told.
    hooks.happened(available(new));
    let mut told = lines(&file, 3).await;
    // Side by side: which of the two writes first is chance.
    told[1..].sort();
    let expected = [
        format!("available {old}"),
        format!("available {new}"),
        format!("unavailable {old}"),
    ];
    assert_eq!(told, expected);
    let ended = |source| Happening::Unavailable {
        stream: stream(),
        source,
        reason: CloseReason::TakenOver,
    };
    hooks.happened(ended(old));
    hooks.happened(ended(new));
    let told = lines(&file, 4).await;
    assert_eq!(told[3], format!("unavailable {new}"));
    hooks.shutdown().await;
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
    std::fs::remove_file(&file).unwrap();
}
