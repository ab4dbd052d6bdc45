//! The handle of a hub: what its task shares with the egress, with readers and with whoever holds a description.
//! Locks are held for copies only; everything that decides lives in the task.

use crate::counters::Counters;
use crate::egress::Seats;
use crate::life::HubState;
use crate::reader::{Queue, Wake};
use crate::tap::{Tap, TapQueue, TapSpec};
use crate::views::{HubView, ReaderView, TapView};
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use weft_rtsp_server::{Joined, PlaySource, ReaderSpec, Refusal};
use weft_wire::{CloseReason, Epoch, SessionId, StreamName, TrackInfo};

/// Joins under way at once; more wait, which slows down nobody but them.
const COMMANDS: usize = 64;
/// What a client is told when the hub cannot say more.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What a hub is told.
pub(crate) enum Command {
    /// A reader wants in.
    Join(ReaderSpec, oneshot::Sender<Result<Joined, Refusal>>),
    /// Somebody wants whole units.
    Tap(TapSpec, oneshot::Sender<Result<Tap, Refusal>>),
    /// End now.
    Close(CloseReason),
}

/// Whether a hub can be described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opening {
    Pending,
    /// Nobody owns the stream yet; who has the time waits.
    Absent,
    Ready,
    Failed(Refusal),
}

/// Shared state of one hub.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stream: StreamName,
    pub(crate) counters: Arc<Counters>,
    /// Something changed that the task does not see by itself: a reader left or resumed, a holder let go.
    pub(crate) nudge: Notify,
    /// The state changed.
    pub(crate) turned: Notify,
    resumed: AtomicBool,
    key_wanted: AtomicBool,
    /// Descriptions handed out and not yet dropped. Raised only under the lock of the egress' map.
    holders: AtomicUsize,
    commands: mpsc::Sender<Command>,
    opening: watch::Receiver<Opening>,
    face: Mutex<Face>,
}

/// What others may see of the task's state.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) state: HubState,
    pub(crate) session: Option<SessionId>,
    pub(crate) epoch: Epoch,
    pub(crate) tracks: Vec<TrackInfo>,
    pub(crate) readers: Vec<Arc<Queue>>,
    pub(crate) taps: Vec<Arc<TapQueue>>,
    pub(crate) gop_bytes: usize,
}

impl Face {
    /// Readers of both kinds.
    pub(crate) fn audience(&self) -> usize {
        self.readers.len() + self.taps.len()
    }
}

/// The task's ends of the channels.
pub(crate) struct Ends {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) opening: watch::Sender<Opening>,
}

impl Shared {
    pub(crate) fn new(stream: StreamName) -> (Arc<Self>, Ends) {
        // overflow: the sender waits (joins and closes only).
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (opening, watched) = watch::channel(Opening::Pending);
        let shared = Self {
            stream,
            counters: Arc::default(),
            nudge: Notify::new(),
            turned: Notify::new(),
            resumed: AtomicBool::new(false),
            key_wanted: AtomicBool::new(false),
            holders: AtomicUsize::new(0),
            commands: sender,
            opening: watched,
            face: Mutex::new(Face {
                state: HubState::Opening,
                session: None,
                epoch: Epoch::default(),
                tracks: Vec::new(),
                readers: Vec::new(),
                taps: Vec::new(),
                gop_bytes: 0,
            }),
        };
        (Arc::new(shared), Ends { commands, opening })
    }

    /// The face, for reading or for the task's own changes.
    pub(crate) fn face(&self) -> MutexGuard<'_, Face> {
        // Each change under this lock is a plain assignment.
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader was paused or resumed.
    pub(crate) fn resumed(&self) {
        self.resumed.store(true, SeqCst);
        self.nudge.notify_one();
    }

    /// True once after [`Self::resumed`].
    pub(crate) fn take_resumed(&self) -> bool {
        self.resumed.swap(false, SeqCst)
    }

    /// A reader cannot go on without a key unit.
    pub(crate) fn key_wanted(&self) {
        self.key_wanted.store(true, SeqCst);
        self.nudge.notify_one();
    }

    /// True once after [`Self::key_wanted`].
    pub(crate) fn take_key_wanted(&self) -> bool {
        self.key_wanted.swap(false, SeqCst)
    }

    /// Has `wake` called whenever there is something for a reader, from now on.
    pub(crate) fn wake_reader(&self, id: uuid::Uuid, wake: Wake) {
        let face = self.face();
        if let Some(queue) = face.readers.iter().find(|queue| queue.spec.id == id) {
            queue.wake_by(wake);
        }
    }

    /// True while somebody holds a description.
    pub(crate) fn is_held(&self) -> bool {
        self.holders.load(SeqCst) > 0
    }

