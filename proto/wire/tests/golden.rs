//! The encodings of every message, committed in `testdata/` and kept for ever: what any release wrote, every later one reads.
//! `UPDATE_GOLDEN=1 cargo test -p weft-wire --test golden` writes those that are missing and never touches the others.
#![allow(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is its failure"
)]

mod samples;

use bytes::Bytes;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn to_hex(bytes: &[u8]) -> String {
    let line = |chunk: &[u8]| chunk.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

fn from_hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn every_message_is_written_as_its_golden_file_which_is_kept_for_ever() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for sample in samples::all().into_iter().filter(|sample| !sample.former) {
        let path = folder().join(&sample.name).with_extension("hex");
        if update && !path.exists() {
            fs::write(&path, to_hex(&sample.bytes)).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(
            to_hex(&sample.bytes),
            golden,
            "{} is written otherwise than before: older nodes may not read it",
            sample.name
        );
    }
}

#[test]
fn every_golden_file_is_read_as_what_it_was_written_from() {
    let mut files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|f| {
            f.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for sample in samples::all() {
        assert!(files.remove(&sample.name), "{} has no golden file", sample.name);
        let path = folder().join(&sample.name).with_extension("hex");
        let golden = from_hex(&fs::read_to_string(path).unwrap());
        if let Err(why) = (sample.reads)(&golden) {
            panic!("{}: {why}", sample.name);
        }
    }
    assert!(files.is_empty(), "golden files whose sample is gone: {files:?}");
}
