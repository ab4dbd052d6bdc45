//! The reference file `weft.yml` and the generated page `docs/config.md` say what the program does.
//! `UPDATE_GOLDEN=1 cargo test -p weft-config` rewrites the page.

use std::path::Path;
use weft_config::{Base, Config, Error, Faces, REFERENCE};

/// The effective configuration as it is printed.
fn yaml(text: &str) -> String {
    Base::default().parse(text, "x").unwrap().to_yaml()
}

#[test]
fn the_reference_file_is_exactly_the_defaults() {
    assert_eq!(Config::parse(REFERENCE, "weft.yml").unwrap(), Config::default());
}

#[test]
fn the_reference_file_names_every_key_there_is() {
    let effective = yaml("");
    for line in effective.lines() {
        let key = line.trim().split(':').next().unwrap();
        assert!(
            REFERENCE
                .lines()
                .any(|l| l.trim().starts_with(&format!("{key}:"))),
            "weft.yml lacks {key}"
        );
    }
}

#[test]
fn the_effective_configuration_loads_and_is_the_same() {
    let text = "rtspAddress: 127.0.0.1:0\nwebrtcAdditionalHosts: [media.example]\nfabric:\n  nodeName: a.b\n  \
                nats:\n    servers: ['nats://a:4222', 'nats://b:4222']\n  publisherGrace: 1m30s\n";
    let config = Config::parse(text, "x").unwrap();
    assert_eq!(Config::parse(&yaml(text), "y").unwrap(), config);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = Config::load(Path::new("/nonexistent/weft.yml"), Faces::Both).unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(error.to_string().contains("/nonexistent/weft.yml"));
}

/// `weft.yml` as a table per block: key, default, the comment above it.
fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\nGenerated from `config/weft.yml`, which is the file to copy. \
         `weft check --config FILE` says what is wrong with a file, or prints the effective configuration.\n",
    );
    let mut stack: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut rows = String::new();
    for line in REFERENCE.lines() {
        let bare = line.trim();
        if bare.is_empty() {
            // The head of the file is a comment followed by a blank line.
            if rows.is_empty() && !comment.is_empty() {
                page.push_str(&format!(
                    "\n{}\n\n| key | default | meaning |\n|---|---|---|\n",
                    comment.join(" ")
                ));
            }
            comment.clear();
        } else if let Some(text) = bare.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some((key, value)) = bare.split_once(':') {
            let indent = line.len() - line.trim_start().len();
            stack.retain(|(outer, _)| *outer < indent);
            let parents: Vec<&str> = stack.iter().map(|(_, key)| key.as_str()).collect();
            let name = [parents, vec![key]].concat().join(".");
            let value = value.trim();
            let default = if value.is_empty() {
                String::new()
            } else {
                format!("`{value}`")
            };
            rows.push_str(&format!("| `{name}` | {default} | {} |\n", comment.join(" ")));
            stack.push((indent, key.to_owned()));
            comment.clear();
        }
    }
    page + &rows
}

#[test]
fn the_configuration_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/config.md is stale; run UPDATE_GOLDEN=1 cargo test -p weft-config"
    );
}
