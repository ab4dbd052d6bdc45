//! The task of one hub: it waits for units, answers, commands and deadlines, and hands each to the part that knows.
//! What happens to a unit is in `feed`, how a reader joins in `join`; this file only waits and ends.

use crate::counters::add;
use crate::egress::Inner;
use crate::gop::GopCache;
use crate::hub::{Command, Ends, Opening, Shared, TRY_AGAIN};
use crate::join::Waiting;
use crate::life::{HubState, Life};
use crate::question::{Ask, Owner};
use crate::reader::Queue;
use crate::repair::Repair;
use crate::rules;
use crate::tap::TapQueue;
use crate::timeline::Timeline;
use crate::tracks::TrackOut;
use crate::wishes::Wishes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info};
use weft_bus::{BusState, Delivery, RequestError, Subscription, UnitsAnswer};
use weft_rtsp_server::Refusal;
use weft_wire::{CloseReason, KeyframeRequest, MediaKind, SessionId, TrackId, TrackInfo};

/// An owner that has not answered by then will not: the next question may find the bus in better health.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// A whole group of pictures may be megabytes.
const NEWEST_LIMIT: Duration = Duration::from_secs(3);
/// How long a description waits for the stream's beginning.
const OPENING_LIMIT: Duration = Duration::from_secs(3);
/// Units taken from the bus in one go, before readers and deadlines are looked after.
const DELIVERIES_AT_ONCE: usize = 64;
/// The hub wakes this often at least, so as to notice when the node stood still,
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// and being this late counts as that.
const STOOD_STILL: Duration = Duration::from_millis(250);
/// After so much of it, what it waited for is asked for anew: the answers may be as old as the pause. After less, what was
/// missed is young enough to be brought back.
const STOOD_STILL_LONG: Duration = Duration::from_secs(1);

/// One stream inside this egress.
pub(crate) struct Hub {
    pub(crate) egress: Arc<Inner>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) opening: watch::Sender<Opening>,
    opened_at: Instant,
    pub(crate) repair: Repair,
    pub(crate) life: Life,
    pub(crate) timeline: Timeline,
    pub(crate) gop: GopCache,
    pub(crate) wishes: Wishes,
    /// Every track that was ever there: it keeps its SSRC and its place in time.
    pub(crate) tracks: Vec<TrackOut>,
    /// Those of the present session.
    pub(crate) present: Vec<TrackId>,
    /// The owner's description of them.
    pub(crate) described: Vec<TrackInfo>,
    /// Video is kept from readers until the next key unit.
    pub(crate) gate_shut: bool,
    pub(crate) readers: Vec<Arc<Queue>>,
    pub(crate) taps: Vec<Arc<TapQueue>>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) reports_at: Instant,
    idle_since: Option<Instant>,
    /// The session that said it ends: what is left of it to pass on is no sign of life.
    pub(crate) last_word: Option<SessionId>,
    /// The session whose first reader here is in its trace.
    pub(crate) traced: Option<SessionId>,
    bus_state: BusState,
    questions: FuturesUnordered<BoxFuture<'static, Answer>>,
}

enum Answer {
    Units(Ask, Result<UnitsAnswer, RequestError>),
    Keyframe(Result<(), RequestError>),
}

/// What the task was woken by.
enum Wake {
    Command(Option<Command>),
    Nudge,
    Answer(Answer),
    Bus,
    Delivery(Option<Delivery>),
    Deadline,
}

enum Exit {
    /// It never opened.
    Refused(Refusal),
    /// The stream is over for the readers.
    Ended(CloseReason),
    /// Nobody reads any more; already out of the map.
    Idle,
}

impl Hub {
    pub(crate) fn new(egress: Arc<Inner>, shared: Arc<Shared>, ends: Ends) -> Self {
        let now = Instant::now();
        Self {
            repair: Repair::new(now, Arc::clone(&shared.counters)),
            life: Life::new(now, &egress.config),
            wishes: Wishes::new(now, egress.config.keyframe_interval),
            egress,
            shared,
            commands: ends.commands,
            opening: ends.opening,
            opened_at: now,
            timeline: Timeline::default(),
            gop: GopCache::default(),
            tracks: Vec::new(),
            present: Vec::new(),
            described: Vec::new(),
            gate_shut: true,
            readers: Vec::new(),
            taps: Vec::new(),
            waiting: Vec::new(),
            reports_at: now,
            idle_since: None,
            last_word: None,
            traced: None,
            bus_state: BusState::Away,
            questions: FuturesUnordered::new(),
        }
    }

