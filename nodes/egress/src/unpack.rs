//! Access units back from the packets of the cached group: what a tap begins with costs nothing while nobody taps.
//! The packets are our own, so what cannot be unpacked is a fault here and ends the group early.

use crate::gop::Cached;
use crate::tap::TapUnit;
use bytes::Bytes;
use weft_rtp::{Depacketised, H264Depacketiser, Packet, RTP_HEADER};
use weft_wire::{CaptureTime, MediaKind};

/// The units of a group, in order; `line` gives the capture time of each.
pub(crate) fn units(group: &[Cached], line: impl Fn(&Cached) -> Option<CaptureTime>) -> Vec<TapUnit> {
    let mut pictures = H264Depacketiser::new();
    let unit = |cached: &Cached| {
        let data = match cached.kind {
            MediaKind::Video => picture(&mut pictures, cached)?,
            MediaKind::Audio => Bytes::copy_from_slice(cached.block.packets().next()?.get(RTP_HEADER..)?),
        };
        Some(TapUnit {
            track: cached.block.track,
            kind: cached.kind,
            key: cached.block.key,
            pts: cached.position.0,
            dts: cached.dts.0,
            capture: line(cached)?,
            data,
        })
    };
    group.iter().map_while(unit).collect()
}

fn picture(pictures: &mut H264Depacketiser, cached: &Cached) -> Option<Bytes> {
    let last = cached.block.len().checked_sub(1)?;
    for (at, packet) in cached.block.packets().enumerate() {
        pictures.push(&Packet {
            seq: 0,
            timestamp: cached.block.rtp_time,
            marker: at == last,
            payload: Bytes::copy_from_slice(packet.get(RTP_HEADER..)?),
            abs_capture: None,
        });
    }
    match pictures.pop()? {
        Depacketised::Unit(unit) => Some(unit.data),
        Depacketised::Damaged { .. } => None,
    }
}
