//! The table of names as it should be: a map and a counter, asked beside the real one at every call.
//! What differs is written down; over NATS, where calls overlap, only what no order of them can excuse.

use crate::reader::Claims;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use weft_bus::{Claim, ClaimError, Error, Registered, Registry};
use weft_wire::{Epoch, StreamName, StreamRecord};

/// What is held by whom, by the rules of design §7.
#[derive(Debug, Default)]
struct Model {
    held: BTreeMap<StreamName, Registered>,
    highest: Epoch,
    claims: u64,
    wrong: Option<String>,
}

/// The real table beside the model.
pub(crate) struct Judged {
    inner: Arc<dyn Registry>,
    model: Mutex<Model>,
    /// Calls are answered in the order they are made, one at a time.
    exact: bool,
    claims: Claims,
}

/// What the model expects of a claim.
#[derive(Debug, PartialEq)]
enum Expected {
    New,
    Same(Epoch),
    Held(Epoch),
    Changed,
}

impl Model {
    fn expected(&self, stream: &StreamName, record: &StreamRecord, claim: Claim) -> Expected {
        match (self.held.get(stream), claim) {
            (Some(held), Claim::Over(epoch)) if held.epoch == epoch => Expected::New,
            (Some(held), _) if held.record == *record => Expected::Same(held.epoch),
            (Some(held), _) => Expected::Held(held.epoch),
            (None, Claim::Vacant) => Expected::New,
            (None, Claim::Over(_)) => Expected::Changed,
        }
    }
}

impl Judged {
    pub(crate) fn new(inner: Arc<dyn Registry>, exact: bool, claims: Claims) -> Arc<Self> {
        Arc::new(Self {
            inner,
            model: Mutex::default(),
            exact,
            claims,
        })
    }

    /// The first thing that was wrong, and how many claims were won.
    pub(crate) fn verdict(&self) -> (Option<String>, u64) {
        let model = self.model();
        (model.wrong.clone(), model.claims)
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claimed(&self, registered: Registered, expected: &Expected) {
        let mut model = self.model();
        let epoch = registered.epoch;
        let new = *expected == Expected::New;
        let wrong = match expected {
            _ if !self.exact => false,
            Expected::New => epoch <= model.highest,
            Expected::Same(held) => epoch != *held,
            Expected::Held(_) | Expected::Changed => true,
        };
        if wrong {
            let highest = model.highest;
            let wrong = format!("claim won at {epoch}, highest was {highest}, expected {expected:?}");
            model.wrong.get_or_insert(wrong);
        }
        model.claims += u64::from(new);
        model.highest = model.highest.max(epoch);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = claims.entry(registered.record.session).or_default();
        *latest = epoch.max(*latest);
        drop(claims);
        model.held.insert(registered.stream.clone(), registered);
    }

    fn expect(&self, well: bool, what: impl FnOnce() -> String) {
        if self.exact && !well {
            self.model().wrong.get_or_insert_with(what);
        }
    }
}

impl Registry for Judged {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        async move {
            let expected = self.model().expected(&stream, &record, claim);
            let answer = self.inner.claim(stream.clone(), record.clone(), claim).await;
            match &answer {
                Ok(epoch) => {
                    let registered = Registered {
                        stream,
                        record,
                        epoch: *epoch,
                    };
                    self.claimed(registered, &expected);
                }
                Err(ClaimError::Held(held)) => self.expect(expected == Expected::Held(held.epoch), || {
                    format!("refused as held at {}, expected {expected:?}", held.epoch)
                }),
                Err(ClaimError::Changed) => self.expect(expected == Expected::Changed, || {
                    format!("refused as changed, expected {expected:?}")
                }),
                Err(_) => {}
            }
            answer
        }
        .boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        async move {
            let answer = self.inner.lookup(stream.clone()).await;
            if let Ok(found) = &answer {
                let held = self.model().held.get(&stream).cloned();
                self.expect(held == *found, || format!("found {found:?}, held {held:?}"));
            }
            answer
        }
        .boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        async move {
            let answer = self.inner.remove(stream.clone(), epoch).await;
            if let Ok(removed) = &answer {
                let mut model = self.model();
                let held = model.held.get(&stream).is_some_and(|held| held.epoch == epoch);
                if held {
                    model.held.remove(&stream);
                }
                drop(model);
                self.expect(held == *removed, || {
                    format!("removed at {epoch}: {removed}, not {held}")
                });
            }
            answer
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        self.inner.list()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        self.inner.steady()
    }
}
