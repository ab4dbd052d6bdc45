//! HLS muxers with MediaMTX's fields: a stream that several nodes make into HLS is one entry, for MediaMTX asks for it by its
//! name. When a muxer comes and goes is the business of its node.

use crate::rfc3339;
use schemars::JsonSchema;
use serde::Serialize;
use weft_wire::{MuxerReport, NodeName};

/// A stream that is made into HLS.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "HLSMuxer")]
pub(crate) struct HlsMuxer {
    /// The stream.
    path: String,
    /// RFC 3339; on the first node that did.
    created: String,
    /// RFC 3339; on any node.
    last_request: String,
    /// Playlists and media, on all nodes.
    outbound_bytes: u64,
    /// Access units kept from it because it was too slow.
    outbound_frames_discarded: u64,
    #[schemars(extend("deprecated" = true))]
    bytes_sent: u64,
    /// The nodes that do. Ours.
    nodes: Vec<String>,
}

impl HlsMuxer {
    /// The muxers of one stream as one; `None` where there is none.
    pub(crate) fn of(muxers: &[(&NodeName, &MuxerReport)]) -> Option<Self> {
        let all = || muxers.iter().map(|(_, muxer)| muxer);
        let bytes = all().map(|muxer| muxer.bytes_sent).sum();
        Some(Self {
            path: all().next()?.stream.to_string(),
            created: rfc3339::from_micros(all().map(|muxer| muxer.created).min()?),
            last_request: rfc3339::from_micros(all().map(|muxer| muxer.last_request).max()?),
            outbound_bytes: bytes,
            outbound_frames_discarded: all().map(|muxer| muxer.discarded).sum(),
            bytes_sent: bytes,
            nodes: muxers.iter().map(|(node, _)| node.to_string()).collect(),
        })
    }
}
