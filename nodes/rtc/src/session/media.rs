//! The media side of a peer: RTP and reports out of the core to the receiver, its wishes back as RTCP; a reader's packets in.
//! When these are called, and all that is not media, is in `session`.

use super::{Live, SOURCE_SILENCE, Session, State, User};
use crate::counters::{add, count};
use crate::out::{Heard, Write};
use crate::peer::{Feedback, ReceivedRtp, SenderReport};
use crate::sources::Payload;
use crate::tap::Tapped;
use bytes::Buf;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::sansio::Protocol;
use std::sync::atomic::Ordering::Relaxed;
use tokio::time::Instant;

impl Session {
    /// Hands on what came out of the core; true if there was something.
    pub(super) fn drain_tap(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(tapped) = self.core.tap.pop() {
            any = true;
            match tapped {
                Tapped::Rtp(packet) => self.rtp(now, packet),
                Tapped::SenderReport {
                    ssrc,
                    ntp,
                    rtp_timestamp,
                } => {
                    if let Some(track) = self.core.sources.media_track(ssrc) {
                        let report = SenderReport {
                            track,
                            ntp,
                            rtp_timestamp,
                        };
                        self.user.sender_report(now, report);
                    }
                }
                Tapped::Said(said) => self.said(now, said),
                Tapped::Rtcp(packets) => {
                    self.shared.rtcp_received.fetch_add(packets, Relaxed);
                }
            }
        }
        any
    }

    /// A reader said something: what follows from it goes out with what is due.
    fn said(&mut self, now: Instant, said: Heard) {
        if let User::Out(out) = &mut self.user {
            out.hear(now, said);
            self.poll_receiver(now);
        }
    }

    fn rtp(&mut self, now: Instant, mut packet: rtc::rtp::Packet) {
        let header = &packet.header;
        self.core.sources.prove(header.ssrc);
        let Some(payload) = self.core.sources.payload(header.payload_type) else {
            return;
        };
        let track = payload.track();
        let (ssrc, seq) = match payload {
            Payload::Media { .. } => {
                let live = &mut self.live[track];
                match live {
                    // One layer is one track; a second announced source is another layer.
                    Some(l)
                        if l.ssrc != header.ssrc
                            && now.saturating_duration_since(l.heard) < SOURCE_SILENCE =>
                    {
                        count(&self.counters.unknown_ssrc);
                        return;
                    }
                    _ => {
                        *live = Some(Live {
                            ssrc: header.ssrc,
                            heard: now,
                        })
                    }
                }
                (header.ssrc, header.sequence_number)
            }
            Payload::Repair { .. } => {
                // RFC 4588 §4: the original sequence number comes first; padding has none.
                let primary = self.media_ssrc(track);
                if packet.payload.len() < 2 || !self.core.sources.repairs(header.ssrc, primary) {
                    return;
                }
                count(&self.counters.rtx);
                self.shared.recovered.fetch_add(1, Relaxed);
                (primary, packet.payload.get_u16())
            }
        };
        count(&self.counters.rtp);
        self.shared.packets.fetch_add(1, Relaxed);
        self.shared.bytes.fetch_add(packet.payload.len() as u64, Relaxed);
        let received = ReceivedRtp {
            track,
            ssrc,
            seq,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            abs_capture: self.abs_capture(&packet.header),
            payload: packet.payload,
        };
        let User::In(receiver) = &mut self.user else {
            return;
        };
        let mut feedback = Feedback::default();
        receiver.rtp(now, received, &mut feedback);
        self.receiver_deadline = receiver.poll(now, &mut feedback);
        self.apply(now, feedback);
    }

    fn abs_capture(&self, header: &rtc::rtp::Header) -> Option<u64> {
        if self.core.abs_capture == 0 {
            return None;
        }
        let value = header.get_extension(self.core.abs_capture)?;
        value.first_chunk().map(|b| u64::from_be_bytes(*b))
    }

    pub(super) fn poll_receiver(&mut self, now: Instant) {
        match &mut self.user {
            User::In(receiver) => {
                let mut feedback = Feedback::default();
                self.receiver_deadline = receiver.poll(now, &mut feedback);
                self.apply(now, feedback);
            }
            User::Out(_) => self.send_out(now),
        }
    }

    /// Gives the core what a reader is to get now; [`Self::pump`] must follow.
    fn send_out(&mut self, now: Instant) {
        let User::Out(out) = &mut self.user else {
            return;
        };
        let (pc, shared) = (&mut self.core.pc, &self.shared);
        let wrote = out.run(now, &mut |write| {
            let message = match write {
                Write::Rtp(packet) => RTCMessage::RtpPacket(Default::default(), packet),
                Write::Rtcp(packet) => {
                    shared.rtcp_sent.fetch_add(1, Relaxed);
                    RTCMessage::RtcpPacket(Default::default(), vec![packet])
                }
            };
            pc.handle_write(TaggedRTCMessage {
                now: now.into_std(),
                message,
            })
        });
        self.writes |= wrote;
        self.receiver_deadline = out.deadline();
        self.ending = self.ending.or(out.ended());
    }

    /// Tells a reader that nothing follows, before DTLS does.
    pub(super) fn say_goodbye(&mut self, now: Instant) {
        let goodbye = match &self.user {
            User::Out(out) => out.goodbye(),
            User::In(_) => None,
        };
        if let Some(Write::Rtcp(packet)) = goodbye {
            self.write_rtcp(now, packet);
        }
    }

    fn media_ssrc(&self, track: usize) -> u32 {
        let live = self.live.get(track).copied().flatten().map(|l| l.ssrc);
        live.or_else(|| self.core.sources.announced(track))
            .unwrap_or_default()
    }

    pub(super) fn apply(&mut self, now: Instant, feedback: Feedback) {
        for (track, seqs) in feedback.nack {
            add(&self.counters.nacks, seqs.len());
            let nack = TransportLayerNack {
                sender_ssrc: self.sender_ssrc,
                media_ssrc: self.media_ssrc(track),
                nacks: nack_pairs_from_sequence_numbers(&seqs),
            };
            self.write_rtcp(now, Box::new(nack));
        }
        for track in feedback.keyframe {
            count(&self.counters.plis);
            let pli = PictureLossIndication {
                sender_ssrc: self.sender_ssrc,
                media_ssrc: self.media_ssrc(track),
            };
            self.write_rtcp(now, Box::new(pli));
        }
        self.ending = self.ending.or(feedback.close);
    }

    fn write_rtcp(&mut self, now: Instant, packet: Box<dyn rtc::rtcp::Packet>) {
        if self.state != State::Connected {
            return;
        }
        self.writes = true;
        self.shared.rtcp_sent.fetch_add(1, Relaxed);
        let message = RTCMessage::RtcpPacket(Default::default(), vec![packet]);
        let written = self.core.pc.handle_write(TaggedRTCMessage {
            now: now.into_std(),
            message,
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the WebRTC core refused feedback");
        }
    }
}
