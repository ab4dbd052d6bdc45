//! A reader's packets on their way to the UDP sockets: gathered into runs of equal size, paced, sent.
//! What the packets are and in what order they come is decided where blocks are taken.

use crate::udp::UdpPair;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// A buffer that a large picture has grown beyond this is given back once it is empty: with hundreds of readers, what each
/// keeps after its first group of pictures would be most of the process.
const KEEP: usize = 128 * 1024;
/// Bytes that may leave at once. A reader's socket holds some 100 packets by default (Linux, 208 KiB of bookkeeping).
const BURST: usize = 48 * 1024;
/// Bytes per millisecond after that: 24 Mbit/s, three times the largest stream. A reader on a busy machine that does not get
/// to its socket for 30 ms still loses nothing of a join. With 64 Mbit/s, on two cores with a load of 7, one join in nine did.
const PER_MILLI: u64 = 3 * 1024;
/// Most bytes of one run: what a single UDP datagram could hold, which offload demands.
const RUN: usize = 60 * 1024;

/// Packets of equal size to one address (the last one may be shorter), sent in one call.
#[derive(Debug)]
struct Run {
    to: SocketAddr,
    bytes: usize,
    segment: usize,
    packets: usize,
    report: bool,
}

/// Why not everything was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The socket is full.
    Socket,
    /// The pace allows the next run at this instant.
    Until(Instant),
}

/// The datagrams of one reader.
#[derive(Debug)]
pub(crate) struct Datagrams {
    /// The client's address and the one it speaks to.
    peer: SocketAddr,
    local: IpAddr,
    bytes: BytesMut,
    runs: VecDeque<Run>,
    budget: usize,
    refilled: Instant,
}

impl Datagrams {
    /// Datagrams to this client, at other ports than this one.
    pub(crate) fn new(peer: SocketAddr, local: IpAddr) -> Self {
        Self {
            peer,
            local,
            bytes: BytesMut::new(),
            runs: VecDeque::new(),
            budget: BURST,
            refilled: Instant::now(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes waiting.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a packet for this port; `patch` may change its copy.
    pub(crate) fn push(
        &mut self,
        port: u16,
        packet: &[u8],
        report: bool,
        max_segments: usize,
        patch: impl FnOnce(&mut [u8]),
    ) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        patch(&mut self.bytes[at..]);
        let mut to = self.peer;
        to.set_port(port);
        if let Some(run) = self.runs.back_mut() {
            // A run ends with its first shorter packet: only the last one may be short.
            let whole = run.bytes == run.packets * run.segment;
            let fits =
                packet.len() <= run.segment && run.bytes + packet.len() <= RUN && run.packets < max_segments;
            if whole && fits && run.to == to && !run.report && !report {
                run.bytes += packet.len();
                run.packets += 1;
                return;
            }
        }
        self.runs.push_back(Run {
            to,
            bytes: packet.len(),
            segment: packet.len(),
            packets: 1,
            report,
        });
    }

    /// Sends what socket and pace allow. `refused` counts packets that the system would not send.
    pub(crate) fn flush(
        &mut self,
        udp: &UdpPair,
        now: Instant,
        mut refused: impl FnMut(&io::Error, usize),
    ) -> Option<Wait> {
        self.refill(now);
        while let Some(run) = self.runs.front() {
            // A run longer than the whole budget goes when the budget is full.
            let cost = run.bytes.min(BURST);
            if cost > self.budget {
                let missing = (cost - self.budget) as u64;
                return Some(Wait::Until(
                    now + Duration::from_millis(missing.div_ceil(PER_MILLI)),
                ));
            }
            let packets = &self.bytes[..run.bytes];
            let sent = if run.report {
                udp.send_rtcp(run.to, self.local, packets)
            } else {
                udp.send_rtp(run.to, self.local, packets, run.segment)
            };
            match sent {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && !run.report => return Some(Wait::Socket),
                Err(e) => refused(&e, run.packets),
                Ok(()) => {}
            }
            self.budget -= cost;
            self.bytes.advance(run.bytes);
            self.runs.pop_front();
        }
        if self.bytes.is_empty() && self.bytes.try_reclaim(KEEP + 1) {
            self.bytes = BytesMut::new();
        }
        None
    }

    fn refill(&mut self, now: Instant) {
        let millis = now.saturating_duration_since(self.refilled).as_millis() as u64;
        if millis > 0 {
            let more = usize::try_from(millis.saturating_mul(PER_MILLI)).unwrap_or(BURST);
            self.budget = self.budget.saturating_add(more).min(BURST);
            self.refilled += Duration::from_millis(millis);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV6;

    #[test]
    fn a_link_local_client_keeps_its_scope() {
        let client = SocketAddrV6::new("fe80::7".parse().unwrap(), 5000, 0, 3);
        let mut datagrams = Datagrams::new(client.into(), "fe80::1".parse().unwrap());
        datagrams.push(6000, &[0; 12], false, 1, |_| {});
        let to = SocketAddrV6::new("fe80::7".parse().unwrap(), 6000, 0, 3);
        assert_eq!(datagrams.runs[0].to, to.into());
    }
}
