//! How snapshots are made: one decode for all that ask for one picture in one size, a bounded queue to one thread, and a pace
//! that leaves most of a core to media. What the files are for is the parent's business.

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
/// The part of a core that decoding may take in the long run: media of this node needs the rest.
const SHARE: f64 = 0.14;
/// A size that nobody has asked for this long shares no more.
const UNASKED: Duration = Duration::from_secs(4);
/// What one takes is the mean of about so many.
const MEAN_OF: f64 = 16.0;

type Made = Result<Arc<Snapshot>, NoSnapshot>;

/// One stream's snapshots, the size that was added last at the end.
#[derive(Debug, Default)]
pub(crate) struct Variants(Vec<Variant>);

#[derive(Debug)]
struct Variant {
    width: Option<u32>,
    newest: Option<Arc<Snapshot>>,
    asked: Instant,
    /// When it was begun.
    begun: Instant,
    /// One of those that share the thread.
    _sharing: Arc<()>,
    /// Of a newer picture, for all that ask meanwhile.
    making: Option<(Arc<Still>, Arc<OnceCell<Made>>)>,
}

/// Makes them.
pub(crate) struct Snapshots {
    jobs: SyncSender<Job>,
    pace: Arc<Pace>,
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
        let pace = Arc::new(Pace::default());
        let (of_thread, counted) = (Arc::clone(&pace), Arc::clone(&counters));
        let thread = std::thread::Builder::new().name("weft-snapshots".to_owned());
        if let Err(error) = thread.spawn(move || work(&queue, &of_thread, &counted)) {
            tracing::error!(%error, "no thread for snapshots: every request for one is refused");
        }
        Self { jobs, pace, counters }
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
        all.retain(|v| v.width == width || v.asked.elapsed() < UNASKED);
        let at = all.iter().position(|v| v.width == width).unwrap_or_else(|| {
            // overflow: the size that was added first goes; who asks for it again has it made again.
            if all.len() >= MAX_VARIANTS {
                all.remove(0);
            }
            all.push(Variant {
                width,
                newest: None,
                asked: Instant::now(),
                begun: Instant::now(),
                _sharing: self.pace.join(),
                making: None,
            });
            all.len() - 1
        });
        let variant = &mut all[at];
        variant.asked = Instant::now();
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
            && variant.begun.elapsed() < self.pace.interval()
        {
            add(&self.counters.snapshots_postponed, 1);
            return Found::Ready(Arc::clone(newest));
        }
        let cell = Arc::new(OnceCell::new());
        variant.begun = Instant::now();
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
fn work(queue: &Receiver<Job>, pace: &Pace, counters: &StillCounters) {
    while let Ok(Job { still, width, reply }) = queue.recv() {
        // Whoever asked has gone.
        if reply.is_closed() {
            continue;
        }
        let begun = processor_time();
        let made = catch_unwind(AssertUnwindSafe(|| weft_picture::jpeg(&still.data, width)));
        let took = processor_time().saturating_sub(begun);
        pace.took(took);
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

/// What this thread has had of a processor so far: on a node that is busy the clock would count others' work too. Zero where
/// the system does not say, and then nothing is held back.
fn processor_time() -> Duration {
    let had = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    had.map_or(Duration::ZERO, Duration::from)
}

/// How often a picture of one stream in one width may be made anew: all that are kept get the same part of the share.
#[derive(Debug, Default)]
struct Pace {
    /// Seconds that one takes.
    cost: Mutex<f64>,
    sharing: Arc<()>,
}

impl Pace {
    /// One more that shares the thread, until what is returned is dropped.
    fn join(&self) -> Arc<()> {
        Arc::clone(&self.sharing)
    }

    fn interval(&self) -> Duration {
        let sharing = Arc::strong_count(&self.sharing) - 1;
        let cost = *self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_secs_f64(cost * sharing as f64 / SHARE)
    }

    fn took(&self, took: Duration) {
        let mut cost = self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        let took = took.as_secs_f64();
        *cost = if *cost == 0.0 {
            took
        } else {
            *cost + (took - *cost) / MEAN_OF
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_kept_share_a_part_of_a_core() {
        let pace = Pace::default();
        assert_eq!(pace.interval(), Duration::ZERO);
        let mut sharing: Vec<Arc<()>> = (0..50).map(|_| pace.join()).collect();
        for _ in 0..100 {
            pace.took(Duration::from_millis(7));
        }
        // Fifty of 7 ms each 2.5 s: 14 %.
        let of_fifty = pace.interval().as_secs_f64();
        assert!((of_fifty - 2.5).abs() < 0.01, "{of_fifty}");
        sharing.truncate(10);
        assert!((pace.interval().as_secs_f64() - of_fifty / 5.0).abs() < 0.01);
        // Dearer pictures come less often.
        for _ in 0..100 {
            pace.took(Duration::from_millis(14));
        }
        assert!(
            (pace.interval().as_secs_f64() - 1.0).abs() < 0.05,
            "{:?}",
            pace.interval()
        );
    }
}
