//! One connection to NATS: watched, judged at each connect, and fed without waiting.
//! What travels on it is the business of the files beside this one.

use super::choice::Choice;
use super::config::{NatsConfig, Purpose};
use super::hint::Hint;
use super::server::{self, JetStream};
use crate::throttle::Throttle;
use crate::{Counters, DropReason, Error};
use async_nats::connection::State;
use async_nats::message::OutboundMessage;
use async_nats::{Client, ServerInfo};
use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

/// Between two looks at the connection when no event came: events may be lost under a flood of them.
const TICK: Duration = Duration::from_millis(50);
/// A queue that has not moved for this long belongs to a server that hangs: what is added would arrive stale.
const STALL: Duration = Duration::from_millis(250);
/// How long anything that may wait for the connection waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// While it does not move, one message this often may try whether it does again.
const TRIAL: Duration = Duration::from_millis(500);
const LOG_PERIOD: Duration = Duration::from_secs(30);
/// What a user of another role, or one without the shipped permissions, is told.
const NOT_THIS_ROLE: &str = "does not let this node's user hear the answers meant for it";

/// What is known of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Health {
    /// Not connected.
    Away,
    /// Connected and fit; the number rises at each connection.
    Up(u64),
    /// Connected to, or turned away by, a server that cannot be used; says what to do.
    Unfit(String),
}

/// One connection.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) counters: Arc<Counters>,
    health: watch::Sender<Health>,
    purpose: Purpose,
    servers: String,
    hint: Arc<Hint>,
    /// Checked and fit; `client` knows first when it is cut.
    up: AtomicBool,
    /// When that began.
    since: Mutex<Instant>,
    /// Messages handed to the client on this connection's queue.
    fed: AtomicU64,
    stalled: AtomicBool,
    /// While stalled, one message may try when this is set.
    trial: AtomicBool,
}

/// What the watch of a connection remembers.
struct Watch {
    connects: u64,
    number: u64,
    identity: (String, u64),
    moved: (u64, Instant),
    tried: Instant,
    say_waiting: Throttle,
    cause_said: bool,
    say_unfit: Throttle,
    jetstream_asked: Option<u64>,
}

impl Link {
    /// Starts connecting; returns at once.
    pub(super) async fn open(
        config: &NatsConfig,
        purpose: Purpose,
        counters: Arc<Counters>,
    ) -> Result<Arc<Self>, Error> {
        let addresses = config.addresses()?;
        let servers: Vec<&str> = addresses.iter().map(async_nats::ServerAddr::as_url_str).collect();
        let servers = servers.join(",");
        let hint = Arc::new(Hint::new());
        let (events, attempts, count) = (hint.clone(), hint.clone(), counters.clone());
        let options = config.options(purpose).await?;
        let options = options.event_callback(move |event| {
            events.event(event, &count);
            std::future::ready(())
        });
        let choice = Choice::default();
        let options = options.reconnect_to_server_callback(move |servers, _| {
            attempts.attempt(&servers);
            std::future::ready(choice.next(&servers))
        });
        let client = options
            .connect(addresses)
            .await
            .map_err(|e| Error::Refused(format!("NATS cannot be connected to: {e}")))?;
        Ok(Arc::new(Self {
            client,
            counters,
            health: watch::Sender::new(Health::Away),
            purpose,
            servers,
            hint,
            up: AtomicBool::new(false),
            since: Mutex::new(Instant::now()),
            fed: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            trial: AtomicBool::new(false),
        }))
    }

