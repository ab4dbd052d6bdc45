//! Who owns a name: records written by compare-and-set, each with an epoch that rises at every claim.
//! When a claim may be contested is decided by its users.

use crate::{ClaimError, Error};
use futures::future::BoxFuture;
use std::time::Duration;
use weft_wire::{Epoch, StreamName, StreamRecord};

/// On what condition a claim is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody holds the name.
    Vacant,
    /// The record of exactly this epoch is replaced.
    Over(Epoch),
}

/// A record with the epoch it was written at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Which name.
    pub stream: StreamName,
    /// Whose it is.
    pub record: StreamRecord,
    /// Since which claim.
    pub epoch: Epoch,
}

/// The table of names. All calls end within 2 s.
pub trait Registry: Send + Sync + 'static {
    /// Claims a name; the epoch returned is higher than every one before it on this name. A claim repeated with the very
    /// record that stands there gets that record's epoch: the answer to the first may have been lost on the way.
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>>;

    /// Who holds the name.
    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>>;

    /// Removes the record if it is still of this epoch; says whether it was.
    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>>;

    /// All records, sorted by name.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>>;

    /// For how long this node has been connected and the table has had the leader it has now: nothing is concluded from
    /// an absence soon after a change of either.
    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>>;
}