    /// Runs until the stream is over, nobody reads it, or the egress closes.
    pub(crate) async fn run(mut self) {
        let exit = match self.open().await {
            Ok(subscription) => {
                self.begin();
                self.serve(subscription).await
            }
            Err(refusal) => Exit::Refused(refusal),
        };
        self.finish(exit);
    }

    /// The stream's time begins now, however long it was waited for.
    fn begin(&mut self) {
        let now = Instant::now();
        self.opened_at = now;
        self.repair = Repair::new(now, Arc::clone(&self.shared.counters));
        self.life = Life::new(now, &self.egress.config);
    }

    async fn serve(&mut self, mut subscription: Subscription) -> Exit {
        let shared = Arc::clone(&self.shared);
        let mut state = self.egress.bus.state();
        self.bus_state = *state.borrow_and_update();
        loop {
            let now = Instant::now();
            if let Some(exit) = self.tick(now) {
                return exit;
            }
            let deadline = self.deadline().clamp(now, now + LOOK_EVERY);
            // In order of rarity: what is rare never waits behind the flow of units.
            let wake = tokio::select! {
                biased;
                command = self.commands.recv() => Wake::Command(command),
                () = shared.nudge.notified() => Wake::Nudge,
                Some(answer) = self.questions.next() => Wake::Answer(answer),
                Ok(()) = state.changed() => Wake::Bus,
                delivery = subscription.recv() => Wake::Delivery(delivery),
                () = sleep_until(deadline) => Wake::Deadline,
            };
            // Before anything is made of it.
            self.late_by(Instant::now().duration_since(deadline));
            match wake {
                Wake::Command(Some(Command::Join(spec, reply))) => self.join(Instant::now(), spec, reply),
                Wake::Command(Some(Command::Tap(spec, reply))) => self.tap(Instant::now(), spec, reply),
                Wake::Command(Some(Command::Close(reason))) => return Exit::Ended(reason),
                // The egress holds a sender for as long as the hub is in its map.
                Wake::Command(None) | Wake::Delivery(None) => return Exit::Ended(CloseReason::Internal),
                Wake::Nudge => self.sweep(),
                Wake::Answer(answer) => self.answered(answer),
                Wake::Bus => {
                    let now = *state.borrow_and_update();
                    self.bus_changed(now);
                }
                Wake::Delivery(Some(delivery)) => {
                    self.deliver(delivery);
                    for _ in 1..DELIVERIES_AT_ONCE {
                        let Some(delivery) = subscription.try_recv() else {
                            break;
                        };
                        self.deliver(delivery);
                    }
                }
                Wake::Deadline => {}
            }
        }
    }

    /// The hub was woken so much later than it wanted to be.
    fn late_by(&mut self, late: Duration) {
        if late < STOOD_STILL {
            return;
        }
        self.life.stood_still(late);
        if late >= STOOD_STILL_LONG {
            debug!(stream = %self.shared.stream, ?late, "this node stood still");
            self.questions.clear();
            self.repair.stood_still(Instant::now());
        }
    }

    /// Everything that is due now.
    fn tick(&mut self, now: Instant) -> Option<Exit> {
        self.ask(now);
        self.flow(now);
        self.report(now);
        self.admit_late(now);
        if self.gate_shut && self.has_video() {
            self.wishes.urgent();
        }
        self.wish(now);
        let state = self.life.state(now);
        if *self.opening.borrow() == Opening::Pending {
            if self.life.is_away() {
                // The owner that was just there is gone again.
                return Some(Exit::Refused(Refusal::NotFound));
            }
            if now >= self.opened_at + OPENING_LIMIT {
                return Some(Exit::Refused(Refusal::Unavailable(TRY_AGAIN)));
            }
            self.try_ready(now);
            return None;
        }
        self.show(state);
        if let HubState::Ended(reason) = state {
            return Some(Exit::Ended(reason));
        }
        self.linger(now)
    }

