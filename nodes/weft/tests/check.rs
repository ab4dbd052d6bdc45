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
