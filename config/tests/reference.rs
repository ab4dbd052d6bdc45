//! The reference file `weft.yml` and the generated page `docs/config.md` say what the program does.
//! `UPDATE_GOLDEN=1 cargo test -p weft-config` rewrites the page.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

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
fn the_reference_file_names_every_key_that_has_an_effect_and_no_other() {
    let rows = rows();
    let mut written: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    // Blocks stand for themselves; a path's keys are those of the defaults.
    written.retain(|key| {
        ![
            "pathDefaults",
            "paths",
            "paths.all_others",
            "fabric",
            "fabric.nats",
            "fabric.limits",
        ]
        .contains(&key.as_str())
    });
    written.sort();
    let mut known = weft_config::obeyed_keys();
    known.sort();
    assert_eq!(written, known);
    for row in rows {
        assert!(
            !row.meaning.is_empty() || row.key == "paths.all_others",
            "{} says nothing",
            row.key
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

/// A key of `weft.yml`, with the comment above it.
struct Row {
    key: String,
    default: String,
    meaning: String,
}

/// The head of `weft.yml`.
fn head() -> String {
    let lines = REFERENCE.lines().take_while(|line| line.starts_with('#'));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches('#').trim()).collect();
    lines.join(" ")
}

/// The keys of `weft.yml`; what stands in lists is of their key.
fn rows() -> Vec<Row> {
    let mut stack: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut list: Option<usize> = None;
    for line in REFERENCE.lines() {
        let bare = line.trim();
        let indent = line.len() - line.trim_start().len();
        if list.is_some_and(|indent_of_key| !bare.is_empty() && indent <= indent_of_key) {
            list = None;
        }
        if bare.is_empty() {
            comment.clear();
        } else if let Some(text) = bare.strip_prefix('#') {
            comment.push(text.trim());
        } else if bare.starts_with('-') && list.is_none() {
            let (owner, _) = stack.last().unwrap();
            list = Some(*owner);
            rows.last_mut().unwrap().default = "as in the file".to_owned();
        } else if let Some((key, value)) = bare.split_once(':').filter(|_| list.is_none()) {
            stack.retain(|(outer, _)| *outer < indent);
            let parents: Vec<&str> = stack.iter().map(|(_, key)| key.as_str()).collect();
            let value = value.trim();
            rows.push(Row {
                key: [parents, vec![key]].concat().join("."),
                default: if value.is_empty() {
                    String::new()
                } else {
                    format!("`{value}`")
                },
                meaning: comment.join(" "),
            });
            stack.push((indent, key.to_owned()));
            comment.clear();
        }
    }
    rows
}

/// The page: what holds for all keys, a table of those that have an effect, lists of the others.
fn page() -> String {
    let mut page = format!(
        "# Configuration\n\nGenerated from `config/weft.yml`, which is the file to copy. `weft check FILE` says what is wrong with \
         a file, or prints the effective configuration and what deserves a word about it.\n\n{}\n\n{}",
        head(),
        include_str!("config-page.md")
    );
    page.push_str("\n## Keys\n\n| key | default | meaning |\n|---|---|---|\n");
    for row in rows() {
        let meaning = row.meaning.replace('|', "\\|");
        page.push_str(&format!("| `{}` | {} | {meaning} |\n", row.key, row.default));
    }
    page.push_str(
        "\n## Keys without effect\n\nMediaMTX has them, so they are no mistake; what they ask for is not done. One that is set to \
         something else than MediaMTX's default (or `no`) is named in the log at the start and by `weft check`. The API shows \
         them all, so that every client finds its field.\n\n| of, or why | keys |\n|---|---|\n",
    );
    let list = |keys: &[String]| -> String {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    };
    for (what, keys) in weft_config::idle_keys() {
        page.push_str(&format!("| {what} | {} |\n", list(&keys)));
    }
    page.push_str(&format!(
        "\n## Old names\n\nThey are rewritten, with a line of notice each: {}.\n",
        list(&weft_config::old_keys())
    ));
    page
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
