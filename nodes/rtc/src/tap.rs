//! The last interceptor of a peer's chain: takes every decrypted RTP packet, every report and wish out for us, where
//! the core would drop RTCP and the packets of sources that the offer did not announce. Writes pass through untouched.

use crate::out::{Heard, heard};
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What came out of the core.
#[derive(Debug)]
pub(crate) enum Tapped {
    /// A decrypted packet, retransmissions still wrapped.
    Rtp(rtc::rtp::Packet),
    /// RFC 3550 §6.4.1.
    SenderReport {
        /// Whose.
        ssrc: u32,
        /// NTP time.
        ntp: u64,
        /// The same on the media clock.
        rtp_timestamp: u32,
    },
    /// What a reader says of what it gets.
    Said(Heard),
    /// So many RTCP packets came, whatever is in them.
    Rtcp(u64),
}

/// The queue between chain and session. Both live on one thread; the lock is there because the chain must be `Sync`.
/// It is emptied after every datagram, so it holds what one datagram brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct TapQueue(Arc<Mutex<VecDeque<Tapped>>>);

impl TapQueue {
    fn push(&self, tapped: Tapped) {
        if let Ok(mut queue) = self.0.lock() {
            queue.push_back(tapped);
        }
    }

    /// The oldest.
    pub(crate) fn pop(&self) -> Option<Tapped> {
        self.0.lock().ok()?.pop_front()
    }
}

/// The interceptor.
pub(crate) struct Tap {
    queue: TapQueue,
    /// The peer is sent to.
    to_reader: bool,
    writes: VecDeque<TaggedPacket>,
}

impl Tap {
    pub(crate) fn new(queue: TapQueue, to_reader: bool) -> Self {
        Self {
            queue,
            to_reader,
            writes: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = std::time::Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        match message.message.packet {
            Packet::Rtp(packet) => self.queue.push(Tapped::Rtp(packet)),
            Packet::Rtcp(packets) => {
                self.queue.push(Tapped::Rtcp(packets.len() as u64));
                for packet in packets {
                    if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                        self.queue.push(Tapped::SenderReport {
                            ssrc: report.ssrc,
                            ntp: report.ntp_time,
                            rtp_timestamp: report.rtp_time,
                        });
                    }
                    if self.to_reader {
                        heard(&*packet, &mut |said| self.queue.push(Tapped::Said(said)));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        None
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
