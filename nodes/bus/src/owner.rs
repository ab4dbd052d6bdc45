//! What a bus asks of the session that owns a stream. Each method answers at once from shared state: it is called on the
//! bus's threads, never waits, and never touches the media loop.

use weft_wire::{KeyframeRequest, Kick, OwnerInfo, UnitBatch, UnitsEnd, UnitsRequest};

/// Units of the past, in order, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsAnswer {
    /// In order of `seq`; may be empty.
    pub batches: Vec<UnitBatch>,
    /// The next live unit and the tracks.
    pub end: UnitsEnd,
}

/// The owner's side of a publication. Implementations put each unit in their cache *before* they publish it: the bus marks
/// the stream wanted before it calls `units`, so a unit is in the answer, or published after it, or both.
pub trait StreamOwner: Send + Sync + 'static {
    /// Answers a request for the past.
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer;
    /// Takes note of a wish for key units.
    fn keyframe(&self, request: KeyframeRequest);
    /// Says who it is.
    fn owner(&self) -> OwnerInfo;
    /// Ends the session.
    fn kick(&self, kick: Kick);
}