    /// What is known of the server, now and at each change.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Connected to a server that is fit.
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire) && self.client.connection_state() == State::Connected
    }

    /// Since when it is connected to a server that is fit; `None` while it is not.
    pub(super) fn up_since(&self) -> Option<Instant> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_up().then_some(since)
    }

    /// How many connections have been made.
    pub(super) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// The error of a connection that is not there.
    pub(super) fn away(&self) -> Error {
        match &*self.health.borrow() {
            Health::Unfit(why) => Error::Refused(why.clone()),
            _ => Error::Away(match self.hint.causes() {
                Some(causes) => format!("no connection to NATS: {causes}"),
                None => format!("no connection to NATS at {}", self.servers),
            }),
        }
    }

    /// Queues a message without waiting. `client` is the caller's own clone: its place in the queue is kept in it.
    pub(super) fn feed(&self, client: &mut Client, message: OutboundMessage) -> Result<(), DropReason> {
        if !self.is_up() {
            return Err(DropReason::Away);
        }
        if self.stalled.load(Ordering::Relaxed) && !self.trial.swap(false, Ordering::Relaxed) {
            return Err(DropReason::Full);
        }
        // overflow: DROPS the message; the hub sees the hole in `seq` and asks for it. Unconstrained, because a task that
        // has used up its budget of wake-ups would be told that a queue with room is full.
        match tokio::task::unconstrained(client.feed(message)).now_or_never() {
            Some(Ok(())) => {
                self.fed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Some(Err(e)) if e.kind() == async_nats::PublishErrorKind::MaxPayloadExceeded => {
                Err(DropReason::TooLarge)
            }
            Some(Err(_)) => Err(DropReason::Away),
            None => Err(DropReason::Full),
        }
    }

    /// Queues a message, waiting up to a second for room.
    pub(super) async fn send(&self, message: OutboundMessage) -> Result<(), Error> {
        if !self.is_up() {
            return Err(self.away());
        }
        self.queue(message).await
    }

    /// As [`Self::send`], for the answer to a question: what came over a connection can be answered on it a moment before
    /// its own check is over. An asker that connected first would wait a second for nothing.
    pub(super) async fn answer(&self, message: OutboundMessage) -> Result<(), Error> {
        if self.client.connection_state() != State::Connected {
            return Err(self.away());
        }
        self.queue(message).await
    }

    async fn queue(&self, message: OutboundMessage) -> Result<(), Error> {
        let mut client = self.client.clone();
        // overflow: awaited, within bounds.
        match timeout(PATIENCE, client.feed(message)).await {
            Ok(Ok(())) => {
                self.fed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(e)) => Err(Error::Away(e.to_string())),
            Err(_) => Err(Error::Away("the connection to NATS does not move".into())),
        }
    }

    /// Subscribes, waiting up to a second for room in the client's queue. Works while the connection is away too.
    pub(super) async fn subscribe(&self, subject: String) -> Result<async_nats::Subscriber, Error> {
        match timeout(PATIENCE, self.client.subscribe(subject)).await {
            Ok(Ok(subscriber)) => Ok(subscriber),
            Ok(Err(e)) => Err(Error::Refused(e.to_string())),
            Err(_) => Err(self.away()),
        }
    }

    /// One way to the server and back on this connection: what was asked of it before is done. Gives up after a second.
    pub(super) async fn round_trip(&self) {
        if self.is_up() && !self.echoes().await {
            debug!(servers = %self.servers, "NATS did not answer within a second");
        }
    }

    /// As [`Self::echoes`]; known at once where the server says that it will not.
    async fn hears(&self) -> bool {
        tokio::select! {
            heard = self.echoes() => heard,
            () = self.hint.deafened() => false,
        }
    }

    /// Whether the server passes a message back within a second.
    async fn echoes(&self) -> bool {
        let trip = async {
            let inbox = self.client.new_inbox();
            let mut echo = self.client.subscribe(inbox.clone()).await.ok()?;
            self.client.publish(inbox, Bytes::new()).await.ok()?;
            self.fed.fetch_add(1, Ordering::Relaxed);
            echo.next().await
        };
        matches!(timeout(PATIENCE, trip).await, Ok(Some(_)))
    }

    /// Watches the connection for ever.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut watch = Watch {
            connects: 0,
            number: 0,
            identity: <_>::default(),
            moved: (0, Instant::now()),
            tried: Instant::now(),
            say_waiting: Throttle::new(LOG_PERIOD),
            cause_said: false,
            say_unfit: Throttle::new(LOG_PERIOD),
            jetstream_asked: None,
        };
        loop {
            self.look(&mut watch).await;
            self.look_at_queue(&mut watch);
            // Whichever comes first; a missed tick or event costs nothing.
            let _elapsed = timeout(TICK, self.hint.noticed()).await;
        }
    }

    async fn look(&self, watch: &mut Watch) {
        let connects = self.connects();
        if self.client.connection_state() != State::Connected {
            self.look_at_absence(watch);
        } else if connects != watch.connects || !self.up.load(Ordering::Relaxed) {
            let info = self.client.server_info();
            let identity = (info.server_id.clone(), info.client_id);
            // The state changes a moment before the server's new description is there.
            if connects != watch.connects && identity == watch.identity {
                self.hint.look_again();
                tokio::task::yield_now().await;
                return;
            }
            let new = connects != watch.connects;
            watch.connects = connects;
            watch.identity = identity;
            self.up.store(false, Ordering::Release);
            match self.judge(&info, connects, watch).await {
                // Subscriptions are made anew after each connect: connected is said when they are in place.
                Ok(()) if self.hears().await => self.connected(watch, &info),
                Ok(()) => {
                    if let Some(why) = self.hint.deaf() {
                        self.unfit(watch, not_this_role(&self.servers, &why), new);
                    }
                }
                Err(why) => self.unfit(watch, why, new),
            }
        }
    }

    fn look_at_absence(&self, watch: &mut Watch) {
        if self.up.swap(false, Ordering::AcqRel) {
            watch.say_waiting.reset();
            watch.cause_said = false;
        }
        let why = self.hint.take();
        // Being turned away is no outage: waiting does not help, a person must.
        if let Some(why) = why.as_deref().filter(|why| turned_away(why)) {
            let sentence = format!(
                "NATS at {} turned this node away ({why}): check user, password, token, nkey or credentials file",
                self.servers
            );
            return self.unfit(watch, sentence, false);
        }
        if !matches!(*self.health.borrow(), Health::Unfit(_)) {
            self.set(Health::Away);
            let causes = self.hint.causes();
            // That it is gone is known before why it does not come back.
            let news = causes.is_some() && !std::mem::replace(&mut watch.cause_said, causes.is_some());
            if (causes.is_some() || watch.number > 0) && (watch.say_waiting.allow() || news) {
                let why = causes.or(why).unwrap_or_else(|| "connection lost".into());
                // Both connections go to the same servers: one line for the two.
                match self.purpose {
                    Purpose::Media => warn!(servers = %self.servers, %why, "waiting for NATS"),
                    Purpose::Control => debug!(servers = %self.servers, %why, "waiting for NATS"),
                }
            }
        }
    }

    /// Whether the server can be used.
    async fn judge(&self, info: &ServerInfo, connects: u64, watch: &mut Watch) -> Result<(), String> {
        if server::check(info)? == JetStream::On || self.purpose == Purpose::Media {
            return Ok(());
        }
        if watch.jetstream_asked == Some(connects) {
            return Err(server::no_jetstream(info));
        }
        watch.jetstream_asked = Some(connects);
        let mut jetstream = async_nats::jetstream::new(self.client.clone());
        jetstream.set_timeout(PATIENCE);
        match jetstream.query_account().await {
            Ok(_) => Ok(()),
            Err(_) => Err(server::no_jetstream(info)),
        }
    }

    fn connected(&self, watch: &mut Watch, info: &ServerInfo) {
        watch.number += 1;
        watch.say_unfit.reset();
        watch.say_waiting.reset();
        drop(self.hint.take());
        self.hint.attempt(&[]);
        Counters::one(&self.counters.connects);
        self.stalled.store(false, Ordering::Relaxed);
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.up.store(true, Ordering::Release);
        self.set(Health::Up(watch.number));
        let (server, version, number) = (&info.server_name, &info.version, watch.number);
        match self.purpose {
            Purpose::Media => info!(servers = %self.servers, %server, %version, number, "connected to NATS"),
            Purpose::Control => {
                debug!(servers = %self.servers, %server, %version, number, "connected to NATS")
            }
        }
    }

    fn unfit(&self, watch: &mut Watch, why: String, new: bool) {
        self.up.store(false, Ordering::Release);
        if new {
            watch.say_unfit.reset();
        }
        let of_both = turned_away(&why) || why.contains(NOT_THIS_ROLE);
        let told_by_media = self.purpose == Purpose::Control && of_both;
        if !told_by_media && watch.say_unfit.allow() {
            error!("{why}");
        }
        self.set(Health::Unfit(why));
    }

    fn set(&self, health: Health) {
        self.health.send_if_modified(|old| {
            let changed = *old != health;
            *old = health;
            changed
        });
    }

    /// Finds out whether the client's queue moves.
    fn look_at_queue(&self, watch: &mut Watch) {
        let out = self.client.statistics().out_messages.load(Ordering::Relaxed);
        let now = Instant::now();
        if out != watch.moved.0 || self.fed.load(Ordering::Relaxed) <= out {
            watch.moved = (out, now);
        }
        self.stalled
            .store(now - watch.moved.1 >= STALL, Ordering::Relaxed);
        if now - watch.tried >= TRIAL {
            watch.tried = now;
            self.trial.store(true, Ordering::Relaxed);
        }
    }
}

/// A message without headers.
pub(super) fn message(subject: String, reply: Option<String>, payload: Bytes) -> OutboundMessage {
    OutboundMessage {
        subject: subject.into(),
        reply: reply.map(Into::into),
        payload,
        headers: None,
    }
}

/// The client tells its errors as text only.
fn turned_away(error: &str) -> bool {
    error.contains("uthorization") || error.contains("signing nonce")
}

fn not_this_role(servers: &str, why: &str) -> String {
    format!(
        "NATS at {servers} {NOT_THIS_ROLE} ({why}): check that fabric.nats.user is the one for this node's role, with the \
         permissions of compose/nats.conf"
    )
}
