//! Where the committed corpus comes from: seeds made from what real clients send and from what parsers get wrong.
//! `UPDATE_CORPUS=1 cargo test -p weft-fuzz` writes them; inputs that fuzzing has found stand beside them as `found-*`.

mod rtp;
mod text;

use std::path::{Path, PathBuf};

/// One input of a corpus: its file's name and its bytes.
pub type Seed = (String, Vec<u8>);

/// The seeds of a target; none for a name that is no target.
#[must_use]
pub fn of(target: &str) -> Vec<Seed> {
    match target {
        "rtsp_framing" => text::rtsp(),
        "sdp" => text::sdp(),
        "rtp_reorder_depacketise" => rtp::paths(),
        "packetise_roundtrip" => rtp::units(),
        "wire_decode" => wire(),
        _ => Vec::new(),
    }
}

/// The folder of a target's corpus.
#[must_use]
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The golden encodings, some of them cut, and names.
fn wire() -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/wire/testdata");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let (Some(name), Ok(text)) = (path.file_stem(), std::fs::read_to_string(&path)) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        let bytes = from_hex(&text);
        if name.starts_with("batch") {
            seeds.push((format!("{name}_cut"), bytes[..bytes.len() * 2 / 3].to_vec()));
        }
        seeds.push((name, bytes));
    }
    for (name, text) in [
        ("name_plain", "exam/cam_1"),
        ("name_escaped", "a=2Eb/c=7E"),
        ("name_lower_hex", "a=2eb"),
        ("name_dots", "a/../b"),
        ("subject", "weft.stream.a=2Eb.units"),
    ] {
        seeds.push((name.into(), text.into()));
    }
    for (name, bytes) in [
        ("huge_array", &[0xdd, 0xff, 0xff, 0xff, 0xff][..]),
        ("huge_bytes", &[0x95, 1, 0xc6, 0xff, 0xff, 0xff, 0xff]),
        ("deep_arrays", &[0x91; 200]),
        ("version_zero", &[0x92, 0, 0x91, 0xa1, b'n']),
    ] {
        seeds.push((name.into(), bytes.to_vec()));
    }
    seeds
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}
