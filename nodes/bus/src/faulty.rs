//! A bus with faults, for tests: loses and delays live units by a seed, and can be cut off from everybody at will.
//! It wraps any bus and keeps its promises otherwise; questions and their answers are not lost, only cut off.

use crate::subscription::{Guard, QUEUE};
use crate::{
    Bus, BusState, Counters, Delivery, DropReason, Error, MediaFilter, Publication, Publish, RequestError,
    Sent, StreamOwner, Subscription, UnitsAnswer,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use weft_wire::{
    KeyframeRequest, Kick, MediaClass, OwnerInfo, StreamEnded, StreamName, UnitBatch, UnitsRequest,
};

/// What goes wrong, and by which dice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Where the dice start; each subscription goes on from it in its own way.
    pub seed: u64,
    /// Which part of the live messages with units is lost, 0 to 1.
    pub loss: f64,
    /// How much later each of the others arrives; order is kept.
    pub delay: Duration,
    /// How much more at most, by the dice.
    pub jitter: Duration,
}

impl Default for Faults {
    /// None at all.
    fn default() -> Self {
        Self {
            seed: 1,
            loss: 0.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
        }
    }
}

/// A bus with faults.
pub struct Faulty {
    inner: Arc<dyn Bus>,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Mutex<Faults>,
    /// True while nothing goes in or out.
    cut: watch::Sender<bool>,
    heals: AtomicU64,
    lost: AtomicU64,
    subscriptions: AtomicU64,
    state: watch::Sender<BusState>,
}

impl Shared {
    fn faults(&self) -> Faults {
        *lock(&self.faults)
    }

    fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    fn reachable(&self) -> Result<(), Error> {
        if self.is_cut() {
            Err(Error::Away("cut off on purpose".into()))
        } else {
            Ok(())
        }
    }

    fn update_state(&self, inner: BusState) {
        let now = match inner {
            BusState::Connected(number) if !self.is_cut() => {
                BusState::Connected(number + self.heals.load(Ordering::Relaxed))
            }
            _ => BusState::Away,
        };
        self.state
            .send_if_modified(|old| std::mem::replace(old, now) != now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faulty {
    /// Wraps a bus. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn wrap(inner: Arc<dyn Bus>, faults: Faults) -> Arc<Self> {
        let mut inner_state = inner.state();
        let now = *inner_state.borrow_and_update();
        let shared = Arc::new(Shared {
            faults: Mutex::new(faults),
            cut: watch::Sender::new(false),
            heals: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            state: watch::Sender::new(now),
        });
        let follower = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while inner_state.changed().await.is_ok() {
                let Some(shared) = Weak::upgrade(&follower) else {
                    return;
                };
                shared.update_state(*inner_state.borrow_and_update());
            }
        });
        Arc::new(Self { inner, shared })
    }

