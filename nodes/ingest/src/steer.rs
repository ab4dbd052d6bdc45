//! The two things ingest needs of WebRTC, as traits: somebody who answers offers, and a peer to steer.
//! `weft-rtc` is the one implementation outside tests.

use crate::error::Error;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::net::IpAddr;
use std::sync::Arc;
use weft_rtc::{MediaReceiver, NegotiatedTrack, PeerHandle, Shards};
use weft_wire::CloseReason;

/// Makes the receiver of a peer once its tracks are known; runs on the peer's loop.
pub(crate) type MakeReceiver =
    Box<dyn FnOnce(&[NegotiatedTrack], Arc<dyn Peer>) -> Result<Box<dyn MediaReceiver>, CloseReason> + Send>;

/// Answers offers.
pub(crate) trait Answerer: Send + Sync + 'static {
    /// Picks where the next peer lives and answers its offer there with a complete SDP answer. `reached_at` is our
    /// address as the publisher's HTTP request reached it.
    fn answer(
        &self,
        offer: String,
        reached_at: Option<IpAddr>,
        make: MakeReceiver,
    ) -> BoxFuture<'static, Result<String, Error>>;
}

/// A peer as its session steers it.
pub(crate) trait Peer: Send + Sync + std::fmt::Debug + 'static {
    /// Asks for a key unit on a track.
    fn keyframe(&self, track: usize);
    /// Closes it, telling the other side; `MediaReceiver::closed` follows.
    fn close(&self, reason: CloseReason);
    /// Takes a trickle fragment (RFC 8840): nothing, or the answer to an ICE restart.
    fn patch(&self, fragment: String) -> BoxFuture<'static, Result<Option<String>, Error>>;
}

impl Answerer for Shards {
    fn answer(
        &self,
        offer: String,
        reached_at: Option<IpAddr>,
        make: MakeReceiver,
    ) -> BoxFuture<'static, Result<String, Error>> {
        let shard = self.pick();
        async move {
            let make: weft_rtc::MakeReceiver = Box::new(move |tracks, peer| make(tracks, Arc::new(peer)));
            Ok(shard.answer_at(offer, reached_at, make).await?.sdp)
        }
        .boxed()
    }
}

impl Peer for PeerHandle {
    fn keyframe(&self, track: usize) {
        self.keyframe(track);
    }

    fn close(&self, reason: CloseReason) {
        self.close(reason);
    }

    fn patch(&self, fragment: String) -> BoxFuture<'static, Result<Option<String>, Error>> {
        let peer = self.clone();
        async move { Ok(peer.patch(fragment).await?) }.boxed()
    }
}

impl From<weft_rtc::Error> for Error {
    fn from(error: weft_rtc::Error) -> Self {
        use weft_rtc::Error as Rtc;
        match error {
            Rtc::Offer(refused) => refused.into(),
            Rtc::Negotiation(_) => Self::BadRequest(error.to_string()),
            Rtc::Full => Self::Full("as many WebRTC sessions as fabric.limits.publishers allows"),
            Rtc::Refused(CloseReason::Internal) => {
                Self::Internal("the session could not be begun".to_owned())
            }
            Rtc::Refused(reason) => Self::Closed(reason),
            Rtc::Closed => Self::Closed(CloseReason::PeerLost),
            Rtc::Stopped => Self::Unavailable("this node is shutting down".to_owned()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<weft_sdp::offer::OfferError> for Error {
    fn from(error: weft_sdp::offer::OfferError) -> Self {
        match error.status() {
            406 => Self::NotAcceptable(error.to_string()),
            _ => Self::BadRequest(error.to_string()),
        }
    }
}
