//! The command of `docs/scaling.md` runs, and the figures that the page calls simulated are those it prints.
//! The dice have a seed: every run gives the same.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::path::Path;
use std::process::Command;

/// Rows whose every figure stands on the page.
const WHOLE: [&str; 6] = [
    "streams per cell (",
    "publishers per ingest node |",
    "readers per egress node",
    "handed on / refused",
    "claims a second",
    "a cell added: names that move",
];

fn is_on(page: &str, number: &str) -> bool {
    let mut words = page.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.any(|word| word.trim_end_matches('.') == number)
}

#[test]
fn what_the_command_prints_stands_on_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scaling.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("\ncargo run -p weft-scale\n"));
    let output = Command::new(env!("CARGO_BIN_EXE_weft-scale")).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // 1,320,000 there is 1320000 here.
    let page = page.replace(',', "");
    let mut found = 0;
    for line in text.lines() {
        if WHOLE.iter().any(|row| line.contains(row)) {
            let values = line.split('|').nth(2).unwrap();
            for number in values.split('/').map(str::trim) {
                assert!(is_on(&page, number), "{number} is not on the page: {line}");
                found += 1;
            }
        }
    }
    assert!(found > 25, "only {found} figures were found");
}
