//! A stream as the API shows it, with MediaMTX's field names and types (its deprecated ones included).
//! Where the values come from is in `paths`.

use crate::rfc3339;
use crate::view::HubLine;
use serde::Serialize;
use serde_json::{Value, json};
use weft_wire::{Codec, OwnerInfo, StreamName, StreamRecord, StreamState, TrackInfo};

/// The configuration entry that all streams come under: there are no others yet.
const CONF_NAME: &str = "all_others";

/// A stream.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the field names are MediaMTX's and documented there
pub struct Path {
    pub name: String,
    pub conf_name: &'static str,
    pub ready: bool,
    pub ready_time: Option<String>,
    pub available: bool,
    pub available_time: Option<String>,
    pub online: bool,
    pub online_time: Option<String>,
    pub source: Option<PathSource>,
    pub tracks: Vec<&'static str>,
    pub tracks2: Vec<PathTrack>,
    pub readers: Vec<PathReader>,
    pub inbound_bytes: u64,
    pub outbound_bytes: u64,
    pub inbound_frames_in_error: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
}

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // as above
pub struct PathSource {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
}

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // as above
pub struct PathReader {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
}

/// A track with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // as above
pub struct PathTrack {
    pub codec: &'static str,
    pub codec_props: Option<Value>,
}

impl Path {
    /// A stream from what the registry, its owner and this node's hub know of it.
    pub(crate) fn merge(
        name: &StreamName,
        record: Option<&StreamRecord>,
        owner: Option<&OwnerInfo>,
        hub: Option<&HubLine>,
    ) -> Self {
        let ready = owner.is_some_and(|o| o.state == StreamState::Live);
        let since = owner.map(|o| o.since).filter(|_| ready).map(rfc3339::from_micros);
        let session = owner.map(|o| o.session).or(record.map(|r| r.session));
        let inbound = owner.map_or(0, |o| o.inbound_bytes);
        let outbound = hub.map_or(0, |h| h.bytes_sent);
        let tracks = owner.map_or(&[][..], |o| &o.tracks);
        let readers = hub.map_or(&[][..], |h| &h.readers);
        Self {
            name: name.to_string(),
            conf_name: CONF_NAME,
            ready,
            ready_time: since.clone(),
            available: ready,
            available_time: since.clone(),
            online: ready,
            online_time: since,
            source: session.map(|id| PathSource {
                kind: "webRTCSession",
                id: id.to_string(),
            }),
            tracks: tracks.iter().map(|t| t.codec.label()).collect(),
            tracks2: tracks.iter().map(track).collect(),
            readers: readers
                .iter()
                .map(|r| PathReader {
                    kind: r.kind,
                    id: r.id.clone(),
                })
                .collect(),
            inbound_bytes: inbound,
            outbound_bytes: outbound,
            inbound_frames_in_error: owner.map_or(0, |o| o.units_in_error),
            bytes_received: inbound,
            bytes_sent: outbound,
        }
    }
}

fn track(info: &TrackInfo) -> PathTrack {
    let codec_props = match info.codec {
        Codec::H264 => info.parameter_sets.first().map(|sps| {
            // Rec. ITU-T H.264 §7.3.2.1.1: profile_idc, constraint flags and level_idc follow the NAL header.
            let byte = |i: usize| sps.get(i).copied().unwrap_or(0);
            json!({
                "width": info.width,
                "height": info.height,
                "profile": profile(byte(1)),
                "level": level(byte(3)),
            })
        }),
        Codec::Opus => Some(json!({ "channelCount": info.channels })),
        _ => None,
    };
    PathTrack {
        codec: info.codec.label(),
        codec_props,
    }
}

/// Names of `profile_idc` (Rec. ITU-T H.264 Annex A).
fn profile(idc: u8) -> String {
    match idc {
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        other => return other.to_string(),
    }
    .to_owned()
}

/// `level_idc` is ten times the level.
fn level(idc: u8) -> String {
    match (idc / 10, idc % 10) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part}"),
    }
}
