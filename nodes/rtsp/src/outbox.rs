//! What one connection has still to send: bytes of its own TCP stream, and datagrams where its tracks go over UDP.
//! Bounded by its filler, which takes nothing more from the reader's queue while something is left here.

use crate::datagrams::Datagrams;
use crate::stream::Stream;
use bytes::{Buf, BytesMut};
use std::cell::Cell;
use std::io;
use tokio::time::Instant;

/// A batch ends when this much is gathered: one write, and the most that is held beside one access unit.
pub(crate) const BATCH: usize = 256 * 1024;
/// Room in a buffer to begin with: usual access units fit.
const ROOM: usize = 64 * 1024;
/// A buffer that grew beyond this is not kept.
const KEEP: usize = 1024 * 1024;

thread_local! {
    /// A buffer for whoever of this thread writes next. Most readers take what is written at once, so one that stays in the
    /// cache serves hundreds, and a reader that waits holds none.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// What is still to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Answers, and packets of interleaved tracks.
    pub(crate) stream: BytesMut,
    /// Packets of tracks over UDP.
    pub(crate) datagrams: Option<Datagrams>,
    /// TLS holds bytes that were in `stream`.
    held: bool,
    /// Since when the client has taken nothing of `stream`, or of what TLS holds.
    stuck: Option<Instant>,
    /// Bytes of `stream` that the client has taken.
    pub(crate) taken: u64,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            stream: BytesMut::new(),
            datagrams: None,
            held: false,
            stuck: None,
            taken: 0,
        }
    }

    /// Makes room for what is to be gathered for one write.
    pub(crate) fn begin(&mut self) {
        if self.stream.capacity() == 0 {
            self.stream = SPARE.take().unwrap_or_default();
            self.stream.reserve(ROOM);
        }
    }

    /// Leaves the buffer to others.
    fn end(&mut self) {
        let mut buffer = std::mem::take(&mut self.stream);
        buffer.clear();
        // Where it began small, as with an answer, it is not worth keeping.
        if buffer.try_reclaim(ROOM) && buffer.capacity() <= KEEP {
            SPARE.set(Some(buffer));
        }
    }

    /// Nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_written() && self.datagrams.as_ref().is_none_or(Datagrams::is_empty)
    }

    /// Nothing of the TCP stream is left.
    pub(crate) fn is_written(&self) -> bool {
        self.stream.is_empty() && !self.held
    }

    /// Enough is gathered for one write.
    pub(crate) fn is_full(&self) -> bool {
        self.stream.len() >= BATCH || self.datagrams.as_ref().is_some_and(|d| d.len() >= BATCH)
    }

    /// Since when the client has taken nothing, while there was something to take.
    pub(crate) fn stuck_since(&self) -> Option<Instant> {
        self.stuck
    }

    /// Writes what the client takes of the TCP stream.
    pub(crate) fn write(&mut self, stream: &mut Stream, now: Instant) -> io::Result<()> {
        if stream.try_flush()? {
            self.stuck = None;
        }
        while !self.stream.is_empty() {
            match stream.try_write(&self.stream) {
                Ok(written) => {
                    self.stream.advance(written);
                    self.stuck = None;
                    self.taken += written as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.held = stream.holds();
                    self.stuck.get_or_insert(now);
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        self.held = stream.holds();
        if self.held {
            self.stuck.get_or_insert(now);
        }
        self.end();
        Ok(())
    }
}
