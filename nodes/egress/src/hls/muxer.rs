//! The muxer of one stream: a task that takes the stream's units while somebody watches, and a handle that requests ask and
//! wait on. What units become is `stream`'s business, who may ask is decided before.

use super::Inner;
use super::rendition::Found;
use super::stream::{Shape, Stream};
use super::warm::Warm;
use crate::counters::add;
use crate::tap::{Tap, TapEvent, TapSpec};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;
use weft_config::Source;
use weft_rtsp_server::{DescribeRequest, Refusal};
use weft_wire::{CloseReason, StreamName};

/// What lists call it.
const KIND: &str = "hlsMuxer";
/// A stream whose first part is not there by then is told to be tried again.
const START_LIMIT: Duration = Duration::from_secs(10);
/// When a viewer of a node that ends may come again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a stream that is over may still be read to its end.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum No {
    /// The stream cannot be read here.
    Refused(Refusal),
    /// Another node is to be asked, at this URL with the viewer's own query.
    Elsewhere(String),
    /// There is nothing of this name in it, or no more.
    NotFound,
    /// The client asks for what is too far ahead.
    TooFar,
    /// What was waited for has not come.
    Late,
}

/// A muxer.
#[derive(Debug)]
pub(super) struct Muxer {
    pub(super) id: Uuid,
    pub(super) stream: StreamName,
    pub(super) created: SystemTime,
    /// Bytes of answers.
    pub(super) sent: AtomicU64,
    state: Mutex<State>,
    /// Changes with every part and at the end.
    progress: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    stream: Option<Stream>,
    over: Option<No>,
    asked: (Instant, SystemTime),
    waiting: usize,
}

