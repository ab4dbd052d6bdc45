//! What the RTSP server asks of whoever serves streams: a description, then a reader that yields packets.
//! The server owns requests, transports, sequence numbers and sockets; the player owns media and timelines.

use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use weft_rtp::PacketBlock;
use weft_wire::{CaptureTime, CloseReason, StreamName, TrackId, TrackInfo};

/// Who asks for a stream.
#[derive(Debug, Clone)]
pub struct DescribeRequest {
    /// The path, already checked.
    pub stream: StreamName,
    /// What followed `?` in the URL.
    pub query: Option<String>,
    /// The client's address.
    pub peer: SocketAddr,
    /// Its `User-Agent`.
    pub user_agent: Option<String>,
    /// As whom it was let in; empty where nobody need be anybody.
    pub principal: String,
}

/// Why a stream cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No such stream: 404.
    NotFound,
    /// Ask there instead: 302 with this URL.
    Moved(String),
    /// It cannot be read at all, or its path allows no more readers: 400 with this sentence.
    Refused(String),
    /// Too many readers: 453.
    Full,
    /// The bus or the owner does not answer: 503 with Retry-After.
    Unavailable(Duration),
}

/// Serves streams to RTSP readers.
pub trait PlayHandler: Send + Sync + 'static {
    /// Finds a stream; holding what it returns keeps the hub open (a reader between DESCRIBE and PLAY).
    /// It is dropped when the client hangs up before the answer.
    fn describe(&self, request: DescribeRequest) -> BoxFuture<'_, Result<Arc<dyn PlaySource>, Refusal>>;

    /// How much longer than usual [`Self::describe`] of this stream may take: it may wait for a publisher to come.
    fn patience(&self, _stream: &StreamName) -> Duration {
        Duration::ZERO
    }
}

/// A stream that can be played.
pub trait PlaySource: Send + Sync + 'static {
    /// Its tracks, every negotiated one, with parameter sets as known now.
    fn tracks(&self) -> Vec<TrackInfo>;
    /// Joins it with the tracks that were set up.
    fn join(&self, spec: ReaderSpec) -> BoxFuture<'_, Result<Joined, Refusal>>;
}

/// A reader as the hub and the API see it.
#[derive(Debug, Clone)]
pub struct ReaderSpec {
    /// The RTSP session's id, as in the API.
    pub id: uuid::Uuid,
    /// The client's address.
    pub peer: SocketAddr,
    /// `TCP` or `UDP`.
    pub transport: &'static str,
    /// Over TLS.
    pub secure: bool,
    /// Tracks set up.
    pub tracks: Vec<TrackId>,
    /// What followed `?` in its URL.
    pub query: String,
    /// Its `User-Agent`; may be empty.
    pub user_agent: String,
    /// As whom it was let in; empty where nobody need be anybody.
    pub principal: String,
}

/// Where a track of a new reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackStart {
    /// Which track.
    pub track: TrackId,
    /// SSRC of all its packets, for the life of the hub.
    pub ssrc: u32,
    /// RTP timestamp of its first packet (of the line where no packet is known yet).
    pub rtp_time: u32,
    /// The line between RTP time and capture time at the start, for the first sender report.
    pub line: RtpLine,
}

/// One point of a track's line: this RTP timestamp was captured at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpLine {
    /// RTP timestamp.
    pub rtp_time: u32,
    /// UTC at capture.
    pub capture: CaptureTime,
}

/// A reader that has joined.
pub struct Joined {
    /// One per track set up.
    pub starts: Vec<TrackStart>,
    /// Its packets.
    pub reader: Box<dyn PlayReader>,
}

/// What a reader yields, in order.
#[derive(Debug, Clone)]
pub enum ReaderEvent {
    /// The packets of one access unit.
    Block(Arc<PacketBlock>),
    /// Time for a sender report of this track (every 5 s, and before a new epoch's first packet).
    Report(TrackId, RtpLine),
    /// The end; nothing follows.
    Closed(CloseReason),
}

/// A reader's bounded queue. Overflow: it skips to the next key unit, counted by the hub; the server only takes.
/// Dropping it leaves the stream.
pub trait PlayReader: Send + 'static {
    /// The next event if there is one already: lets the server gather several units in one write.
    fn try_next(&mut self) -> Option<ReaderEvent>;
    /// Notified (`notify_one`) after an event was queued. Nobody else may wait for it.
    fn ready(&self) -> &Notify;
    /// Pauses (queue emptied, nothing queued) or resumes at the next key unit.
    fn set_paused(&mut self, paused: bool);
    /// Tells the hub what the reader was sent since the last call, for API and metrics: RTP packets, and their bytes with
    /// RTP headers.
    fn sent(&self, packets: u64, bytes: u64);
}

impl dyn PlayReader {
    /// The next event. Cancel-safe. Not of the trait, which would take an allocation each time.
    pub async fn next(&mut self) -> ReaderEvent {
        loop {
            if let Some(event) = self.try_next() {
                return event;
            }
            // A notice given since then is kept for us: we are the only one waiting.
            self.ready().notified().await;
        }
    }
}
