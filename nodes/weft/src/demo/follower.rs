//! A publisher that goes where it is told and comes back when it is lost: it follows `move` make-before-break, posts anew at
//! the next server after a loss, and stops for good when somebody else has taken the stream over or an operator ended it.
//! Sending and the single session are the `publisher`'s business, what is worth a line is `journal`'s.

use super::events::{Events, Word};
use super::journal::{Entry, Happened, Journal};
use super::publisher::{Options, PublishError, Publisher};
use super::source::UnitSource;
use super::whip;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Pauses between two rounds over all servers.
const BACKOFF: Duration = Duration::from_millis(200);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
/// A session that lived this long ends a series of losses.
const SETTLED: Duration = Duration::from_secs(5);
/// The old session is left when the new one has sent media for this long, or lost the name to it.
const OVERLAP: Duration = Duration::from_secs(1);
/// What finding out why a session has ended may take: after a loss every moment is a gap at the readers.
const ASK: Duration = Duration::from_millis(500);
/// What the channel's last word may take when the connection has ended.
const LAST_WORD: Duration = Duration::from_millis(100);
/// An events channel that broke is opened again this often while the media goes on.
const REOPEN: Duration = Duration::from_secs(1);

/// How a follower behaves.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Of each of its sessions.
    pub publisher: Options,
    /// Finds the local address towards each server out, instead of [`Options::local_ip`].
    pub find_local_ip: bool,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            publisher: Options {
                handshake: Duration::from_secs(5),
                request: Duration::from_secs(3),
                ..Options::default()
            },
            find_local_ip: false,
        }
    }
}

/// A publisher that stays.
#[derive(Debug)]
pub struct Follower {
    journal: Journal,
    leave: CancellationToken,
    task: JoinHandle<()>,
}

impl Follower {
    /// Publishes at the first of `urls` (WHIP) that takes it; `source` gives a source that begins with a key unit for each
    /// session. Needs a Tokio runtime.
    #[must_use]
    pub fn start<S: UnitSource>(
        urls: Vec<String>,
        source: impl Fn() -> S + Send + Sync + 'static,
        options: FollowOptions,
    ) -> Self {
        let journal = Journal::default();
        let leave = CancellationToken::new();
        let following = Following {
            urls,
            next: 0,
            source,
            options,
            journal: journal.clone(),
            leave: leave.clone(),
        };
        Self {
            journal,
            leave,
            task: tokio::spawn(following.run()),
        }
    }

    /// What has happened so far, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.journal.entries()
    }

    /// What happened after the first `seen` entries; waits until there is something. Cancel-safe.
    pub async fn after(&self, seen: usize) -> Vec<Entry> {
        self.journal.after(seen).await
    }

    /// Resolves when it has stopped for good.
    pub async fn ended(&self) {
        self.journal.ended().await;
    }

    /// The URL of the session it has now.
    #[must_use]
    pub fn location(&self) -> Option<Url> {
        self.journal.location()
    }

    /// Access units sent over all sessions.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.journal.units()
    }

    /// Ends in good order: DELETE, then close.
    pub async fn stop(mut self) {
        self.leave.cancel();
        // Fails only when the task was aborted or panicked: over in any case.
        (&mut self.task).await.ok();
    }

    /// Vanishes without a farewell.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Following<F> {
    urls: Vec<String>,
    /// Which URL is tried next.
    next: usize,
    source: F,
    options: FollowOptions,
    journal: Journal,
    leave: CancellationToken,
}

/// A session with what its server says.
struct Current {
    publisher: Publisher,
    events: Option<Events>,
    /// Where its events channel may be: at the URL the server gave, and at any other node we know.
    channels: Vec<Url>,
    /// When to open the events channel again.
    reopen: Option<Instant>,
    since: Instant,
}

/// What ends the stay at a session.
enum End {
    Move(Url),
    Closed(String),
    Lost,
}