    /// Changes the faults from now on.
    pub fn set(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Cuts this bus off from all others, or joins it again.
    pub fn cut(&self, cut: bool) {
        let changed = self
            .shared
            .cut
            .send_if_modified(|old| std::mem::replace(old, cut) != cut);
        if changed && !cut {
            self.shared.heals.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.update_state(*self.inner.state().borrow());
    }

    /// Messages with units lost so far, by the dice or by a cut.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// Passes deliveries on, late or never.
async fn pass_on(
    mut source: Subscription,
    queue: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
    mut dice: StdRng,
) {
    let mut late: VecDeque<(Instant, Delivery)> = VecDeque::new();
    loop {
        let due = late.front().map(|(due, _)| *due);
        tokio::select! {
            biased;
            () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                if let Some((_, delivery)) = late.pop_front() {
                    // overflow: DROPS the newest, as the bus underneath does.
                    if let Err(mpsc::error::TrySendError::Closed(_)) = queue.try_send(delivery) {
                        return;
                    }
                }
            }
            // What is late is bounded by the delay; beyond that the queue underneath overflows.
            delivery = source.recv(), if late.len() < 4 * QUEUE => {
                let Some(delivery) = delivery else { return };
                let faults = shared.faults();
                let units = matches!(delivery, Delivery::Units(_));
                if shared.is_cut() || (units && dice.random_bool(faults.loss.clamp(0.0, 1.0))) {
                    shared.lost.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let delay = faults.delay + faults.jitter.mul_f64(dice.random_range(0.0..=1.0));
                let last = late.back().map_or_else(Instant::now, |(due, _)| *due);
                late.push_back(((Instant::now() + delay).max(last), delivery));
            }
        }
    }
}

/// A publication that a cut takes away from the bus and a heal gives back.
struct FaultyPublication {
    inner: Arc<Mutex<Option<Publication>>>,
    shared: Arc<Shared>,
    keeper: tokio::task::JoinHandle<()>,
}

impl Publish for FaultyPublication {
    fn send(&mut self, class: MediaClass, batch: UnitBatch) -> Sent {
        match &mut *lock(&self.inner) {
            Some(publication) if !self.shared.is_cut() => publication.send(class, batch),
            _ => Sent::Dropped(DropReason::Away),
        }
    }

    fn end(&mut self, notice: StreamEnded) -> Sent {
        match &mut *lock(&self.inner) {
            Some(publication) if !self.shared.is_cut() => publication.end(notice),
            _ => Sent::Dropped(DropReason::Away),
        }
    }

    fn wanted(&self) -> bool {
        lock(&self.inner)
            .as_ref()
            .is_none_or(|publication| publication.wanted())
    }
}

impl Drop for FaultyPublication {
    fn drop(&mut self) {
        self.keeper.abort();
        lock(&self.inner).take();
    }
}

/// Takes the publication away at each cut and up again at each heal.
async fn keep(
    bus: Arc<dyn Bus>,
    mut cut: watch::Receiver<bool>,
    stream: StreamName,
    owner: Arc<dyn StreamOwner>,
    publication: Arc<Mutex<Option<Publication>>>,
) {
    while cut.changed().await.is_ok() {
        if *cut.borrow_and_update() {
            lock(&publication).take();
        } else if let Ok(again) = bus.publish(stream.clone(), owner.clone()).await {
            *lock(&publication) = Some(again);
        }
    }
}

impl Bus for Faulty {
    fn publish(
        &self,
        stream: StreamName,
        owner: Arc<dyn StreamOwner>,
    ) -> BoxFuture<'_, Result<Publication, Error>> {
        async move {
            self.shared.reachable()?;
            let cut = self.shared.cut.subscribe();
            let publication = self.inner.publish(stream.clone(), owner.clone()).await?;
            let inner = Arc::new(Mutex::new(Some(publication)));
            let keeper = tokio::spawn(keep(self.inner.clone(), cut, stream, owner, inner.clone()));
            Ok(Box::new(FaultyPublication {
                inner,
                shared: self.shared.clone(),
                keeper,
            }) as Publication)
        }
        .boxed()
    }

    fn subscribe(
        &self,
        stream: StreamName,
        filter: MediaFilter,
    ) -> BoxFuture<'_, Result<Subscription, Error>> {
        async move {
            self.shared.reachable()?;
            let source = self.inner.subscribe(stream, filter).await?;
            let number = self.shared.subscriptions.fetch_add(1, Ordering::Relaxed);
            let dice = StdRng::seed_from_u64(self.shared.faults().seed.wrapping_add(number));
            let (queue, receiver) = mpsc::channel(QUEUE);
            let task = tokio::spawn(pass_on(source, queue, self.shared.clone(), dice));
            Ok(Subscription::queue(receiver, Guard::new(move || task.abort())))
        }
        .boxed()
    }

    fn units(
        &self,
        stream: StreamName,
        request: UnitsRequest,
    ) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.units(stream, request).await
        }
        .boxed()
    }

    fn keyframe(
        &self,
        stream: StreamName,
        request: KeyframeRequest,
    ) -> BoxFuture<'_, Result<(), RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.keyframe(stream, request).await
        }
        .boxed()
    }

    fn owner(&self, stream: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.owner(stream).await
        }
        .boxed()
    }

    fn kick(&self, stream: StreamName, kick: Kick) -> BoxFuture<'_, Result<(), RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.kick(stream, kick).await
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    fn counters(&self) -> Arc<Counters> {
        self.inner.counters()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.inner.flush()
    }
}
