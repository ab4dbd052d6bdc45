//! Compound RTCP packets as we send them: a report first, a source description in each (RFC 3550 §6.1).
//! They are built whole; the caller sends them as they are.

use super::{
    BYE, CNAME, MAX_TEXT, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo, report,
};
use bytes::{BufMut, Bytes, BytesMut};

/// Most report blocks in one packet (§6.4.1).
const MAX_BLOCKS: usize = 31;

fn head(out: &mut BytesMut, count: usize, packet_type: u8, body: usize) {
    out.put_u8(0x80 | count as u8);
    out.put_u8(packet_type);
    out.put_u16((body / 4) as u16);
}

fn description(out: &mut BytesMut, ssrc: u32, cname: &str) {
    let text = &cname.as_bytes()[..cname.len().min(MAX_TEXT)];
    // SSRC, one item, at least one zero byte, up to a multiple of four (§6.5).
    let body = (4 + 2 + text.len() + 1).next_multiple_of(4);
    head(out, 1, SOURCE_DESCRIPTION, body);
    out.put_u32(ssrc);
    out.put_u8(CNAME);
    out.put_u8(text.len() as u8);
    out.put_slice(text);
    out.put_bytes(0, body - 6 - text.len());
}

fn report_packet(ssrc: u32, info: Option<SenderInfo>, blocks: &[ReportBlock], cname: &str) -> BytesMut {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let info_len = if info.is_some() { report::INFO } else { 0 };
    let body = 4 + info_len + report::BLOCK * blocks.len();
    let mut out = BytesMut::with_capacity(4 + body + 16 + cname.len().min(MAX_TEXT) + 8);
    let packet_type = if info.is_some() {
        SENDER_REPORT
    } else {
        RECEIVER_REPORT
    };
    head(&mut out, blocks.len(), packet_type, body);
    out.put_u32(ssrc);
    if let Some(info) = info {
        out.put_slice(&info.to_bytes());
    }
    for block in blocks {
        out.put_slice(&block.to_bytes());
    }
    description(&mut out, ssrc, cname);
    out
}

/// Sender report and source description. A CNAME longer than [`MAX_TEXT`] bytes is cut.
#[must_use]
pub fn sender_report(ssrc: u32, info: SenderInfo, cname: &str) -> Bytes {
    report_packet(ssrc, Some(info), &[], cname).freeze()
}

/// Receiver report and source description; of more than 31 blocks the first 31 are sent.
#[must_use]
pub fn receiver_report(ssrc: u32, blocks: &[ReportBlock], cname: &str) -> Bytes {
    report_packet(ssrc, None, blocks, cname).freeze()
}

/// The last word of a source: an empty receiver report, its description, BYE (§6.1, §6.6). With `info` the report is a
/// sender's.
#[must_use]
pub fn bye(ssrc: u32, info: Option<SenderInfo>, cname: &str) -> Bytes {
    let mut out = report_packet(ssrc, info, &[], cname);
    head(&mut out, 1, BYE, 4);
    out.put_u32(ssrc);
    out.freeze()
}
