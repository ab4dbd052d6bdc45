//! The handle that everybody tells what happens; a task behind it runs commands and tells webhooks.
//! Commands and webhooks have modules of their own.

use crate::Happening;
use crate::chronicle::Chronicle;
use crate::counters::{Counters, one};
use crate::desk::Desk;
use crate::environment::{Environment, Occasion};
use crate::runner::{MAX_RUNNING, Runner, Running};
use crate::webhooks::{Pace, Webhooks};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weft_config::{Command, Live};
use weft_wire::{NodeName, StreamEvent, StreamName};

/// Happenings that wait for the desk.
const QUEUE: usize = 4096;
/// Ends of which the desk has not heard because its queue was full: what began must end.
const LATE_ENDS: usize = 65_536;
/// What has happened before the end of the node is taken in within this.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Whom hooks speak of.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node.
    pub node: NodeName,
    /// `RTSP_PORT` of commands; 0 where there is none.
    pub rtsp_port: u16,
}

/// Ports of this node that commands are told; 0: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// `RTSP_PORT`.
    pub rtsp: u16,
    /// `WEFT_WEBRTC_PORT`: where WHIP is served.
    pub webrtc: u16,
}

/// What every command is told.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) identity: Identity,
    rtsp: AtomicU16,
    webrtc: AtomicU16,
}

impl Base {
    pub(crate) fn environment(&self) -> Environment {
        let port = |port: &AtomicU16| match port.load(Relaxed) {
            0 => String::new(),
            port => port.to_string(),
        };
        Environment::default()
            .with("WEFT_NODE", self.identity.node.as_str())
            .with("WEFT_WEBRTC_PORT", port(&self.webrtc))
            .with("RTSP_PORT", port(&self.rtsp))
    }
}

/// Takes what happens; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hooks(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    base: Arc<Base>,
    runner: Runner,
    webhooks: Webhooks,
    counters: Arc<Counters>,
    chronicle: Chronicle,
    queue: mpsc::Sender<Happening>,
    late_ends: Arc<Mutex<VecDeque<Happening>>>,
    ending: CancellationToken,
    desk: Mutex<Option<JoinHandle<()>>>,
}

impl Hooks {
    /// Hooks that do nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Hooks as the configuration has them at each happening. Needs a Tokio runtime.
    #[must_use]
    pub fn start(live: Live, identity: Identity) -> Self {
        Self::paced(live, identity, Pace::default(), MAX_RUNNING)
    }

    pub(crate) fn paced(live: Live, identity: Identity, pace: Pace, places: usize) -> Self {
        let counters = Arc::<Counters>::default();
        let runner = Runner::new(Arc::clone(&counters), places);
        let webhooks = Webhooks::new(Arc::clone(&counters), pace);
        let base = Arc::new(Base {
            rtsp: identity.rtsp_port.into(),
            webrtc: AtomicU16::default(),
            identity,
        });
        let (queue, receiver) = mpsc::channel(QUEUE);
        let late_ends = Arc::<Mutex<VecDeque<Happening>>>::default();
        let ending = CancellationToken::new();
        let desk = Desk::new(live, Arc::clone(&base), runner.clone(), webhooks.clone());
        let task = serve(desk, receiver, Arc::clone(&late_ends), ending.clone());
        Self(Some(Arc::new(Inner {
            base,
            runner,
            webhooks,
            counters,
            chronicle: Chronicle::default(),
            queue,
            late_ends,
            ending,
            desk: Mutex::new(Some(tokio::spawn(task))),
        })))
    }

    /// Ports that commands are told from now on.
    pub fn reachable_at(&self, ports: Ports) {
        if let Some(inner) = &self.0 {
            inner.base.rtsp.store(ports.rtsp, Relaxed);
            inner.base.webrtc.store(ports.webrtc, Relaxed);
        }
    }

    /// Something has happened; never waits.
    pub fn happened(&self, happening: Happening) {
        let Some(inner) = &self.0 else { return };
        inner.chronicle.note(&happening);
        if matches!(happening, Happening::Stalled { .. } | Happening::Resumed { .. }) {
            return;
        }
        let Err(refused) = inner.queue.try_send(happening) else {
            return;
        };
        let happening = refused.into_inner();
        let mut ends = lock(&inner.late_ends);
        // overflow: what begins is dropped and counted, and its end means nothing then; what ends is kept, up to a bound.
        if happening.is_end() && ends.len() < LATE_ENDS && !inner.queue.is_closed() {
            ends.push_back(happening);
        } else {
            one(&inner.counters.happenings_dropped);
        }
    }

    /// What has happened to a stream on this node of late, oldest first.
    #[must_use]
    pub fn events_of(&self, stream: &StreamName) -> Vec<StreamEvent> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |inner| inner.chronicle.of(stream))
    }

    /// Runs a command until the value returned is dropped; `what` is its key in the configuration. `None`: these hooks do
    /// nothing.
    #[must_use]
    pub fn keep(&self, what: &'static str, command: &Command, occasion: &Occasion) -> Option<Running> {
        let inner = self.0.as_ref()?;
        let environment = inner.base.environment().of(occasion);
        Some(inner.runner.keep(what, command, environment))
    }

    /// Runs a command to its end.
    pub fn once(&self, what: &'static str, command: &Command, occasion: &Occasion) {
        if let Some(inner) = &self.0 {
            let environment = inner.base.environment().of(occasion);
            inner.runner.once(what, command, environment);
        }
    }

    /// Ends every command, tells what is still to be told (2 s at most), and returns.
    pub async fn shutdown(&self) {
        let Some(inner) = &self.0 else { return };
        inner.ending.cancel();
        let desk = lock(&inner.desk).take();
        if let Some(desk) = desk {
            // It ends once it has taken what is in its queue; should it have panicked, there is nothing to take.
            timeout(LAST_WORDS, desk).await.ok();
        }
        tokio::join!(inner.runner.shutdown(), inner.webhooks.shutdown());
    }

    /// Each counter: metric name, help, value.
    pub fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        match &self.0 {
            Some(inner) => inner.counters.each(visit),
            None => Counters::default().each(visit),
        }
    }
}

async fn serve(
    mut desk: Desk,
    mut queue: mpsc::Receiver<Happening>,
    late_ends: Arc<Mutex<VecDeque<Happening>>>,
    ending: CancellationToken,
) {
    loop {
        let happening = tokio::select! {
            biased;
            happening = queue.recv() => happening,
            () = ending.cancelled() => None,
        };
        let Some(happening) = happening else { break };
        desk.take(happening);
        // Behind everything that was in the queue when they did not fit.
        while queue.is_empty() {
            let Some(end) = lock(&late_ends).pop_front() else {
                break;
            };
            desk.take(end);
        }
    }
    // What is kept running is ended with the desk.
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under these locks is one push, pop or take.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;
