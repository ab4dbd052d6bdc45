//! A reader that stays: it reads a stream, writes down every picture with its age, and when its session ends it writes that
//! down too and goes to the next address it was given. What the notes mean is `account`'s business.

use crate::oracle::{self, Over, Reader};
use crate::stamp;
use crate::units::length_prefixed;
use anyhow::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);
/// A server that has not answered by then hangs.
const ATTEMPT: Duration = Duration::from_secs(3);

/// A picture as it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture {
    /// When it was complete here.
    pub arrival: Instant,
    /// How long before that it was due at the publisher; zero for one without a stamp.
    pub age: Duration,
    /// The publisher's stamp, in µs; 0 for one without.
    pub stamp: u64,
    /// Whether decoding can begin here.
    pub key: bool,
    /// RTP time, unwrapped, in 1/90000 s; comparable within one session.
    pub rtp: i64,
    /// RTP packets missing before it.
    pub loss: u16,
    /// Which session of this reader it came in, from 0.
    pub session: usize,
}

/// A session that ended without the reader having wished it.
#[derive(Debug, Clone)]
pub struct End {
    /// When.
    pub at: Instant,
    /// The address it was to.
    pub url: String,
    /// What the client said about it.
    pub why: String,
}

/// What a reader has seen so far.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Pictures in the order they came.
    pub pictures: Vec<Picture>,
    /// Sessions that ended.
    pub ends: Vec<End>,
    /// The address of the session that plays now.
    pub at: Option<String>,
}

/// A reader at work; it leaves when dropped.
#[derive(Debug)]
pub struct Watcher {
    notes: Arc<Mutex<Notes>>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Begins to read at the first of these addresses, as soon as it is served there; when a session has ended, each
    /// attempt after it goes to the next.
    pub fn start(homes: Vec<String>) -> Self {
        let notes = Arc::new(Mutex::new(Notes::default()));
        let task = tokio::spawn(run(homes, notes.clone()));
        Self { notes, task }
    }

    /// What it has seen so far.
    pub fn notes(&self) -> Notes {
        lock(&self.notes).clone()
    }

    /// When the last picture came.
    pub fn last(&self) -> Option<Picture> {
        lock(&self.notes).pictures.last().copied()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(homes: Vec<String>, notes: Arc<Mutex<Notes>>) {
    let mut turn = 0;
    let mut session = 0;
    loop {
        let url = homes[turn % homes.len()].clone();
        let attempt = tokio::time::timeout(ATTEMPT, async {
            oracle::open(&url, Over::Tcp).await?.play().await
        });
        if let Ok(Ok(mut reader)) = attempt.await {
            lock(&notes).at = Some(url.clone());
            let why = match read(&mut reader, session, &notes).await {
                Ok(()) => "closed by the server".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            let at = Instant::now();
            let mut notes = lock(&notes);
            notes.at = None;
            notes.ends.push(End { at, url, why });
            session += 1;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
        turn += usize::from(session > 0);
    }
}

async fn read(reader: &mut Reader, session: usize, notes: &Mutex<Notes>) -> Result<()> {
    while let Some((unit, data)) = reader.next_with_data().await? {
        let now = stamp::now();
        let stamp = stamp::of(length_prefixed(&data)).unwrap_or_default();
        let age = if stamp == 0 { 0 } else { now.saturating_sub(stamp) };
        lock(notes).pictures.push(Picture {
            arrival: unit.arrival,
            age: Duration::from_micros(age),
            stamp,
            key: unit.key,
            rtp: unit.rtp,
            loss: unit.loss,
            session,
        });
    }
    Ok(())
}