impl<S: UnitSource, F: Fn() -> S + Send + Sync + 'static> Following<F> {
    async fn run(mut self) {
        let leave = self.leave.clone();
        let mut current = None;
        let over = tokio::select! {
            () = leave.cancelled() => None,
            why = self.stay(&mut current) => Some(why),
        };
        self.journal.session(None);
        if let Some(Current { publisher, .. }) = current {
            self.journal.left(&publisher);
            if over.is_some() {
                publisher.close().await;
            } else if let Err(error) = publisher.stop().await {
                tracing::debug!(%error, "the last session could not be deleted");
            }
        }
        self.journal.note(Happened::Ended(over.unwrap_or_default()));
    }

    /// Publishes until somebody else has taken the stream over, or an operator has ended it.
    async fn stay(&mut self, current: &mut Option<Current>) -> String {
        let mut pause = BACKOFF;
        loop {
            let Some(session) = current else {
                *current = self.come(&mut pause).await;
                continue;
            };
            match session.end(&self.journal).await {
                End::Move(url) => {
                    self.journal.note(Happened::Told(url.clone()));
                    if let Some(reason) = self.go(current, &url).await {
                        return reason;
                    }
                }
                // Neither another publisher nor an operator is fought.
                End::Closed(reason) if matches!(reason.as_str(), "taken-over" | "kicked") => return reason,
                end => {
                    let reason = match end {
                        End::Closed(reason) => reason,
                        _ => "no answer".to_owned(),
                    };
                    if session.since.elapsed() >= SETTLED {
                        pause = BACKOFF;
                    }
                    self.journal.note(Happened::Lost(reason));
                    self.journal.session(None);
                    if let Some(Current { publisher, .. }) = current.take() {
                        self.journal.left(&publisher);
                        publisher.close().await;
                    }
                }
            }
        }
    }

    /// One round over all servers, then a pause if none took it.
    async fn come(&mut self, pause: &mut Duration) -> Option<Current> {
        for _ in 0..self.urls.len() {
            let url = self.urls[self.next % self.urls.len()].clone();
            self.next += 1;
            match self.open(&url).await {
                Ok(current) => {
                    self.journal.session(Some(&current.publisher));
                    self.journal.note(Happened::Publishing(url));
                    return Some(current);
                }
                Err(error) => self.journal.note(Happened::Refused(url, error.to_string())),
            }
        }
        sleep(pause.mul_f64(rand::random_range(0.75..1.25))).await;
        *pause = (*pause * 2).min(BACKOFF_MOST);
        None
    }

    /// Goes to `url`: the new session first, then the old one ends. Where it cannot, the old one stays for what it is
    /// worth. `Some`: over for good.
    async fn go(&mut self, current: &mut Option<Current>, url: &Url) -> Option<String> {
        let mut pause = BACKOFF;
        let mut new = loop {
            let old = current.as_mut()?;
            let opened = tokio::select! {
                opened = self.open(url.as_str()) => opened,
                // It comes back to the caller at once.
                () = old.publisher.ended() => return None,
            };
            match opened {
                Ok(new) => break new,
                Err(error) => self
                    .journal
                    .note(Happened::Refused(url.to_string(), error.to_string())),
            }
            let retry = sleep(pause);
            pause = (pause * 2).min(BACKOFF_MOST);
            tokio::select! {
                () = retry => {}
                () = old.publisher.ended() => return None,
            }
        };
        let began = Instant::now();
        let old = current.as_mut()?;
        tokio::select! {
            () = sleep_until(began + OVERLAP) => {}
            // The name has changed hands, or the old node is done: either way the new session counts.
            _ = old.end(&self.journal) => {}
            end = new.end(&self.journal) => {
                // The new one was lost before it was worth anything.
                let reason = if let End::Closed(reason) = end { reason } else { "no answer".to_owned() };
                self.journal.note(Happened::Refused(url.to_string(), reason));
                new.publisher.close().await;
                return None;
            }
        }
        self.journal.session(Some(&new.publisher));
        self.journal.note(Happened::Moved(url.clone()));
        if let Some(Current { publisher, .. }) = current.replace(new) {
            self.journal.left(&publisher);
            // 410 when the new one has taken the name over already.
            if let Err(error) = publisher.stop().await {
                tracing::debug!(%error, "the old session was over already");
            }
        }
        None
    }

    async fn open(&self, url: &str) -> Result<Current, PublishError> {
        let mut options = self.options.publisher.clone();
        if self.options.find_local_ip
            && let Some(ip) = crate::local_ip::towards_url(url).await
        {
            options.local_ip = ip;
        }
        let request = options.request;
        let publisher = Publisher::start(url, (self.source)(), options).await?;
        let channels = publisher
            .events()
            .map_or_else(Vec::new, |url| everywhere(url, &self.urls));
        let events = match channels.first() {
            Some(url) => Events::open(url.clone(), request).await.ok(),
            None => None,
        };
        let now = Instant::now();
        Ok(Current {
            reopen: (events.is_none() && !channels.is_empty()).then_some(now),
            channels,
            publisher,
            events,
            since: now,
        })
    }
}

