//! The fuzz targets: each takes any bytes, runs a parser or a round trip on them and asserts what must hold for all input.
//! `cargo test` replays the committed corpus; `tests/fuzz/run` lets libFuzzer look for more.

mod rtp;
mod rtsp;
mod sdp;
pub mod seeds;
mod wire;

pub use rtp::{packetise_roundtrip, rtp_reorder_depacketise};
pub use rtsp::rtsp_framing;
pub use sdp::sdp;
pub use wire::wire_decode;

/// A target: its name, as of its corpus and its binary, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("rtsp_framing", rtsp_framing),
    ("rtp_reorder_depacketise", rtp_reorder_depacketise),
    ("packetise_roundtrip", packetise_roundtrip),
    ("sdp", sdp),
    ("wire_decode", wire_decode),
];

/// Takes numbers and slices off the front of the input; zeros and nothing when it is used up.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        head
    }
}
