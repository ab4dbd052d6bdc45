//! Tells events to URLs: in order per stream, several streams at a time, again after ever longer pauses where a URL fails.
//! Each URL has a queue of its own, so one that hangs delays its own events and nothing else.

use crate::counters::{Counters, one};
use crate::event::Event;
use crate::limiter::Limiter;
use crate::signature;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::redirect::Policy;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_config::{Secret, Webhook};

/// Events that wait for one URL, those being told included.
const QUEUE: usize = 1024;
/// Events told to one URL at once, each of another stream.
const AT_ONCE: usize = 16;
/// A URL that was told nothing for this long is forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// What is left at the end of the node gets this long.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// How often an event is tried and how long a try may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Before the first try, the second and so on.
    pub(crate) pauses: [Duration; 5],
    pub(crate) limit: Duration,
}

impl Default for Pace {
    /// Five tries within a minute.
    fn default() -> Self {
        Self {
            pauses: [0, 1, 4, 15, 40].map(Duration::from_secs),
            limit: Duration::from_secs(10),
        }
    }
}

#[derive(Debug)]
struct Job {
    /// Events of one line are told in order.
    line: String,
    body: String,
    secret: Secret,
    _place: Place,
}

/// A place in a URL's queue.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[derive(Debug)]
struct Queue {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

/// All webhooks; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pace: Pace,
    counters: Arc<Counters>,
    queues: Mutex<HashMap<String, Queue>>,
    client: OnceLock<reqwest::Client>,
    tasks: TaskTracker,
    /// The node ends: nothing is tried again.
    ending: CancellationToken,
    limiter: Limiter,
}

impl Webhooks {
    pub(crate) fn new(counters: Arc<Counters>, pace: Pace) -> Self {
        Self(Arc::new(Inner {
            pace,
            counters,
            queues: Mutex::default(),
            client: OnceLock::new(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            limiter: Limiter::new(1, Duration::from_secs(5)),
        }))
    }

    /// Has an event told; never waits.
    pub(crate) fn tell(&self, hook: &Webhook, event: &Event) {
        let mut queues = self.0.queues();
        if queues.get(&hook.url).is_none_or(|queue| queue.jobs.is_closed()) {
            queues.retain(|_, queue| !queue.jobs.is_closed());
            queues.insert(hook.url.clone(), self.start(&hook.url));
        }
        let Some(queue) = queues.get(&hook.url) else {
            return;
        };
        let waiting = queue.waiting.fetch_add(1, SeqCst);
        let job = Job {
            line: event.line().to_owned(),
            body: event.to_json(),
            secret: hook.secret.clone(),
            _place: Place(Arc::clone(&queue.waiting)),
        };
        // overflow: the newest is dropped and counted.
        if waiting >= QUEUE || queue.jobs.try_send(job).is_err() {
            one(&self.0.counters.webhooks_dropped);
        }
    }

    fn start(&self, url: &str) -> Queue {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let (inner, url) = (Arc::clone(&self.0), url.to_owned());
        self.0
            .tasks
            .spawn(async move { inner.serve(&url, receiver).await });
        Queue {
            jobs,
            waiting: Arc::default(),
        }
    }

    /// Tells what is left, once; returns within 2 s.
    pub(crate) async fn shutdown(&self) {
        self.0.ending.cancel();
        self.0.queues().clear();
        self.0.tasks.close();
        if timeout(LAST_MOMENT, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("events were left untold: their webhooks did not answer in time");
        }
    }
}

impl Inner {
    fn queues(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        // Each change under this lock is one insertion or removal.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of one URL.
    async fn serve(&self, url: &str, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting: VecDeque<Job> = VecDeque::new();
        let mut busy: HashSet<String> = HashSet::new();
        let mut told = FuturesUnordered::new();
        loop {
            while told.len() < AT_ONCE {
                let Some(next) = waiting.iter().position(|job| !busy.contains(&job.line)) else {
                    break;
                };
                let Some(job) = waiting.remove(next) else { break };
                busy.insert(job.line.clone());
                told.push(async move {
                    self.deliver(url, &job).await;
                    job.line
                });
            }
            let idle = told.is_empty();
            tokio::select! {
                Some(line) = told.next() => drop(busy.remove(&line)),
                job = jobs.recv() => match job {
                    Some(job) => waiting.push_back(job),
                    None if idle => return,
                    None => {
                        if let Some(line) = told.next().await {
                            busy.remove(&line);
                        }
                    }
                },
                // Whoever comes from now on starts a new one; what is in the queue is still taken.
                () = sleep(IDLE), if idle => jobs.close(),
            }
        }
    }

    async fn deliver(&self, url: &str, job: &Job) {
        let mut why = String::new();
        for (number, pause) in self.pace.pauses.into_iter().enumerate() {
            if number > 0 {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.ending.cancelled() => break,
                }
            }
            match self.attempt(url, job).await {
                Ok(()) => return one(&self.counters.delivered),
                Err(error) => why = error,
            }
            one(&self.counters.tries_failed);
        }
        one(&self.counters.given_up);
        if let Some(more) = self.limiter.pass() {
            tracing::warn!(host = host(url), why, more, "event not told: its webhook fails");
        }
    }

    async fn attempt(&self, url: &str, job: &Job) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut request = self
            .client()
            .post(url)
            .timeout(self.pace.limit)
            .header("Content-Type", "application/json")
            .body(job.body.clone());
        if let Some(signature) = signature::of(&job.secret, now.as_secs(), job.body.as_bytes()) {
            request = request.header(signature::HEADER, signature);
        }
        // Its URL may hold a password.
        let answer = request
            .send()
            .await
            .map_err(|error| error.without_url().to_string())?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    fn client(&self) -> &reqwest::Client {
        self.client.get_or_init(|| {
            // Fails only where there is one already.
            rustls::crypto::ring::default_provider().install_default().ok();
            let client = reqwest::Client::builder()
                .user_agent(concat!("weft/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .pool_idle_timeout(IDLE);
            client.build().unwrap_or_default()
        })
    }
}

/// The part of a URL that may be shown.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