impl Current {
    /// Resolves at the server's next word, or when the session is lost.
    async fn end(&mut self, journal: &Journal) -> End {
        loop {
            let word = tokio::select! {
                word = next_word(self.events.as_mut()) => word,
                () = self.publisher.ended() => return self.why().await,
                () = due(self.reopen) => {
                    match self.open_again().await {
                        Some(end) => return end,
                        None => continue,
                    }
                }
            };
            match word {
                Some(Word::Move(url)) => return End::Move(url),
                Some(Word::Closed(reason)) => return End::Closed(reason),
                None => {
                    // Either the node is gone, or only this connection.
                    journal.note(Happened::Deaf);
                    self.events = None;
                    self.reopen = Some(Instant::now());
                }
            }
        }
    }

    /// Tries to hear the server again, at its own address and then at the other nodes', for the address may be that of a
    /// node that only passed the offer on. `Some` when the session is no more, or nobody is there at all.
    async fn open_again(&mut self) -> Option<End> {
        self.reopen = Some(Instant::now() + REOPEN);
        let mut anybody = false;
        for url in self.channels.clone() {
            match Events::open(url, ASK).await {
                Ok(events) => {
                    self.events = Some(events);
                    self.reopen = None;
                    return None;
                }
                Err(error) => match (error.closed(), error) {
                    (Some(reason), _) => return Some(End::Closed(reason)),
                    (_, whip::WhipError::Refused { status: 404, .. }) => return Some(End::Lost),
                    // Nobody listens there; one that is only slow does not answer in time instead.
                    (_, whip::WhipError::Unreachable(words)) if !words.to_lowercase().contains("timeout") => {
                    }
                    _ => anybody = true,
                },
            }
        }
        (!anybody).then_some(End::Lost)
    }

    /// Why the connection has ended: the channel's last word if it comes, else what the session's URL tells.
    async fn why(&mut self) -> End {
        let last = async {
            while let Some(word) = next_word(self.events.as_mut()).await {
                if let Word::Closed(reason) = word {
                    return End::Closed(reason);
                }
            }
            End::Lost
        };
        let asked = async {
            match whip::ended(self.publisher.location().clone(), ASK).await {
                Ok(Some(reason)) => End::Closed(reason),
                _ => End::Lost,
            }
        };
        // What the channel has brought already counts, and comes before its end.
        match tokio::time::timeout(LAST_WORD, last).await {
            Ok(End::Closed(reason)) => End::Closed(reason),
            _ => asked.await,
        }
    }
}

/// A session's URL as it is, then at each other server: every node answers for every session.
fn everywhere(url: &Url, servers: &[String]) -> Vec<Url> {
    let mut all = vec![url.clone()];
    for server in servers.iter().filter_map(|server| Url::parse(server).ok()) {
        let Ok(mut there) = server.join(url.path()) else {
            continue;
        };
        there.set_query(url.query());
        if !all.contains(&there) {
            all.push(there);
        }
    }
    all
}

async fn next_word(events: Option<&mut Events>) -> Option<Word> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_url_is_asked_at_its_own_address_first_and_then_at_each_other_node() {
        let url = Url::parse("http://a:1/cam/whip/n.s/events?jwt=x").unwrap();
        let servers = ["http://a:1/cam/whip", "http://b:2/cam/whip?jwt=x", "no url"].map(str::to_owned);
        let all: Vec<String> = everywhere(&url, &servers).iter().map(Url::to_string).collect();
        assert_eq!(
            all,
            [
                "http://a:1/cam/whip/n.s/events?jwt=x",
                "http://b:2/cam/whip/n.s/events?jwt=x"
            ]
        );
    }
}
