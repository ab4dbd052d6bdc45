//! Readers on a few threads: each thread has one event loop for all its connections and counts what they see. Which readers
//! there are, and when they come, is planned outside.

mod connection;
mod rtsp;
mod track;
mod udp;

use crate::count::{ReaderTally, Seen, Times, Window};
use crate::stamp;
use crate::template::Target;
use anyhow::{Context, Result};
use connection::{Connection, TOKENS};
use mio::{Events, Poll, Token, Waker};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes read at once.
const BUFFER: usize = 512 * 1024;
/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);
/// The token that wakes a thread.
const WAKE: Token = Token(usize::MAX);

/// A reader to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of the stream.
    pub stream: u32,
    /// Where it is read.
    pub target: Target,
    /// Over UDP, else interleaved in TCP.
    pub udp: bool,
    /// When it comes.
    pub at: Instant,
    /// It leaves with its first picture.
    pub joining: bool,
}

/// What the readers of a run have seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Each reader.
    pub readers: Vec<ReaderTally>,
    /// From a picture's first packet sent to its last one here, of the window; without those that were to leave.
    pub latency: Times,
}

/// The readers of a run.
pub struct Readers {
    threads: Vec<(Arc<Waker>, JoinHandle<Outcome>)>,
    leave: Arc<AtomicBool>,
    /// What they see.
    pub seen: Arc<Seen>,
}

impl Readers {
    /// Starts threads for these readers. `slices`: bytes of slices of each picture of the clip.
    ///
    /// # Errors
    /// When the system gives no thread or event queue.
    pub fn start(
        plans: Vec<Plan>,
        threads: usize,
        slices: &Arc<Vec<u32>>,
        window: &Arc<Window>,
    ) -> Result<Self> {
        let mut readers = Self {
            threads: Vec::new(),
            leave: Arc::default(),
            seen: Arc::default(),
        };
        let mut shares = vec![Vec::new(); threads.max(1)];
        let count = shares.len();
        for (number, plan) in plans.into_iter().enumerate() {
            shares[number % count].push(plan);
        }
        for (number, mut plans) in shares.into_iter().enumerate() {
            plans.sort_by_key(|plan| std::cmp::Reverse(plan.at));
            let poll = Poll::new().context("an event queue for readers")?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            let mut shard = Shard {
                poll,
                plans,
                connections: Vec::new(),
                slices: slices.clone(),
                window: window.clone(),
                leave: readers.leave.clone(),
                seen: readers.seen.clone(),
                outcome: Outcome::default(),
                buffer: vec![0; BUFFER],
            };
            let thread = std::thread::Builder::new()
                .name(format!("read-{number}"))
                .spawn(move || {
                    shard.run();
                    shard.outcome
                })?;
            readers.threads.push((waker, thread));
        }
        Ok(readers)
    }

    /// Has all of them leave, and tells what they have seen.
    pub fn end(mut self) -> Outcome {
        self.finish()
    }

    fn finish(&mut self) -> Outcome {
        self.leave.store(true, Release);
        let mut all = Outcome::default();
        for (waker, thread) in self.threads.drain(..) {
            // Unwoken it sees it at its next look.
            drop(waker.wake());
            if let Ok(outcome) = thread.join() {
                all.readers.extend(outcome.readers);
                all.latency.add(&outcome.latency);
            }
        }
        all
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Shard {
    poll: Poll,
    /// The next one last.
    plans: Vec<Plan>,
    connections: Vec<Option<Connection>>,
    slices: Arc<Vec<u32>>,
    window: Arc<Window>,
    leave: Arc<AtomicBool>,
    seen: Arc<Seen>,
    outcome: Outcome,
    buffer: Vec<u8>,
}

impl Shard {
    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        let mut ticked = Instant::now();
        while !self.leave.load(Acquire) {
            let now = Instant::now();
            self.open_due(now);
            if ticked + TICK <= now {
                ticked = now;
                self.tick(now);
            }
            let next = self
                .plans
                .last()
                .map_or(ticked + TICK, |plan| plan.at.min(ticked + TICK));
            let wait = next.saturating_duration_since(Instant::now());
            // What is due is looked at in any case.
            if self.poll.poll(&mut events, Some(wait)).is_err() {
                continue;
            }
            for event in &events {
                if event.token() != WAKE {
                    self.event(event.token().0, event.is_read_closed() || event.is_error());
                }
            }
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.leave();
        }
        for connection in std::mem::take(&mut self.connections).into_iter().flatten() {
            self.outcome.readers.push(connection.tally);
        }
    }

    fn open_due(&mut self, now: Instant) {
        while let Some(plan) = self.plans.pop_if(|plan| plan.at <= now) {
            let number = self.connections.len();
            match Connection::open(number, &plan, self.slices.clone(), self.poll.registry()) {
                Ok(connection) => self.connections.push(Some(connection)),
                Err(error) => {
                    self.seen.dropped.fetch_add(1, Relaxed);
                    self.connections.push(None);
                    self.outcome.readers.push(ReaderTally {
                        stream: plan.stream,
                        joining: plan.joining,
                        dropped: Some(format!("{}: {error:#}", plan.target.url)),
                        ..ReaderTally::default()
                    });
                }
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        for number in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[number] {
                connection.tick(now, self.poll.registry());
                self.clear(number);
            }
        }
    }

    fn event(&mut self, token: usize, closed: bool) {
        let (number, place) = (token / TOKENS, token % TOKENS);
        let Some(Some(connection)) = self.connections.get_mut(number) else {
            return;
        };
        let (bad, had) = (
            connection.tally.damaged + connection.tally.lost,
            connection.tally.first_picture,
        );
        let joining = connection.tally.joining;
        let (window, seen, latency) = (&self.window, &self.seen, &mut self.outcome.latency);
        let mut pictures = |whole: track::Whole, now: Instant| {
            if !joining && window.holds(whole.stamp.sent) {
                seen.units.fetch_add(1, Relaxed);
                latency.record(stamp::nanos(now).saturating_sub(whole.stamp.sent));
            }
        };
        match place {
            0 => connection.ready(closed, &mut self.buffer, self.poll.registry(), &mut pictures),
            socket => connection.datagrams(socket - 1, &mut self.buffer, &mut pictures),
        }
        let tally = &connection.tally;
        if tally.first_picture != had {
            seen.playing.fetch_add(1, Relaxed);
        }
        seen.bad.fetch_add(tally.damaged + tally.lost - bad, Relaxed);
        self.clear(number);
    }

    /// A connection that has ended is closed at once; what it has seen is kept.
    fn clear(&mut self, number: usize) {
        let over = self.connections[number].take_if(|connection| connection.is_over());
        if let Some(connection) = over {
            self.seen
                .dropped
                .fetch_add(u64::from(connection.tally.dropped.is_some()), Relaxed);
            self.outcome.readers.push(connection.tally);
        }
    }
}
