//! The table of names of a single process: the generation is the process's start, the revision a counter.
//! It keeps the rules of the table in NATS, so that what works here works there.

use super::{MemoryBus, lock};
use crate::{Claim, ClaimError, Error, Registered, Registry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use weft_wire::{Epoch, StreamName, StreamRecord};

pub(super) struct Records {
    generation: u64,
    revision: u64,
    records: BTreeMap<StreamName, Registered>,
}

impl Records {
    pub(super) fn new() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            generation: u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX),
            revision: 0,
            records: BTreeMap::new(),
        }
    }

    fn claim(&mut self, stream: StreamName, record: StreamRecord, claim: Claim) -> Result<Epoch, ClaimError> {
        let held = self.records.get(&stream);
        match (held, claim) {
            (Some(held), Claim::Over(epoch)) if held.epoch == epoch => {}
            (Some(held), _) if held.record == record => return Ok(held.epoch),
            (Some(held), _) => return Err(ClaimError::Held(Box::new(held.clone()))),
            (None, Claim::Vacant) => {}
            (None, Claim::Over(_)) => return Err(ClaimError::Changed),
        }
        self.revision += 1;
        let epoch = Epoch {
            generation: self.generation,
            revision: self.revision,
        };
        let registered = Registered {
            stream: stream.clone(),
            record,
            epoch,
        };
        self.records.insert(stream, registered);
        Ok(epoch)
    }

    fn remove(&mut self, stream: &StreamName, epoch: Epoch) -> bool {
        let held = self.records.get(stream).is_some_and(|r| r.epoch == epoch);
        if held {
            self.records.remove(stream);
        }
        held
    }
}

impl Registry for MemoryBus {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        ready(lock(&self.shared.records).claim(stream, record, claim)).boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        ready(Ok(lock(&self.shared.records).records.get(&stream).cloned())).boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        ready(Ok(lock(&self.shared.records).remove(&stream, epoch))).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        ready(Ok(lock(&self.shared.records).records.values().cloned().collect())).boxed()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        ready(Ok(self.shared.started.elapsed())).boxed()
    }
}
