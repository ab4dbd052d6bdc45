//! What goes over the wire of one peer besides media, as far as the core leaves it wanting: a nomination that came too
//! early, a ClientHello that the peer was not ready for, round trips, and from which of our addresses to answer.

use crate::remote::Remote;
use crate::socket::Socket;
use crate::stun::{self, Class, Transaction};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Checks of ours whose answers are waited for.
const MOST_PINGS: usize = 16;
/// Addresses remembered with the way to them.
const MOST_ROUTES: usize = 8;
/// When the first DTLS flight is said again while the peer is silent. FFmpeg swallows the one that comes before it
/// has seen the end of ICE, and the core's own timer is a second.
const HELLO_AGAIN: [Duration; 4] = [
    Duration::from_millis(60),
    Duration::from_millis(120),
    Duration::from_millis(240),
    Duration::from_millis(400),
];

#[derive(Debug, Default)]
enum Hello {
    /// Nothing said yet.
    #[default]
    Before,
    /// Said, and the peer is silent.
    Said {
        flight: Vec<u8>,
        to: Remote,
        times: usize,
        next: Instant,
    },
    /// The peer has spoken, or we have said it often enough.
    After,
}

/// The state of one peer's link.
#[derive(Debug, Default)]
pub(crate) struct Link {
    routes: Vec<(Remote, Option<IpAddr>)>,
    remote: Option<Remote>,
    pings: VecDeque<(Transaction, Instant)>,
    answered: Option<Transaction>,
    nomination: Option<(Remote, Vec<u8>)>,
    hello: Hello,
}

impl Link {
    /// The peer has proved that it sends from `from`, to our address `to`.
    pub(crate) fn learn(&mut self, from: Remote, to: Option<IpAddr>) {
        if self.routes.contains(&(from, to)) {
            return;
        }
        self.routes.retain(|(address, _)| *address != from);
        if self.routes.len() == MOST_ROUTES {
            self.routes.remove(0);
        }
        self.routes.push((from, to));
    }

    /// Where DTLS and media go, and from which of our addresses.
    pub(crate) fn remote(&self) -> Option<(Remote, Option<IpAddr>)> {
        self.remote.map(|r| (r, self.source(r)))
    }

    fn source(&self, to: Remote) -> Option<IpAddr> {
        self.routes
            .iter()
            .find(|(address, _)| *address == to)
            .and_then(|(_, source)| *source)
    }

    /// Sends what the core wants sent.
    pub(crate) fn send(&mut self, now: Instant, to: Remote, datagram: &[u8], socket: &Socket) {
        match datagram.first() {
            Some(0..=3) => match stun::header(datagram) {
                Some((Class::Request, transaction)) => {
                    if self.pings.len() == MOST_PINGS {
                        self.pings.pop_front();
                    }
                    self.pings.push_back((transaction, now));
                }
                Some((Class::Success, transaction)) => self.answered = Some(transaction),
                _ => {}
            },
            Some(20..=63) => {
                self.remote = Some(to);
                if let Hello::Before = self.hello {
                    self.hello = Hello::Said {
                        flight: datagram.to_vec(),
                        to,
                        times: 0,
                        next: now + HELLO_AGAIN[0],
                    };
                }
            }
            _ => self.remote = Some(to),
        }
        socket.send(to, self.source(to), datagram);
    }

    /// The answer to a check of ours arrived: the round trip.
    pub(crate) fn pong(&mut self, transaction: Transaction, now: Instant) -> Option<Duration> {
        let i = self.pings.iter().position(|(t, _)| *t == transaction)?;
        let (_, sent) = self.pings.remove(i)?;
        Some(now.saturating_duration_since(sent))
    }

    /// To be called before the core gets a check.
    pub(crate) fn before_check(&mut self) {
        self.answered = None;
    }

    /// The core has had a check. It leaves one that nominates unanswered while its own check of the pair is under way
    /// (against RFC 8445 §7.3.1.5); such a one is kept.
    pub(crate) fn after_check(&mut self, from: Remote, check: &[u8], transaction: Transaction) {
        if stun::nominates(check) && self.answered != Some(transaction) {
            self.nomination = Some((from, check.to_vec()));
        }
    }

    /// Our check towards `from` succeeded: the nomination that waited for it, to be given to the core once more.
    pub(crate) fn take_nomination(&mut self, from: Remote) -> Option<Vec<u8>> {
        self.nomination
            .take_if(|(f, _)| *f == from)
            .map(|(_, check)| check)
    }

    /// A DTLS datagram arrived.
    pub(crate) fn heard_dtls(&mut self) {
        self.hello = Hello::After;
    }

    /// When [`Self::repeat_hello`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.hello {
            Hello::Said { next, .. } => Some(*next),
            Hello::Before | Hello::After => None,
        }
    }

    /// Says the first flight again if it is time.
    pub(crate) fn repeat_hello(&mut self, now: Instant, socket: &Socket) {
        if let Hello::Said {
            flight,
            to,
            times,
            next,
        } = &mut self.hello
            && *next <= now
        {
            let (to, datagram) = (*to, flight.clone());
            *times += 1;
            match HELLO_AGAIN.get(*times) {
                Some(wait) => *next = now + *wait,
                None => self.hello = Hello::After,
            }
            socket.send(to, self.source(to), &datagram);
        }
    }
}
