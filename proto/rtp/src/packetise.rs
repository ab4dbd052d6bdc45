//! Access units to RTP packets, once for all readers: one block per unit, sized before it is written.
//! How a codec fills its payloads is in the codec's file; sequence numbers are each reader's own.

use crate::{INTERLEAVE_HEADER, PacketBlock, RTP_HEADER, RtpHeader, h264};
use weft_wire::{Codec, MAX_UNIT_BYTES, MediaKind, TrackId};

/// RTP packet size that fits through every usual path, in bytes, header included.
pub const DEFAULT_MTU: usize = 1_400;
/// Smallest RTP packet size taken; a smaller one is raised to it.
pub const MIN_MTU: usize = 256;
/// What the two length bytes of an interleaved frame can say (RFC 2326 §10.12).
const MAX_PACKET: usize = 0xffff;

/// Cuts the units of one track into packets.
#[derive(Debug, Clone)]
pub struct Packetiser {
    codec: Codec,
    track: TrackId,
    payload_type: u8,
    ssrc: u32,
    max_payload: usize,
}

impl Packetiser {
    /// For H.264 (RFC 6184, packetization-mode 1). `mtu` bounds the RTP packet, header included, in bytes.
    #[must_use]
    pub fn h264(track: TrackId, payload_type: u8, ssrc: u32, mtu: usize) -> Self {
        Self::with_codec(Codec::H264, track, payload_type, ssrc, mtu)
    }

    /// For Opus (RFC 7587): one packet per unit whatever its size.
    #[must_use]
    pub fn opus(track: TrackId, payload_type: u8, ssrc: u32) -> Self {
        Self::with_codec(Codec::Opus, track, payload_type, ssrc, DEFAULT_MTU)
    }

    fn with_codec(codec: Codec, track: TrackId, payload_type: u8, ssrc: u32, mtu: usize) -> Self {
        Self {
            codec,
            track,
            payload_type,
            ssrc,
            max_payload: mtu.clamp(MIN_MTU, MAX_PACKET) - RTP_HEADER,
        }
    }

    /// The packets of one unit, in the form of [`weft_wire::AccessUnit`]'s `data`. A unit that holds nothing, is larger
    /// than [`MAX_UNIT_BYTES`], or (Opus) does not fit in a packet gives an empty block. `key` is passed on.
    pub fn packetise(&mut self, unit_data: &[u8], key: bool, rtp_time: u32) -> PacketBlock {
        let mut size = Size::default();
        if unit_data.len() <= MAX_UNIT_BYTES {
            self.payloads(unit_data, &mut size);
        }
        let mut writer = Writer::new(self, size, rtp_time);
        if size.packets > 0 {
            self.payloads(unit_data, &mut writer);
        }
        writer.finish(self, key, size)
    }

    fn payloads(&self, unit_data: &[u8], sink: &mut impl PayloadSink) {
        match self.codec {
            Codec::H264 => h264::packetise(unit_data, self.max_payload, sink),
            _ if unit_data.is_empty() || unit_data.len() > MAX_PACKET - RTP_HEADER => {}
            _ => sink.payload(&[unit_data]),
        }
    }
}

/// Takes payloads, each as slices to be joined; run once to measure and once to write.
pub(crate) trait PayloadSink {
    /// One packet's payload.
    fn payload(&mut self, parts: &[&[u8]]) {
        self.begin(parts.iter().map(|p| p.len()).sum());
        for part in parts {
            self.put(part);
        }
    }
    /// One packet begins, with a payload of `len` bytes.
    fn begin(&mut self, len: usize);
    /// More of that payload.
    fn put(&mut self, bytes: &[u8]);
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    packets: usize,
    payload: usize,
}

impl PayloadSink for Size {
    fn begin(&mut self, len: usize) {
        self.packets += 1;
        self.payload += len;
    }
    fn put(&mut self, _: &[u8]) {}
}

struct Writer {
    header: [u8; RTP_HEADER],
    rtp_time: u32,
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

impl Writer {
    fn new(packetiser: &Packetiser, size: Size, rtp_time: u32) -> Self {
        let header = RtpHeader {
            marker: false,
            payload_type: packetiser.payload_type,
            seq: 0,
            timestamp: rtp_time,
            ssrc: packetiser.ssrc,
        };
        Self {
            header: header.to_bytes(),
            rtp_time,
            bytes: Vec::with_capacity(size.packets * (INTERLEAVE_HEADER + RTP_HEADER) + size.payload),
            offsets: Vec::with_capacity(size.packets),
        }
    }

    fn finish(mut self, packetiser: &Packetiser, key: bool, size: Size) -> PacketBlock {
        // The marker: last packet of a picture (RFC 6184 §5.1). For Opus it would mean the start of a talkspurt
        // (RFC 7587 §4.1), which nobody knows here.
        if let Some(last) = self.offsets.last()
            && packetiser.codec.kind() == MediaKind::Video
        {
            self.bytes[*last as usize + INTERLEAVE_HEADER + 1] |= 0x80;
        }
        PacketBlock {
            track: packetiser.track,
            key,
            rtp_time: self.rtp_time,
            bytes: self.bytes.into(),
            offsets: self.offsets,
            payload_bytes: size.payload as u32,
        }
    }
}

impl PayloadSink for Writer {
    fn begin(&mut self, len: usize) {
        // Both below 2^32 and 2^16: a unit is at most MAX_UNIT_BYTES, a packet MAX_PACKET.
        let seq = self.offsets.len() as u16;
        self.offsets.push(self.bytes.len() as u32);
        let [hi, lo] = ((RTP_HEADER + len) as u16).to_be_bytes();
        self.bytes.extend_from_slice(&[b'$', 0, hi, lo]);
        self.header[2..4].copy_from_slice(&seq.to_be_bytes());
        self.bytes.extend_from_slice(&self.header);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}
