//! The committed pages are what their sources give: a fresh `npm ci` and build, compared byte by byte. What the pages do is
//! tested in a browser, in tests/browser.

use std::process::Command;

#[test]
fn a_fresh_build_gives_exactly_the_committed_files() {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/build"))
        .arg("--check")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
