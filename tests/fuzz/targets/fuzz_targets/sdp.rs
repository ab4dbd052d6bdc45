//! libFuzzer's way into `weft_fuzz::sdp`.
//! What must hold is asserted there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weft_fuzz::sdp(data));
