//! The generated and the checkable pages: `docs/metrics.md` is what a node shows, `docs/specifications.md` names every RFC
//! that the code cites. `UPDATE_GOLDEN=1 cargo test -p weft --test docs` rewrites the first.
#![allow(clippy::unwrap_used)] // a helper of a test fails by panicking

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use weft::{Node, Role};
use weft_config::Config;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a fresh standalone node answers on `/metrics`.
fn metrics() -> String {
    let text: String = [
        "webrtc",
        "webrtcLocalUDP",
        "rtsp",
        "rtp",
        "rtcp",
        "hls",
        "api",
        "metrics",
    ]
    .map(|key| format!("{key}Address: 127.0.0.1:0\n"))
    .concat();
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    system.block_on(async {
        let config = Config::parse(&text, "test").unwrap();
        let node = Node::build(config, Role::Standalone).await.unwrap();
        let address = node.addresses().metrics.unwrap();
        let shutdown = CancellationToken::new();
        let done = actix_rt::spawn(node.run(shutdown.clone()));
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        shutdown.cancel();
        done.await.unwrap().unwrap();
        answer
    })
}

fn page(metrics: &str) -> String {
    let mut families: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in metrics.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            families.entry(name).or_default().0 = help.trim();
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            families.entry(name).or_default().1 = kind.trim();
        }
    }
    let mut page = String::from(
        "# Metrics\n\nGenerated from what a node answers on `/metrics`. Names that MediaMTX has too mean the same here; \
         counters only rise and start at 0 with the process.\n\n| metric | kind | meaning |\n|---|---|---|\n",
    );
    for (name, (help, kind)) in families {
        writeln!(page, "| `{name}` | {kind} | {help} |").unwrap();
    }
    page
}

#[test]
fn the_metrics_page_is_fresh() {
    let path = root().join("docs/metrics.md");
    let page = page(&metrics());
    assert!(page.contains("`paths_inbound_bytes`") && page.contains("`weft_rtc_"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/metrics.md is stale; run UPDATE_GOLDEN=1 cargo test -p weft --test docs"
    );
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Numbers behind "RFC " in a text.
fn rfcs(text: &str) -> BTreeSet<u32> {
    text.split("RFC ")
        .skip(1)
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

#[test]
fn the_specifications_page_names_every_rfc_that_the_code_cites_and_where() {
    let page = std::fs::read_to_string(root().join("docs/specifications.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["proto", "nodes", "config"] {
        sources(&root().join(folder), &mut files);
    }
    let mut cited = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for rfc in rfcs(&text) {
            cited.entry(rfc).or_insert_with(Vec::new).push(file.clone());
        }
    }
    let listed = rfcs(&page);
    for (rfc, files) in &cited {
        assert!(
            listed.contains(rfc),
            "RFC {rfc} is cited in {files:?} but not listed"
        );
    }
    for line in page.lines().filter(|l| l.starts_with("| RFC ")) {
        let rfc = *rfcs(line).first().unwrap();
        let paths: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        for path in paths {
            let whole = root().join(path);
            assert!(whole.exists(), "{path} of RFC {rfc} does not exist");
            let at = whole.canonicalize().unwrap();
            let citing = cited.get(&rfc).into_iter().flatten();
            assert!(
                citing
                    .map(|f| f.canonicalize().unwrap())
                    .any(|f| f.starts_with(&at)),
                "{path} does not cite RFC {rfc}"
            );
        }
    }
}

/// README and everything in `docs`, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// The anchor that a heading gets: small letters, digits and hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let mut followed = 0;
    for (path, text) in pages() {
        let page = path.display();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|target| !target.contains("://"))
        {
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            assert!(file.exists(), "{page}: {target}");
            if !place.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line.trim_start_matches('#')) == place),
                    "{page}: no heading for {target}"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}

#[test]
fn files_that_the_pages_name_are_there() {
    let tops = ["proto/", "nodes/", "config/", "compose/", "tests/", "docs/"];
    let mut named = 0;
    for (page, text) in pages() {
        for quoted in text.split('`').skip(1).step_by(2) {
            // `tests/run faults` is a command of a file.
            let path = quoted.split_whitespace().next().unwrap_or_default();
            if tops.iter().any(|top| path.starts_with(top)) {
                let there = root().join(path).exists();
                assert!(there, "{}: {path} is not there", page.display());
                named += 1;
            }
        }
    }
    assert!(named > 60, "only {named} names were found");
}
