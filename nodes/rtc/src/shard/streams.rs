//! The shard's TCP side: connections that come in with a first check, their packets, their ends.
//! Packets are cut out here and then treated as datagrams are; moving bytes is the connections' own work.

use super::Shard;
use crate::counters::count;
use crate::remote::{Remote, Transport};
use crate::socket::{Datagram, Socket};
use crate::tcp::{Arrival, HEADER, first};
use bytes::Buf;
use std::net::SocketAddr;
use tokio::time::Instant;

impl Shard {
    /// A connection whose first packet names a peer of ours: it is taken over if that packet is really the peer's.
    pub(super) fn arrival(&mut self, now: Instant, arrival: Arrival, socket: &Socket) {
        let Ok(Some(data)) = first(&arrival.bytes) else {
            return count(&self.counters.tcp_junk);
        };
        let check = Datagram {
            from: Remote::tcp(arrival.from),
            to: Some(arrival.to),
            data,
            age: None,
        };
        if self.proved(now, check).is_some() {
            socket.tcp().adopt(arrival);
        }
        self.release(socket);
    }

    /// Takes what connections have sent.
    pub(super) fn read_streams(&mut self, socket: &Socket) {
        for remote in socket.tcp().take_news() {
            let now = self.look_at_clock(socket);
            self.read_stream(now, remote, socket);
            self.flush(now, socket);
        }
    }

    fn read_stream(&mut self, now: Instant, remote: SocketAddr, socket: &Socket) {
        let from = Remote::tcp(remote);
        let Some(mut input) = socket.tcp().take_input(remote) else {
            return self.demux.forget(from);
        };
        loop {
            let length = match first(&input.bytes) {
                Ok(Some(data)) => {
                    count(&self.counters.datagrams);
                    let packet = Datagram {
                        from,
                        to: Some(input.to),
                        data,
                        age: None,
                    };
                    // RFC 4571 §2 allows packets without anything in them.
                    if !data.is_empty() {
                        self.datagram(now, packet, socket);
                    }
                    data.len()
                }
                Ok(None) => break,
                Err(_) => {
                    count(&self.counters.tcp_junk);
                    socket.tcp().end(remote);
                    return self.demux.forget(from);
                }
            };
            input.bytes.advance(HEADER + length);
        }
        if !socket.tcp().put_back(remote, input.bytes) {
            self.demux.forget(from);
        }
    }

    /// Lets go of the connections that lead to no peer any more.
    pub(super) fn release(&mut self, socket: &Socket) {
        for remote in self.demux.take_forgotten() {
            if remote.transport == Transport::Tcp {
                socket.tcp().release(remote.address);
            }
        }
    }
}