    fn deadline(&self) -> Instant {
        let linger = self
            .idle_since
            .map(|since| since + self.egress.config.reader_linger);
        let opening = (*self.opening.borrow() == Opening::Pending).then(|| self.opened_at + OPENING_LIMIT);
        let waiting = self.waiting.iter().map(|w| w.until);
        let reports = (!self.readers.is_empty()).then_some(self.reports_at);
        [
            linger,
            opening,
            reports,
            self.wishes.deadline(),
            self.life.deadline(Instant::now()),
        ]
        .into_iter()
        .flatten()
        .chain(waiting)
        .fold(self.repair.deadline(), Instant::min)
    }

    /// Asks what the repair wants to know. At most one question for units is under way, and few for key units.
    fn ask(&mut self, now: Instant) {
        while let Some(ask) = self.repair.poll(now) {
            let bus = Arc::clone(&self.egress.bus);
            let stream = self.shared.stream.clone();
            let limit = if ask == Ask::Newest {
                NEWEST_LIMIT
            } else {
                ANSWER_LIMIT
            };
            self.questions.push(Box::pin(async move {
                let answer = timeout(limit, bus.units(stream, ask.request())).await;
                Answer::Units(ask, answer.unwrap_or(Err(RequestError::Timeout)))
            }));
        }
    }

    fn wish(&mut self, now: Instant) {
        let held = self.shared.is_held() || !self.waiting.is_empty();
        self.wishes.audience(now, self.is_read(), held);
        let Some(wish) = self.wishes.poll(now) else { return };
        if wish.now {
            add(&self.shared.counters.keyframe_requests, 1);
        }
        let request = KeyframeRequest {
            node: self.egress.node.clone(),
            now: wish.now,
            interval_ms: wish.interval_ms,
        };
        let bus = Arc::clone(&self.egress.bus);
        let stream = self.shared.stream.clone();
        self.questions.push(Box::pin(async move {
            let answer = timeout(ANSWER_LIMIT, bus.keyframe(stream, request)).await;
            Answer::Keyframe(answer.unwrap_or(Err(RequestError::Timeout)))
        }));
    }

