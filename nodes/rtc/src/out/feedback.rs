//! What a reader says back, out of decrypted RTCP: what it misses, that it needs a key unit, how the path does.
//! What follows from it is decided in `out`.

use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

/// Sequence numbers looked at of one packet; a reader that misses more needs a key unit.
const MOST_MISSING: usize = 512;

/// One thing said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// Packets to be sent again (RFC 4585 §6.2.1).
    Missing { ssrc: u32, seqs: Vec<u16> },
    /// A key unit is needed: PLI or FIR (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
    KeyWanted,
    /// A report block (RFC 3550 §6.4.1).
    Report {
        ssrc: u32,
        /// Extended.
        highest_seq: u32,
        /// All so far, modulo 2^24; what the reader says of the time since its report before is of a few packets only, where it
        /// reports with each NACK.
        lost: u32,
        /// Middle of the NTP time of our last report; 0: none arrived.
        last_report: u32,
        /// In 1/65536 s.
        delay: u32,
    },
    /// The reader's own estimate of the path, bits per second (draft-alvestrand-rmcat-remb).
    Estimate {
        bits_per_second: u64,
        /// What it is an estimate for; empty: all.
        ssrcs: Vec<u32>,
    },
}

/// What a packet says to a sender of media.
pub(crate) fn heard(packet: &dyn rtc::rtcp::Packet, say: &mut dyn FnMut(Heard)) {
    let any = packet.as_any();
    if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
        let seqs = nack.nacks.iter().flat_map(|pair| pair.packet_list());
        say(Heard::Missing {
            ssrc: nack.media_ssrc,
            seqs: seqs.take(MOST_MISSING).collect(),
        });
    } else if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
        say(Heard::KeyWanted);
    } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
        report.reports.iter().for_each(|block| say(block_of(block)));
    } else if let Some(report) = any.downcast_ref::<SenderReport>() {
        report.reports.iter().for_each(|block| say(block_of(block)));
    } else if let Some(remb) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
        // As far as a path can be wide; negative and endless ones are none.
        say(Heard::Estimate {
            bits_per_second: remb.bitrate.clamp(0.0, 1e12) as u64,
            ssrcs: remb.ssrcs.clone(),
        });
    }
}

fn block_of(block: &ReceptionReport) -> Heard {
    Heard::Report {
        ssrc: block.ssrc,
        highest_seq: block.last_sequence_number,
        lost: block.total_lost,
        last_report: block.last_sender_report,
        delay: block.delay,
    }
}
