//! Who stands behind a peer: a receiver that is fed, or a source whose packets go out. What both hear is passed on here.
//! What only one of them hears is in `media`.

use crate::out::Outgoing;
use crate::peer::{Feedback, MediaReceiver, PeerAddresses, SenderReport};
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::CloseReason;

/// One of the two.
pub(crate) enum User {
    /// It is sent to us.
    In(Box<dyn MediaReceiver>),
    /// It is sent by us.
    Out(Box<Outgoing>),
}

impl User {
    pub(super) fn connected(&mut self, now: Instant, addresses: PeerAddresses) {
        match self {
            Self::In(receiver) => receiver.connected(now, addresses),
            Self::Out(out) => out.connected(now, addresses),
        }
    }

    pub(super) fn round_trip(&mut self, rtt: Duration) {
        match self {
            Self::In(receiver) => receiver.round_trip(rtt),
            Self::Out(out) => out.round_trip(rtt),
        }
    }

    pub(super) fn loop_stalled(&mut self, now: Instant, pause: Duration, feedback: &mut Feedback) {
        match self {
            Self::In(receiver) => receiver.loop_stalled(now, pause, feedback),
            Self::Out(out) => out.loop_stalled(now, pause),
        }
    }

    pub(super) fn sender_report(&mut self, now: Instant, report: SenderReport) {
        if let Self::In(receiver) = self {
            receiver.sender_report(now, report);
        }
    }

    pub(super) fn closed(&mut self, reason: CloseReason) {
        match self {
            Self::In(receiver) => receiver.closed(reason),
            Self::Out(out) => out.closed(reason),
        }
    }
}
