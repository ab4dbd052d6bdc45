//! How a connection ends: why, its last words, what is logged and counted of it.
//! When it ends is decided by the loop and by requests.

use crate::connection::Connection;
use crate::counters::Counters;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::Interest;
use tokio::time::Instant;
use weft_rtsp::{Response, Status};
use weft_wire::CloseReason;

/// How long last words may take to be written, and unread bytes to be drained (closing over them would destroy the
/// last words on their way).
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed it.
    Left,
    /// The system says it is broken.
    Lost(io::Error),
    /// TEARDOWN.
    TornDown,
    /// It showed something wrong, and has been told.
    NotLetIn,
    /// Its bytes cannot be framed.
    Malformed(weft_rtsp::Error, Option<u64>),
    /// A request was not completed in time.
    HalfRequest,
    /// No sign of life.
    Silent,
    /// It took nothing of what was written.
    TooSlow,
    /// It had said nothing, and others needed the room.
    MadeRoom,
    /// The stream or we ended it.
    Closed(CloseReason),
}

impl End {
    fn reason(&self) -> CloseReason {
        match self {
            Self::Left | Self::TornDown => CloseReason::PeerLeft,
            Self::Lost(_) | Self::Silent => CloseReason::PeerLost,
            Self::Malformed(..) | Self::HalfRequest | Self::MadeRoom => CloseReason::Kicked,
            Self::TooSlow => CloseReason::TooSlow,
            Self::NotLetIn => CloseReason::NotAllowed,
            Self::Closed(reason) => *reason,
        }
    }
}

impl Connection {
    /// Says the last words, as far as the client takes them.
    pub(crate) async fn finish(mut self, end: &End) {
        match end {
            End::Malformed(error, cseq) => {
                Response::refusal(error.status(), *cseq, &error.to_string()).write(&mut self.out.stream);
            }
            End::HalfRequest => {
                Response::refusal(
                    Status::REQUEST_TIMEOUT,
                    None,
                    "the request was not completed in time",
                )
                .write(&mut self.out.stream);
            }
            End::Closed(_) | End::Silent => {
                if let Some(playback) = &self.playback {
                    playback.goodbye(&mut self.out, self.shared.udp.as_ref());
                }
            }
            End::TornDown | End::NotLetIn => {}
            End::TooSlow => {
                // What it did not take is thrown away now: the system would keep it for as long as it tries to deliver.
                self.stream.abandon();
                return;
            }
            End::Left | End::Lost(_) | End::MadeRoom => return,
        }
        // The reader leaves the hub before the last words: they may take a while.
        self.playback = None;
        self.registered = None;
        self.claims.clear();
        self.flush_datagrams(Instant::now());
        let until = Instant::now() + LAST_WORDS;
        _ = tokio::time::timeout_at(until, async {
            while !self.out.is_written() {
                self.stream.ready(Interest::WRITABLE).await?;
                self.out.write(&mut self.stream, Instant::now())?;
            }
            self.stream.shutdown().await?;
            self.stream.discard().await
        })
        .await;
    }

    pub(crate) fn log(&self, end: &End) {
        let (shared, peer) = (&self.shared, self.peer);
        match end {
            End::Malformed(error, _) => {
                Counters::one(&shared.counters.malformed);
                if let Some(more) = shared.limiters.malformed.pass() {
                    tracing::warn!(%peer, %error, more, "connection closed: its bytes are no RTSP");
                }
            }
            End::HalfRequest | End::Silent => {
                Counters::one(&shared.counters.timed_out);
                if let Some(more) = shared.limiters.timed_out.pass() {
                    let half = matches!(end, End::HalfRequest);
                    tracing::info!(%peer, half_request = half, more, "connection closed: silent for too long");
                }
            }
            End::TooSlow => {
                Counters::one(&shared.counters.too_slow);
                if let Some(more) = shared.limiters.too_slow.pass() {
                    tracing::warn!(%peer, more, "reader closed: took nothing for too long");
                }
            }
            End::MadeRoom => {
                Counters::one(&shared.counters.made_room);
                if let Some(more) = shared.limiters.made_room.pass() {
                    tracing::warn!(%peer, more, "connection closed: it had said nothing, and others needed the room");
                }
            }
            End::Lost(error) => tracing::debug!(%peer, %error, "connection lost"),
            End::Left | End::TornDown | End::NotLetIn | End::Closed(_) => {}
        }
        if let Some(registered) = &self.registered {
            let entry = &registered.entry;
            let (session, path, reason) = (entry.id, entry.path.as_str(), end.reason().token());
            let (packets, bytes) = (entry.packets.load(Relaxed), entry.bytes.load(Relaxed));
            tracing::info!(%session, stream = %path, %peer, reason, packets, bytes, "reader closed");
        }
    }
}
