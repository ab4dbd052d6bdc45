//! A WebRTC publisher on the async `webrtc` crate: offers through WHIP, then sends a source's units in time.
//! It stands on nothing of the server, so the demo and the tests use it as an independent client.

use crate::demo::feedback::Feedback;
use crate::demo::peer::SendPeer;
use crate::demo::runtime::Killable;
use crate::demo::sender::{Muted, Sender};
use crate::demo::source::UnitSource;
use crate::demo::whip::{self, WhipError, WhipSession};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// How a publisher behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its media comes from.
    pub local_ip: IpAddr,
    /// Answers PLI and FIR with a key unit, as a browser does; otherwise they are only counted, as FFmpeg does.
    pub obey_keyframes: bool,
    /// Offers retransmission on a stream of its own (RFC 4588).
    pub rtx: bool,
    /// `Authorization: Bearer` of the POST.
    pub token: Option<String>,
    /// How long gathering and connecting may take, each.
    pub handshake: Duration,
    /// How long the answer to the POST may take.
    pub request: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            local_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            obey_keyframes: false,
            rtx: true,
            token: None,
            handshake: Duration::from_secs(10),
            request: Duration::from_secs(10),
        }
    }
}

/// Publishing did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The WHIP request failed.
    #[error(transparent)]
    Whip(#[from] WhipError),
    /// The WebRTC stack refused something.
    #[error("webrtc: {0}")]
    Webrtc(#[from] rtc::shared::error::Error),
    /// A step took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// The peer connection ended before media could flow.
    #[error("the connection ended before media could flow")]
    Ended,
}

/// What a publisher has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Access units sent.
    pub units: u64,
    /// RTP packets sent, retransmissions left out.
    pub packets: u64,
    /// Bytes of RTP payload.
    pub bytes: u64,
    /// Keyframe requests seen.
    pub keyframe_requests: u64,
    /// Packets that the server asked for again.
    pub nacked: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) units: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// A running publisher. Dropping it is like [`Publisher::kill`].
#[derive(Debug)]
pub struct Publisher {
    session: WhipSession,
    peer: Option<Peer>,
    task: JoinHandle<()>,
    sent: Arc<Sent>,
    feedback: Arc<Feedback>,
    muted: watch::Sender<Muted>,
}

/// Ends a peer connection whose caller does not wait for it any more.
struct Kill(Option<Arc<Killable>>);

impl Kill {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Kill {
    fn drop(&mut self) {
        if let Some(runtime) = &self.0 {
            runtime.kill();
        }
    }
}

struct Peer(SendPeer);

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peer")
    }
}

impl Publisher {
    /// Publishes a source at a WHIP URL; returns once media flows.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or the connection does not come up in time.
    pub async fn start(url: &str, source: impl UnitSource, options: Options) -> Result<Self, PublishError> {
        let mut peer = SendPeer::build(&source.tracks(), &options).await?;
        let unless_given_up = Kill(Some(peer.runtime.clone()));
        let session = match Self::negotiate(url, &mut peer, &options).await {
            Ok(session) => session,
            Err(error) => {
                peer.close().await;
                unless_given_up.disarm();
                return Err(error);
            }
        };
        unless_given_up.disarm();
        let sent = Arc::new(Sent::default());
        let (muted, muted_seen) = watch::channel(Muted::default());
        let sender = Sender::new(&peer, source, options.obey_keyframes, sent.clone(), muted_seen);
        Ok(Self {
            session,
            task: tokio::spawn(sender.run()),
            sent,
            feedback: peer.feedback.clone(),
            muted,
            peer: Some(Peer(peer)),
        })
    }

    async fn negotiate(
        url: &str,
        peer: &mut SendPeer,
        options: &Options,
    ) -> Result<WhipSession, PublishError> {
        let offer = peer.offer(options.handshake).await?;
        let session = whip::post(url, offer, options.token.clone(), options.request).await?;
        if let Err(error) = peer.connect(session.answer.clone(), options.handshake).await {
            if let Err(error) = whip::delete(session.location).await {
                tracing::debug!(%error, "a session that never connected could not be deleted");
            }
            return Err(error);
        }
        Ok(session)
    }

    /// The session's URL.
    #[must_use]
    pub fn location(&self) -> &Url {
        &self.session.location
    }

    /// The session's id in the API, where the server told it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.session.id.as_deref()
    }

    /// Where the server tells what this publisher should know; `None` where it has no such channel.
    #[must_use]
    pub fn events(&self) -> Option<&Url> {
        self.session.events.as_ref()
    }

    /// The SDP answer.
    #[must_use]
    pub fn answer(&self) -> &str {
        &self.session.answer
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            units: get(&self.sent.units),
            packets: get(&self.sent.packets),
            bytes: get(&self.sent.bytes),
            keyframe_requests: get(&self.feedback.keyframe_requests),
            nacked: get(&self.feedback.nacked),
        }
    }

    pub(crate) fn sent(&self) -> Arc<Sent> {
        self.sent.clone()
    }

    /// Stops or goes on sending a track, by its place in the source; the session stays up and time goes on.
    pub fn mute(&self, track: usize, muted: bool) {
        self.muted.send_modify(|set| set.set(track, muted));
    }

    /// Resolves when the server has closed the connection or it is lost.
    pub async fn ended(&self) {
        if let Some(peer) = &self.peer {
            peer.0.ended().await;
        }
    }

    /// Ends in good order: DELETE, then close.
    ///
    /// # Errors
    /// When the server did not take the DELETE; everything is closed all the same.
    pub async fn stop(mut self) -> Result<(), WhipError> {
        self.task.abort();
        let deleted = whip::delete(self.session.location.clone()).await;
        if let Some(peer) = self.peer.take() {
            peer.0.close().await;
        }
        deleted
    }

    /// Closes the connection (DTLS close_notify) without a DELETE.
    pub async fn close(mut self) {
        self.task.abort();
        if let Some(peer) = self.peer.take() {
            peer.0.close().await;
        }
    }

    /// Vanishes without a farewell, as a killed process or a broken line does.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(peer) = self.peer.take() {
            peer.0.runtime.kill();
        }
    }
}
