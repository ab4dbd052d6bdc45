//! What one connection has still to send: bytes of its own TCP stream, and datagrams where its tracks go over UDP.
//! Bounded by its filler, which takes nothing more from the reader's queue while something is left here.

use crate::datagrams::Datagrams;
use crate::stream::Stream;
use bytes::{Buf, BytesMut};
use std::io;
use tokio::time::Instant;

/// A batch ends when this much is gathered: one write, and the most that is held beside one access unit.
pub(crate) const BATCH: usize = 256 * 1024;
/// A buffer that a large picture has grown beyond this is given back once it is empty: with hundreds of readers, what
/// each keeps after its first group of pictures would be most of the process.
pub(crate) const KEEP: usize = 128 * 1024;

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
        if self.stream.capacity() > KEEP {
            self.stream = BytesMut::new();
        }
        Ok(())
    }
}