impl Muxer {
    pub(super) fn new(stream: StreamName) -> Arc<Self> {
        Arc::new(Self {
            id: Uuid::new_v4(),
            stream,
            created: SystemTime::now(),
            sent: AtomicU64::new(0),
            state: Mutex::new(State {
                stream: None,
                over: None,
                asked: (Instant::now(), SystemTime::now()),
                waiting: 0,
            }),
            progress: watch::Sender::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when another one has to be opened for whoever comes now.
    pub(super) fn is_over(&self) -> bool {
        self.lock().over.is_some()
    }

    /// When it was last asked for something.
    pub(super) fn asked(&self) -> SystemTime {
        self.lock().asked.1
    }

    /// Takes the stream's units until nobody has asked for `close_after`, or the stream is over.
    pub(super) async fn run(self: Arc<Self>, inner: Arc<Inner>, request: DescribeRequest, shape: Shape) {
        let spec = TapSpec {
            id: self.id,
            kind: KIND,
        };
        match inner.egress.tap(&request, spec).await {
            Ok(tap) => {
                add(&inner.counters.muxers_opened, 1);
                tracing::info!(stream = %self.stream, muxer = %self.id, "HLS muxer open");
                let reason = self.take(tap, &inner, shape).await;
                let told = reason.map_or("no-viewers", CloseReason::token);
                tracing::info!(stream = %self.stream, muxer = %self.id, reason = told, "HLS muxer closed");
                match reason {
                    None => {}
                    // A node that ends tells no end of the stream: its viewers go on at another one.
                    Some(CloseReason::Shutdown) => {
                        self.finish(No::Refused(Refusal::Unavailable(AGAIN)), false);
                    }
                    Some(_) if self.finish(No::Refused(Refusal::NotFound), true) => sleep(LAST_WORDS).await,
                    Some(_) => {}
                }
            }
            Err(Refusal::Moved(url)) if !is_redirect(&inner, &self.stream) => {
                // Others may wait for it too, and the query is that of the first, its secrets included.
                let end = url.find('?').unwrap_or(url.len());
                self.finish(No::Elsewhere(url[..end].to_owned()), false);
            }
            Err(refusal) => {
                self.finish(No::Refused(refusal), false);
            }
        }
        inner.forget(&self);
    }

    /// Why it ended; `None`: nobody watched.
    async fn take(&self, mut tap: Tap, inner: &Inner, shape: Shape) -> Option<CloseReason> {
        let tag = format!("{:08x}", self.id.as_fields().0);
        let mut warm = Warm::new(shape, tag);
        loop {
            let close_after = inner.live.now().hls.muxer_close_after;
            let idle = {
                let state = self.lock();
                let now = Instant::now();
                if state.waiting > 0 {
                    now + close_after
                } else {
                    state.asked.0 + close_after
                }
            };
            let event = tokio::select! {
                event = tap.next() => event,
                () = sleep_until(idle) => {
                    let state = self.lock();
                    if state.waiting == 0 && state.asked.0.elapsed() >= close_after {
                        return None;
                    }
                    continue;
                }
            };
            let mut state = self.lock();
            match (event, &mut state.stream) {
                (TapEvent::Closed(reason), _) => return Some(reason),
                (TapEvent::Described(description), Some(stream)) => {
                    if !stream.describe(&description) {
                        return Some(CloseReason::CodecChanged);
                    }
                }
                (TapEvent::Described(description), None) => warm.describe(description),
                (TapEvent::Unit(unit), Some(stream)) => stream.push(&unit),
                (TapEvent::Unit(unit), None) => state.stream = warm.push(unit, now_micros()),
            }
            let progress = state.stream.as_ref().map_or(0, Stream::progress);
            drop(state);
            self.progress
                .send_if_modified(|known| std::mem::replace(known, progress) != progress);
        }
    }

    /// Nothing follows; `told` says so to those who read on. True when there is something left to be read.
    fn finish(&self, over: No, told: bool) -> bool {
        let mut state = self.lock();
        if let Some(stream) = state.stream.as_mut().filter(|_| told) {
            stream.end();
        }
        let left = state.stream.is_some();
        state.over = Some(over);
        drop(state);
        self.progress.send_modify(|known| *known += 1);
        left
    }

    /// Asks the stream something, again whenever there is more of it, until it is `Here` or `limit` is over.
    async fn wait<T>(&self, limit: Duration, mut ask: impl FnMut(&Stream) -> Found<T>) -> Result<T, No> {
        let mut progress = self.progress.subscribe();
        let until = Instant::now() + limit;
        let _waiting = Waiting::new(self);
        loop {
            {
                let state = self.lock();
                match (state.stream.as_ref().map(&mut ask), &state.over) {
                    (Some(Found::Here(found)), _) => return Ok(found),
                    (Some(Found::No), _) => return Err(No::NotFound),
                    (Some(Found::Soon) | None, Some(over)) => return Err(over.clone()),
                    (Some(Found::Soon) | None, None) => {}
                }
            }
            // The sender is ours.
            _ = timeout_at(until, progress.changed())
                .await
                .map_err(|_| No::Late)?;
        }
    }

    /// The multivariant playlist.
    pub(super) async fn multivariant(&self, query: &str) -> Result<String, No> {
        self.wait(START_LIMIT, |stream| {
            if stream.is_playable() {
                Found::Here(stream.multivariant(query))
            } else {
                Found::Soon
            }
        })
        .await
    }

    /// A media playlist, once it reaches segment and part where those are given.
    pub(super) async fn media(
        &self,
        name: &str,
        reach: Option<(u64, Option<u64>)>,
        query: &str,
    ) -> Result<String, No> {
        let limit = {
            let state = self.lock();
            let rendition = state.stream.as_ref().and_then(|stream| stream.rendition(name));
            // Three target durations, as the specification has it (§6.2.5.2).
            rendition.map_or(START_LIMIT, |r| Duration::from_secs(3 * r.targets.segment))
        };
        let mut too_far = false;
        let text = self.wait(limit, |stream| {
            let Some(rendition) = stream.rendition(name) else {
                return Found::No;
            };
            let reached = match reach {
                Some((msn, part)) => rendition.reaches(msn, part),
                None if rendition.has_whole() => Found::Here(()),
                None => Found::Soon,
            };
            too_far |= reached == Found::No;
            match reached {
                Found::Here(()) => stream.media(name, query).map_or(Found::No, Found::Here),
                Found::Soon => Found::Soon,
                Found::No => Found::No,
            }
        });
        let text = text.await;
        if too_far { Err(No::TooFar) } else { text }
    }

    /// A part: the next one when it is there.
    pub(super) async fn part(&self, name: &str, tag: &str, number: u64) -> Result<Bytes, No> {
        let limit = Duration::from_secs(10);
        self.wait(limit, |stream| {
            match stream.rendition(name).filter(|r| r.tag == tag) {
                Some(rendition) => rendition.part(number),
                None => Found::No,
            }
        })
        .await
    }

    /// A whole segment, in pieces.
    pub(super) fn segment(&self, name: &str, tag: &str, msn: u64) -> Result<Vec<Bytes>, No> {
        self.now(name, tag, |rendition| rendition.segment(msn))
    }

    /// An init segment.
    pub(super) fn init(&self, name: &str, tag: &str, number: u64) -> Result<Bytes, No> {
        self.now(name, tag, |rendition| rendition.init(number))
    }

    fn now<T>(
        &self,
        name: &str,
        tag: &str,
        ask: impl FnOnce(&super::rendition::Rendition) -> Option<T>,
    ) -> Result<T, No> {
        let mut state = self.lock();
        state.asked = (Instant::now(), SystemTime::now());
        let rendition = state.stream.as_ref().and_then(|stream| stream.rendition(name));
        let found = rendition.filter(|r| r.tag == tag).and_then(ask);
        found.ok_or(No::NotFound)
    }

    /// Counts what was answered.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }
}

/// Whether the configuration itself sends the path's readers elsewhere.
fn is_redirect(inner: &Inner, stream: &StreamName) -> bool {
    let config = inner.live.now();
    let found = config.paths.find(stream);
    found.is_some_and(|found| matches!(found.conf.source, Source::Redirect(_)))
}

/// A request that waits keeps the muxer open.
// overflow: each has a connection of its own, and `fabric.limits.httpConnections` refuses connections.
struct Waiting<'a>(&'a Muxer);

impl<'a> Waiting<'a> {
    fn new(muxer: &'a Muxer) -> Self {
        let mut state = muxer.lock();
        state.waiting += 1;
        state.asked = (Instant::now(), SystemTime::now());
        Self(muxer)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting -= 1;
        state.asked = (Instant::now(), SystemTime::now());
    }
}

fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}
