//! The publishing end of a stream: hands units to the bus without ever waiting.
//! Interest (who wants them) is kept behind it; the units are kept by the owner.

use weft_wire::{MediaClass, StreamEnded, UnitBatch};

/// Why a unit was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The bus is away.
    Away,
    /// Its queue is full.
    Full,
    /// The unit is larger than what may travel.
    TooLarge,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Handed on.
    Published,
    /// Nobody wants the stream: kept by the owner only.
    Paused,
    /// Dropped, counted; hubs will see the hole in `seq` and ask again.
    Dropped(DropReason),
}

/// Sends units of one stream. Called on the media loop: returns at once, allocates little, never blocks.
pub trait Publish: Send + 'static {
    /// Publishes a batch whose units are all of `class`.
    fn send(&mut self, class: MediaClass, batch: UnitBatch) -> Sent;
    /// Tells the hubs that the stream ended and why, after everything sent before. Best effort, like a unit.
    fn end(&mut self, notice: StreamEnded) -> Sent;
    /// True while somebody wants the stream.
    fn wanted(&self) -> bool;
}

/// A publication; dropping it ends the answering of questions and the publishing.
pub type Publication = Box<dyn Publish>;