    fn answered(&mut self, answer: Answer) {
        let now = Instant::now();
        match answer {
            Answer::Units(ask, answer) => match self.repair.answered(now, ask, answer) {
                Owner::Here => self.life.here(),
                Owner::Gone => self.life.nobody(now),
                Owner::Unknown => {}
            },
            Answer::Keyframe(Err(error)) => {
                debug!(stream = %self.shared.stream, %error, "keyframe request not delivered");
            }
            Answer::Keyframe(Ok(())) => {}
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let now = Instant::now();
        match delivery {
            Delivery::Units(batch) => {
                for unit in batch.units {
                    self.repair.live(now, batch.session, batch.epoch, unit);
                }
            }
            Delivery::Ended(end) => {
                if self.repair.session() == Some(end.session) && self.repair.epoch() <= end.epoch {
                    info!(stream = %self.shared.stream, session = %end.session, reason = end.reason.token(), "publisher ended");
                    self.last_word = Some(end.session);
                    self.life.goodbye(now, end.reason);
                }
            }
        }
    }

    fn bus_changed(&mut self, state: BusState) {
        if let BusState::Connected(_) = state
            && state != self.bus_state
        {
            self.repair.reconnected(Instant::now());
        }
        self.bus_state = state;
    }

    /// Something was nudged: readers left or resumed, holders let go.
    fn sweep(&mut self) {
        let before = self.readers.len();
        for queue in self.readers.extract_if(.., |queue| queue.is_gone()) {
            let reason = queue.closed().unwrap_or(CloseReason::PeerLeft);
            rules::left(
                &self.egress.config.hooks,
                &self.shared.stream,
                &queue.spec,
                reason,
            );
        }
        if self.readers.len() != before {
            self.shared.face().readers.clone_from(&self.readers);
        }
        if self.taps.extract_if(.., |tap| tap.is_gone()).count() > 0 {
            self.shared.face().taps.clone_from(&self.taps);
        }
        let wanted = self.shared.take_key_wanted();
        if (self.shared.take_resumed() && self.is_gop_old()) || wanted {
            self.wishes.urgent();
        }
    }

    /// Says that the hub can be described, once it can.
    fn try_ready(&mut self, now: Instant) {
        let present = |t: &&TrackOut| self.present.contains(&t.id());
        let described = self.tracks.iter().filter(present).all(TrackOut::is_described);
        let patient = now < self.opened_at + self.egress.config.join_wait;
        if !self.present.is_empty() && (described || !patient) {
            self.opening.send_replace(Opening::Ready);
            if self.is_gop_old() {
                self.wishes.urgent();
            }
        }
    }

    fn show(&self, state: HubState) {
        let mut face = self.shared.face();
        if face.state != state {
            // Of its end a line of its own tells, with the reason.
            if !matches!(state, HubState::Ended(_)) {
                let session = self.repair.session().map(tracing::field::display);
                info!(stream = %self.shared.stream, session, ?state, "stream state");
            }
            self.shared.turned.notify_waiters();
        }
        face.state = state;
        face.session = self.repair.session();
        face.epoch = self.repair.epoch();
        face.gop_bytes = self.gop.bytes();
    }

    /// Ends the hub some time after the last reader, unless somebody holds a description.
    fn linger(&mut self, now: Instant) -> Option<Exit> {
        let busy = self.is_read() || !self.waiting.is_empty() || self.shared.is_held();
        if busy {
            self.idle_since = None;
            return None;
        }
        let since = *self.idle_since.get_or_insert(now);
        let over = now >= since + self.egress.config.reader_linger;
        (over && self.egress.retire(&self.shared, false)).then_some(Exit::Idle)
    }

    fn finish(mut self, exit: Exit) {
        let stream = &self.shared.stream;
        // Nobody has ended it: the log says why the hub did not stay.
        let idle = matches!(exit, Exit::Idle);
        let reason = match exit {
            Exit::Refused(refusal) => {
                debug!(%stream, ?refusal, "hub not opened");
                self.egress.refused();
                self.egress.retire(&self.shared, true);
                self.opening.send_replace(Opening::Failed(refusal));
                return;
            }
            Exit::Idle => CloseReason::StreamEnded,
            Exit::Ended(reason) => reason,
        };
        self.shared.face().state = HubState::Ended(reason);
        let session = self.repair.session().map(tracing::field::display);
        let told = if idle { "no-readers" } else { reason.token() };
        info!(%stream, session, reason = told, readers = self.readers.len(), "hub closed");
        self.close_readers(reason);
        self.egress.retire(&self.shared, true);
    }

    /// Closes every reader and refuses those that wait.
    pub(crate) fn close_readers(&mut self, reason: CloseReason) {
        add(&self.shared.counters.readers_closed, self.readers.len() as u64);
        for queue in self.readers.drain(..) {
            _ = queue.close(reason);
            rules::left(
                &self.egress.config.hooks,
                &self.shared.stream,
                &queue.spec,
                reason,
            );
        }
        for waiting in self.waiting.drain(..) {
            waiting.refuse(Refusal::NotFound);
        }
        for tap in self.taps.drain(..) {
            _ = tap.close(reason);
        }
        let mut face = self.shared.face();
        face.readers.clear();
        face.taps.clear();
    }

    /// True while it has a reader of either kind.
    pub(crate) fn is_read(&self) -> bool {
        !self.readers.is_empty() || !self.taps.is_empty()
    }

    /// True when the stream has pictures now.
    pub(crate) fn has_video(&self) -> bool {
        let video = |t: &TrackOut| t.kind() == MediaKind::Video && self.present.contains(&t.id());
        self.tracks.iter().any(video)
    }
}

/// A task that panicked or was dropped with its runtime leaves no reader waiting for what will not come; after an ordinary
/// end there is nothing left to do here.
impl Drop for Hub {
    fn drop(&mut self) {
        self.close_readers(CloseReason::Internal);
        self.egress.retire(&self.shared, true);
    }
}
