//! `weft check` as an operator runs it: against the shipped server, and against one without any settings.
//! What is judged and why is tested where it is decided.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::path::Path;
use std::process::{Command, Output};
use weft_bus::testing::{NatsServer, NatsServerOptions};

fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = Command::new(env!("CARGO_BIN_EXE_weft"))
        .arg("check")
        .args(arguments)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn a_server_configuration_is_judged_and_the_exit_code_says_so() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/nats.conf");
    let (code, said) = check(&["--nats-conf", shipped.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("fit for live media"), "{said}");

    let stock = std::env::temp_dir().join(format!("weft-check-{}.conf", std::process::id()));
    std::fs::write(&stock, "port: 4222\n").unwrap();
    let (code, said) = check(&["--nats-conf", stock.to_str().unwrap()]);
    std::fs::remove_file(&stock).unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("not fit") && said.contains("no_fast_producer_stall: true"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_is_judged_by_its_monitoring_port() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let with = |more: &str| NatsServerOptions {
        extra: format!("http: \"127.0.0.1:{port}\"\n{more}"),
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(with("")).await.unwrap();
    let (code, said) = check(&["--nats-monitor", &url]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no_fast_producer_stall cannot be seen"), "{said}");
    drop(server);

    let _server = NatsServer::start_with(with("max_pending: 64MB\n")).await.unwrap();
    let (code, said) = check(&["--nats-monitor", &url]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("max_pending: 16MB"), "{said}");
}

#[test]
fn a_monitoring_port_that_is_none_is_named() {
    let (code, said) = check(&["--nats-monitor", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("http://127.0.0.1:1"), "{said}");
}

#[test]
fn a_file_is_judged_with_its_notices_and_a_server_beside_it() {
    let folder = std::env::temp_dir().join(format!("weft-check-{}-file", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let written = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let good = written("good.yml", "listen: :8889\nrecord: yes\nlogLevel: debug\n");
    let bad = written("bad.yml", "logLevl: debug\nreadTimeout: 10\n");
    let stock = written("stock.conf", "port: 4222\n");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/nats.conf");
    let shipped = shipped.to_str().unwrap();

    let (code, said) = check(&[&good]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "# listen: an old name; write 'webrtcAddress'",
        "# record (in pathDefaults): recording: not served yet; the key has no effect",
        "logLevel: debug",
    ] {
        assert!(
            said.lines().any(|said| said == line),
            "{line} is missing in:\n{said}"
        );
    }
    let codes = [
        (check(&["--config", &good, "--nats-conf", shipped]).0, Some(0)),
        (check(&["--config", &good, "--nats-conf", &stock]).0, Some(1)),
        (check(&[&bad, "--nats-conf", shipped]).0, Some(1)),
        (check(&[&bad]).0, Some(1)),
    ];
    let (_, both) = check(&[&good, "--nats-conf", shipped]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(codes.iter().all(|(code, expected)| code == expected), "{codes:?}");
    assert!(
        both.contains("fit for live media") && both.contains("logLevel: debug"),
        "{both}"
    );
}
