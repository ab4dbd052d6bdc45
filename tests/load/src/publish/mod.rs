//! Publishers on a few threads: each thread owns its publishers and sleeps until the next one is due. Sessions are begun and
//! ended from outside, since HTTP waits.

mod ice;
mod offer;
mod peer;
mod player;
mod secure;

use crate::clip::Clip;
use crate::count::Published;
use crate::http;
use crate::template::Target;
use anyhow::{Context, Result, bail};
use peer::{Peer, Scratch};
use secure::Identity;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest sleep: a thread without publishers.
const IDLE: Duration = Duration::from_millis(100);
/// Commands waiting for a thread.
const QUEUE: usize = 64;

enum Command {
    Add(Box<Peer>),
    /// No media any more.
    Silence,
}

/// A session at the server.
#[derive(Debug)]
struct Session {
    target: Target,
    token: Option<String>,
}

/// All publishers of a run.
pub struct Publishers {
    threads: Vec<(SyncSender<Command>, JoinHandle<()>)>,
    identity: Arc<Identity>,
    clip: Arc<Clip>,
    token: Option<String>,
    sessions: Vec<Session>,
    /// What each has done.
    pub counts: Vec<Arc<Published>>,
}

impl Publishers {
    /// Starts the threads, without publishers.
    ///
    /// # Errors
    /// When the system gives no threads or the core no certificate.
    pub fn start(clip: Arc<Clip>, threads: usize, token: Option<String>) -> Result<Self> {
        let threads = (0..threads.max(1)).map(|number| {
            // overflow: the sender waits; there is a command for each publisher, once
            let (commands, queue) = sync_channel(QUEUE);
            let thread = std::thread::Builder::new()
                .name(format!("publish-{number}"))
                .spawn(move || shard(&queue))?;
            Ok((commands, thread))
        });
        Ok(Self {
            threads: threads.collect::<Result<_>>()?,
            identity: Arc::new(Identity::new()?),
            clip,
            token,
            sessions: Vec::new(),
            counts: Vec::new(),
        })
    }

    /// Begins a session; media flows when the server is ready, which [`Published::live`] tells. `via` gives each address of
    /// the server one that leads there.
    ///
    /// # Errors
    /// When the server is not there or refuses; the message names it.
    pub fn add(&mut self, target: &Target, via: impl FnMut(SocketAddr) -> Result<SocketAddr>) -> Result<()> {
        let number = self.counts.len();
        let counts = Arc::new(Published::default());
        let mut peer = Peer::new(
            u32::try_from(number)?,
            target.address()?,
            self.identity.clone(),
            self.clip.clone(),
            counts.clone(),
        )?;
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type", "application/sdp")];
        headers.extend(bearer.as_deref().map(|value| ("Authorization", value)));
        let answer = http::request("POST", target, &headers, &peer.offer())?;
        if answer.status != 201 {
            bail!(
                "{} refused the offer with {} {}",
                target.url,
                answer.status,
                answer.text().chars().take(300).collect::<String>()
            );
        }
        // RFC 9725 section 4.2: the location may be relative to the endpoint.
        let location = answer
            .header("location")
            .context("a WHIP answer without a Location")?;
        self.sessions.push(Session {
            target: target.join(location)?,
            token: bearer,
        });
        let taken = peer.answered(&answer.text(), via);
        taken.with_context(|| format!("the answer of {}", target.url))?;
        let (commands, _) = &self.threads[number % self.threads.len()];
        commands
            .send(Command::Add(Box::new(peer)))
            .map_err(|_| anyhow::anyhow!("a publishing thread has ended"))?;
        self.counts.push(counts);
        Ok(())
    }

    /// Stops the media of all; the sessions stay.
    pub fn silence(&self) {
        for (commands, _) in &self.threads {
            // A thread that has ended sends nothing either.
            commands.send(Command::Silence).ok();
        }
    }

    /// Ends all sessions and threads. Returns how many sessions the server did not know any more.
    pub fn end(mut self) -> usize {
        self.finish()
    }

    fn finish(&mut self) -> usize {
        let mut unknown = 0;
        for session in self.sessions.drain(..) {
            let headers: Vec<_> = session
                .token
                .iter()
                .map(|token| ("Authorization", token.as_str()))
                .collect();
            let gone = http::request("DELETE", &session.target, &headers, "");
            unknown += usize::from(!gone.is_ok_and(|answer| (200..300).contains(&answer.status)));
        }
        for (commands, thread) in self.threads.drain(..) {
            drop(commands);
            // A panic there was reported where it happened.
            drop(thread.join());
        }
        unknown
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        self.finish();
    }
}

fn shard(commands: &Receiver<Command>) {
    let mut peers: Vec<Box<Peer>> = Vec::new();
    let mut due: BinaryHeap<Reverse<(Instant, usize)>> = BinaryHeap::new();
    let mut scratch = Scratch::new();
    loop {
        let now = Instant::now();
        while let Some(Reverse((at, index))) = due.peek().copied() {
            if at > now {
                break;
            }
            due.pop();
            let peer = &mut peers[index];
            peer.run(now, &mut scratch);
            due.extend(peer.deadline().map(|at| Reverse((at, index))));
        }
        let next = due.peek().map_or(now + IDLE, |Reverse((at, _))| *at);
        match commands.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Command::Add(peer)) => {
                due.push(Reverse((now, peers.len())));
                peers.push(peer);
            }
            Ok(Command::Silence) => peers.iter_mut().for_each(|peer| peer.silence()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    for peer in &mut peers {
        peer.close();
    }
}