    /// True while somebody waits for the stream or reads it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_held() || self.face().audience() > 0
    }

    /// True when the task is no more.
    pub(crate) fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Waits until the hub is open, or has failed to; for a publisher to come until `until` at most, on one of `places`.
    /// `late`: the answer when none has come.
    pub(crate) async fn opened(
        &self,
        until: Instant,
        late: &Refusal,
        places: &Arc<Seats>,
    ) -> Result<(), Refusal> {
        let mut opening = self.opening.clone();
        let mut place = None;
        loop {
            let state = opening.borrow_and_update().clone();
            let changed = match state {
                Opening::Ready => return Ok(()),
                Opening::Failed(refusal) => return Err(refusal),
                Opening::Pending => opening.changed().await,
                Opening::Absent => {
                    if place.is_none() {
                        // overflow: refused, the client may try again.
                        place = Some(places.take().ok_or(Refusal::Unavailable(TRY_AGAIN))?);
                    }
                    let changed = timeout_at(until, opening.changed()).await;
                    changed.map_err(|_| late.clone())?
                }
            };
            changed.map_err(|_| Refusal::Unavailable(TRY_AGAIN))?;
        }
    }

    /// Waits until `until` at most for a publisher that said goodbye to come back. True: it has; false: the hub is over.
    /// `late`: the answer when it has not.
    pub(crate) async fn returned(&self, until: Instant, late: &Refusal) -> Result<bool, Refusal> {
        loop {
            let turned = self.turned.notified();
            tokio::pin!(turned);
            // From here on a turn is noticed.
            turned.as_mut().enable();
            if self.is_over() {
                return Ok(false);
            }
            if self.face().state != HubState::Leaving {
                return Ok(true);
            }
            tokio::select! {
                () = turned => {}
                () = self.commands.closed() => {}
                () = sleep_until(until) => return Err(late.clone()),
            }
        }
    }

    /// Tells the task to end and waits until it has.
    pub(crate) async fn close(&self, reason: CloseReason) {
        if self.commands.send(Command::Close(reason)).await.is_ok() {
            self.commands.closed().await;
        }
    }

    pub(crate) fn view(&self) -> HubView {
        let mut counters = Vec::new();
        self.counters
            .each(&mut |name, _, value| counters.push((name, value)));
        let face = self.face();
        HubView {
            stream: self.stream.clone(),
            state: face.state,
            ready: face.state == HubState::Live,
            session: face.session,
            epoch: face.epoch,
            tracks: face.tracks.clone(),
            readers: face.readers.iter().map(|queue| ReaderView::of(queue)).collect(),
            taps: face.taps.iter().map(|queue| TapView::of(queue)).collect(),
            gop_bytes: face.gop_bytes,
            bytes_sent: self.counters.sent_bytes.load(Relaxed),
            counters,
        }
    }
}

/// A description handed out: keeps the hub open.
pub(crate) struct Source {
    hub: Arc<Shared>,
}

impl Source {
    /// Call it only under the lock of the egress' map, so that the hub is not retired at the same time.
    pub(crate) fn hold(hub: &Arc<Shared>) -> Self {
        hub.holders.fetch_add(1, SeqCst);
        Self { hub: Arc::clone(hub) }
    }

    pub(crate) fn hub(&self) -> &Shared {
        &self.hub
    }

    /// The same for whoever outlives the description.
    pub(crate) fn hub_of(&self) -> Arc<Shared> {
        Arc::clone(&self.hub)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.hub.holders.fetch_sub(1, SeqCst);
        self.hub.nudge.notify_one();
    }
}

impl Source {
    /// Joins as one that takes whole units.
    pub(crate) async fn tap(&self, spec: TapSpec) -> Result<Tap, Refusal> {
        let (reply, answer) = oneshot::channel();
        // A hub that ended meanwhile: the stream is gone.
        let sent = self.hub.commands.send(Command::Tap(spec, reply)).await;
        sent.map_err(|_| Refusal::NotFound)?;
        answer.await.unwrap_or(Err(Refusal::NotFound))
    }
}

impl PlaySource for Source {
    fn tracks(&self) -> Vec<TrackInfo> {
        self.hub.face().tracks.clone()
    }

    fn join(&self, spec: ReaderSpec) -> BoxFuture<'_, Result<Joined, Refusal>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            // A hub that ended meanwhile: the stream is gone.
            let sent = self.hub.commands.send(Command::Join(spec, reply)).await;
            sent.map_err(|_| Refusal::NotFound)?;
            answer.await.unwrap_or(Err(Refusal::NotFound))
        })
    }
}
