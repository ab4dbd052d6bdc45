//! The registry behind the switch: while cut every call fails, and an answer that a cut overtakes is lost on its way.
//! What was done underneath stays done, as on a real network.

use super::{Shared, lock};
use crate::{Claim, ClaimError, Error, Registered, Registry};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use weft_wire::{Epoch, StreamName, StreamRecord};

pub(super) struct FaultyRegistry {
    inner: Arc<dyn Registry>,
    shared: Arc<Shared>,
}

impl FaultyRegistry {
    pub(super) fn new(inner: Arc<dyn Registry>, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    async fn through<T, E, C>(&self, call: impl FnOnce() -> C) -> Result<T, E>
    where
        E: From<Error>,
        C: Future<Output = Result<T, E>>,
    {
        self.shared.reachable()?;
        let answer = call().await;
        self.shared.reachable()?;
        answer
    }
}

impl Registry for FaultyRegistry {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        self.through(move || self.inner.claim(stream, record, claim))
            .boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        self.through(move || self.inner.lookup(stream)).boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        self.through(move || self.inner.remove(stream, epoch)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        self.through(|| self.inner.list()).boxed()
    }

    /// A heal is a connection made anew.
    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        async move {
            let inner = self.through(|| self.inner.steady()).await?;
            let joined = lock(&self.shared.changed).map(|at| at.elapsed());
            Ok(joined.map_or(inner, |joined| joined.min(inner)))
        }
        .boxed()
    }
}
