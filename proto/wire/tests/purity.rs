//! `proto/` is bytes and state: no runtime, no clock, no socket in its crates or in what they depend on.
//! Time is an argument there, so everything can be tested without waiting and replayed exactly.
#![allow(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is its failure"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATES: [&str; 4] = ["weft-wire", "weft-rtp", "weft-sdp", "weft-rtsp"];

/// Crates that bring a runtime, a clock or a socket.
const FORBIDDEN_CRATES: [&str; 14] = [
    "tokio",
    "actix",
    "actix-rt",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "quinn-udp",
    "libc",
    "rustix",
    "async-nats",
    "time",
    "chrono",
    "getrandom",
];

/// Words that mean the same in our own sources.
const FORBIDDEN_WORDS: [&str; 12] = [
    "tokio",
    "actix",
    "std::net::Tcp",
    "std::net::Udp",
    "TcpStream",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn proto_crates_depend_on_no_runtime_clock_or_socket() {
    for name in CRATES {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "-p",
                name,
                "-e",
                "normal",
                "--offline",
                "--prefix",
                "none",
                "--format",
                "{lib}",
            ])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.lines().count() > 3, "a tree was printed");
        for line in tree.lines() {
            let found = FORBIDDEN_CRATES
                .iter()
                .find(|f| f.replace('-', "_") == line.trim().trim_end_matches(" (*)"));
            assert_eq!(found, None, "{name} depends on it");
        }
    }
}

/// The code of a line: without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn check(folder: &Path, files: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            *files += 1;
            for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
                let found = FORBIDDEN_WORDS.iter().find(|word| code(line).contains(**word));
                assert_eq!(found, None, "{}:{}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn proto_sources_name_no_runtime_clock_or_socket() {
    let mut files = 0;
    for folder in fs::read_dir(root().join("proto")).unwrap() {
        check(&folder.unwrap().path().join("src"), &mut files);
    }
    assert!(files > 30, "{files} files were read");
}
