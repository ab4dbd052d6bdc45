//! The counters of the HLS face, with the metric names they are shown under.
//! What is counted where is the business of the part that counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of all muxers of a node.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($(#[doc = $help])+ pub(super) $field: AtomicU64,)+
        }

        impl Counters {
            /// Each counter: metric name, help, value.
            pub(super) fn each(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(visit($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// HLS muxers opened.
    muxers_opened => "weft_hls_muxers_opened_total",
    /// HLS playlists answered.
    playlists => "weft_hls_playlists_total",
    /// HLS parts, segments and init segments answered.
    files => "weft_hls_files_total",
    /// Bytes of HLS answers.
    bytes => "weft_hls_bytes_sent_total",
    /// HLS requests whose wait for what comes next was in vain.
    late => "weft_hls_waits_in_vain_total",
    /// HLS requests that were judged by the gate; others were let in by a judgement of the last seconds.
    judged => "weft_hls_requests_judged_total",
}
