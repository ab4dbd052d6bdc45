//! How snapshots are made: one decode for all that ask for one picture in one size, a bounded queue to one thread, and a budget
//! of its time. What the files are for is the parent's business.

use super::{Kept, MAX_VARIANTS, NoSnapshot, Snapshot, Still, StillCounters, variants};
use crate::counters::add;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, oneshot};

/// Pictures that wait for the thread.
const QUEUE: usize = 64;
/// The part of a core that decoding may take in the long run: media of this node needs the rest,
const SHARE: f64 = 0.14;
/// and the time it may take at once, after a pause.
const BURST: Duration = Duration::from_millis(300);

type Made = Result<Arc<Snapshot>, NoSnapshot>;

/// One stream's snapshots, the size that was added last at the end.
#[derive(Debug, Default)]
pub(crate) struct Variants(Vec<Variant>);

#[derive(Debug)]
struct Variant {
    width: Option<u32>,
    newest: Option<Arc<Snapshot>>,
    /// Of a newer picture, for all that ask meanwhile.
    making: Option<(Arc<Still>, Arc<OnceCell<Made>>)>,
}

/// Makes them.
pub(crate) struct Snapshots {
    jobs: SyncSender<Job>,
    budget: Arc<Budget>,
    counters: Arc<StillCounters>,
}

struct Job {
    still: Arc<Still>,
    width: Option<u32>,
    reply: oneshot::Sender<Made>,
}

enum Found {
    Ready(Arc<Snapshot>),
    Making(Arc<OnceCell<Made>>),
}

impl Snapshots {
    /// Its thread ends when this is dropped.
    pub(crate) fn start(counters: Arc<StillCounters>) -> Self {
        let (jobs, queue) = sync_channel(QUEUE);
        let budget = Arc::new(Budget::full(Instant::now()));
        let (of_thread, counted) = (Arc::clone(&budget), Arc::clone(&counters));
        let thread = std::thread::Builder::new().name("weft-snapshots".to_owned());
        if let Err(error) = thread.spawn(move || work(&queue, &of_thread, &counted)) {
            tracing::error!(%error, "no thread for snapshots: every request for one is refused");
        }
        Self {
            jobs,
            budget,
            counters,
        }
    }

    /// This picture in this width, or the one before it while decoding has had its share.
    pub(crate) async fn of(&self, kept: &Kept, still: Arc<Still>, width: Option<u32>) -> Made {
        let cell = match self.find(kept, &still, width) {
            Found::Ready(snapshot) => return Ok(snapshot),
            Found::Making(cell) => cell,
        };
        // What cannot be decoded is remembered; who found no place in the queue leaves nothing to the next.
        let made = cell
            .get_or_try_init(|| async {
                match self.make(&still, width).await {
                    Err(NoSnapshot::Busy) => Err(NoSnapshot::Busy),
                    made => Ok(made),
                }
            })
            .await?
            .clone()?;
        let mut variants = variants(kept);
        if let Some(variant) = variants.0.iter_mut().find(|v| v.width == width) {
            let newer = |old: &Arc<Snapshot>| (old.still.epoch, old.still.seq) < (still.epoch, still.seq);
            if variant.newest.as_ref().is_none_or(newer) {
                variant.newest = Some(Arc::clone(&made));
            }
        }
        Ok(made)
    }

    fn find(&self, kept: &Kept, still: &Arc<Still>, width: Option<u32>) -> Found {
        let mut variants = variants(kept);
        let all = &mut variants.0;
        let at = all.iter().position(|v| v.width == width).unwrap_or_else(|| {
            // overflow: the size that was added first goes; who asks for it again has it made again.
            if all.len() >= MAX_VARIANTS {
                all.remove(0);
            }
            all.push(Variant {
                width,
                newest: None,
                making: None,
            });
            all.len() - 1
        });
        let variant = &mut all[at];
        if let Some(newest) = variant.newest.as_ref().filter(|newest| newest.still.is(still)) {
            return Found::Ready(Arc::clone(newest));
        }
        if let Some((_, cell)) = variant.making.as_ref().filter(|(of, _)| of.is(still)) {
            return Found::Making(Arc::clone(cell));
        }
        if let Some(newest) = variant
            .newest
            .as_ref()
            .filter(|newest| newest.still.session == still.session)
            && self.budget.is_spent(Instant::now())
        {
            add(&self.counters.snapshots_postponed, 1);
            return Found::Ready(Arc::clone(newest));
        }
        let cell = Arc::new(OnceCell::new());
        variant.making = Some((Arc::clone(still), Arc::clone(&cell)));
        Found::Making(cell)
    }

    async fn make(&self, still: &Arc<Still>, width: Option<u32>) -> Made {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            still: Arc::clone(still),
            width,
            reply,
        };
        // overflow: refused, counted by whoever answers; the client may ask again.
        self.jobs.try_send(job).map_err(|_| NoSnapshot::Busy)?;
        answer.await.unwrap_or(Err(NoSnapshot::Busy))
    }
}

/// The thread's work.
fn work(queue: &Receiver<Job>, budget: &Budget, counters: &StillCounters) {
    while let Ok(Job { still, width, reply }) = queue.recv() {
        // Whoever asked has gone.
        if reply.is_closed() {
            continue;
        }
        let begun = Instant::now();
        let made = catch_unwind(AssertUnwindSafe(|| weft_picture::jpeg(&still.data, width)));
        let took = begun.elapsed();
        budget.spend(took);
        counters
            .snapshot_us
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        let made = match made {
            Ok(Ok(jpeg)) => {
                add(&counters.snapshots, 1);
                Ok(Arc::new(Snapshot {
                    jpeg: jpeg.bytes.into(),
                    still,
                }))
            }
            Ok(Err(error)) => {
                add(&counters.snapshots_failed, 1);
                Err(NoSnapshot::Undecodable(still.track.codec, error.to_string()))
            }
            Err(_) => {
                add(&counters.snapshots_failed, 1);
                Err(NoSnapshot::Undecodable(
                    still.track.codec,
                    "the decoder failed".to_owned(),
                ))
            }
        };
        // Nobody waits any more: the next to ask begins anew.
        drop(reply.send(made));
    }
}

/// Time that decoding may take.
#[derive(Debug)]
struct Budget(Mutex<(f64, Instant)>);

impl Budget {
    fn full(now: Instant) -> Self {
        Self(Mutex::new((BURST.as_secs_f64(), now)))
    }

    fn is_spent(&self, now: Instant) -> bool {
        let (left, since) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = now.saturating_duration_since(*since).as_secs_f64() * SHARE;
        *left = (*left + earned).min(BURST.as_secs_f64());
        *since = now;
        *left <= 0.0
    }

    fn spend(&self, took: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 -= took.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_has_a_share_of_a_core_in_the_long_run() {
        let start = Instant::now();
        let budget = Budget::full(start);
        let (mut spent, each) = (Duration::ZERO, Duration::from_millis(20));
        for tick in 0..1_000 {
            let now = start + Duration::from_millis(20 * tick);
            if !budget.is_spent(now) {
                budget.spend(each);
                spent += each;
            }
        }
        let most = BURST + Duration::from_secs(20).mul_f64(SHARE) + each;
        assert!(spent <= most && spent + each * 2 > most, "{spent:?} of {most:?}");
        // A long pause earns no more than the burst.
        assert!(!budget.is_spent(start + Duration::from_secs(1_000)));
        budget.spend(BURST);
        assert!(budget.is_spent(start + Duration::from_secs(1_000)));
    }
}
