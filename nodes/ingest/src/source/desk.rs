//! Which sources this node pulls and which commands it runs now: those that other nodes' readers ask for, as long as they
//! do, and those of paths that it is in charge of. How a source is pulled is `pull`'s business, how a command runs hooks'.

use super::camera::Address;
use super::pull::Pull;
use super::tickets::Tickets;
use crate::counters::{Counters, add};
use crate::live::lock;
use crate::ownership::Fabric;
use crate::sessions::Sessions;
use actix::Addr;
use actix_rt::{Arbiter, ArbiterHandle};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use weft_config::{Found, OnDemand, PathConf, Source};
use weft_hooks::{Occasion, Running};
use weft_wire::{DemandReply, DemandRequest, NodeName, StreamName, StreamState};

/// What is wanted is looked at this often, and when the configuration changes.
const LOOK: Duration = Duration::from_millis(500);
/// A node that has not repeated its demand for so long does not want it any more: it is said every 2 s.
const FORGOTTEN: Duration = Duration::from_secs(7);
/// Streams that come on demand at once: names are made up by whoever asks.
const MAX_DEMANDED: usize = 1024;
/// The owner of a stream gets so long to say that there is one.
const OWNER: Duration = Duration::from_millis(500);
/// By then a node that has just started knows the others.
const SETTLED: Duration = Duration::from_secs(3);

/// Who wants a stream.
enum Wanted {
    /// Its path.
    Always,
    /// Readers at these nodes; when each said so last.
    By(HashMap<NodeName, Instant>),
    /// Nobody any more; it goes then.
    Until(Instant),
}

enum Does {
    /// Dropped, it is let go.
    Pull(#[allow(dead_code, reason = "held to be dropped")] DropGuard),
    Run(Option<Running>, Instant),
}

/// What was begun for a path, as the path was then.
type Begun = (Arc<PathConf>, Option<Running>);

struct Entry {
    conf: Arc<PathConf>,
    occasion: Occasion,
    wanted: Wanted,
    does: Does,
}

impl Entry {
    fn close_after(&self) -> Duration {
        match self.does {
            Does::Pull(_) => self.conf.source_on_demand_close_after,
            Does::Run(..) => self.conf.on_demand_close_after,
        }
    }

    /// A node wants it still. False when what was begun for it has ended in vain: a command is run again once its time to
    /// begin is over.
    fn renew(&mut self, by: &NodeName, now: Instant) -> bool {
        match &mut self.wanted {
            Wanted::Always => {}
            Wanted::By(nodes) => _ = nodes.insert(by.clone(), now),
            Wanted::Until(_) => self.wanted = Wanted::By(HashMap::from([(by.clone(), now)])),
        }
        let Does::Run(running, since) = &self.does else {
            return true;
        };
        let over = running.as_ref().is_none_or(Running::is_over);
        !(over && now >= *since + self.conf.start_timeout())
    }
}

/// What this node sees to; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sources(Arc<Inner>);

struct Inner {
    fabric: Fabric,
    sessions: Addr<Sessions>,
    tickets: Arc<Tickets>,
    counters: Arc<Counters>,
    started: Instant,
    table: Mutex<HashMap<StreamName, Entry>>,
    /// `runOnInit`, by the path's name.
    initial: Mutex<HashMap<String, Begun>>,
    /// The thread of all pulled media; there is none before the first.
    thread: Arc<Mutex<Option<Arbiter>>>,
    arbiter: ArbiterHandle,
    over: CancellationToken,
}

impl Sources {
    pub(crate) fn new(
        fabric: Fabric,
        sessions: Addr<Sessions>,
        tickets: Arc<Tickets>,
        counters: Arc<Counters>,
        arbiter: ArbiterHandle,
    ) -> Self {
        Self(Arc::new(Inner {
            fabric,
            sessions,
            tickets,
            counters,
            started: Instant::now(),
            table: Mutex::default(),
            initial: Mutex::default(),
            thread: Arc::default(),
            arbiter,
            over: CancellationToken::new(),
        }))
    }

    /// Looks after what is wanted until the end of the node.
    pub(crate) async fn run(self) {
        let mut settings = self.0.fabric.config.settings.clone();
        let mut changes = true;
        loop {
            self.0.look(Instant::now());
            tokio::select! {
                () = sleep(LOOK) => {}
                changed = settings.changed(), if changes => changes = changed.is_some(),
                () = self.0.over.cancelled() => return,
            }
        }
    }

    /// Lets everything go and takes nothing new.
    pub(crate) fn end(&self) {
        self.0.over.cancel();
        lock(&self.0.table).clear();
        lock(&self.0.initial).clear();
    }

    /// The thread of pulled media is needed no more: their sessions have ended.
    pub(crate) fn stop(&self) {
        if let Some(thread) = lock(&self.0.thread).take() {
            thread.stop();
        }
    }

    /// Readers at another node, or at this one, want a stream or do not want it any more.
    pub(crate) async fn demand(&self, request: DemandRequest) -> DemandReply {
        DemandReply {
            taken: self.0.demand(request).await,
        }
    }
}

impl Inner {
    async fn demand(&self, request: DemandRequest) -> bool {
        let now = Instant::now();
        let stream = &request.stream;
        if request.over {
            let mut table = lock(&self.table);
            let Some(entry) = table.get_mut(stream) else {
                return true;
            };
            let close_after = entry.close_after();
            if let Wanted::By(nodes) = &mut entry.wanted
                && nodes.remove(&request.node).is_some()
                && nodes.is_empty()
            {
                entry.wanted = Wanted::Until(now + close_after);
            }
            return true;
        }
        let Some(found) = self.fabric.config.settings.now().paths.find(stream) else {
            return false;
        };
        if !found.conf.is_on_demand() || self.over.is_cancelled() || self.fabric.members.own().draining {
            return false;
        }
        if self.renew(&request, now) {
            return true;
        }
        let runs = matches!(found.conf.source, Source::Publisher);
        // Somebody publishes it of his own accord: there is nothing to run.
        if runs && self.has_owner(stream).await {
            return true;
        }
        self.begin(request, found, now)
    }

    /// True when it is seen to already.
    fn renew(&self, request: &DemandRequest, now: Instant) -> bool {
        let mut table = lock(&self.table);
        table
            .get_mut(&request.stream)
            .is_some_and(|entry| entry.renew(&request.node, now))
    }

    async fn has_owner(&self, stream: &StreamName) -> bool {
        let owner = timeout(OWNER, self.fabric.bus.owner(stream.clone())).await;
        matches!(owner, Ok(Ok(owner)) if owner.state != StreamState::Waiting)
    }

    fn begin(&self, request: DemandRequest, found: Found, now: Instant) -> bool {
        let conf = Arc::clone(&found.conf);
        let occasion = Occasion {
            stream: request.stream.clone(),
            query: request.query,
            found,
        };
        let mut table = lock(&self.table);
        // Whoever ends this clears the table behind it.
        if self.over.is_cancelled() {
            return false;
        }
        // Another node may have asked at the same moment: what was begun for it is not begun again.
        let there = table.get_mut(&request.stream);
        if there.is_some_and(|entry| entry.renew(&request.node, now)) {
            return true;
        }
        // overflow: not taken on, counted; who asks for it asks again.
        if table.len() >= MAX_DEMANDED && !table.contains_key(&request.stream) {
            add(&self.counters.demands_refused, 1);
            return false;
        }
        let does = match (&conf.source, &conf.on_demand) {
            (Source::Pull(url), _) => match self.pull(&occasion, url) {
                Some(pull) => pull,
                None => return false,
            },
            (Source::Publisher, OnDemand::Run(command)) => {
                let running = self.fabric.config.hooks.keep("runOnDemand", command, &occasion);
                Does::Run(running, now)
            }
            _ => return false,
        };
        add(&self.counters.demands, 1);
        tracing::info!(stream = %request.stream, by = %request.node, "begun on demand");
        let wanted = Wanted::By(HashMap::from([(request.node, now)]));
        let entry = Entry {
            conf,
            occasion,
            wanted,
            does,
        };
        table.insert(request.stream, entry);
        true
    }

    fn pull(&self, occasion: &Occasion, url: &str) -> Option<Does> {
        let Occasion { stream, query, found } = occasion;
        let url = found.expand(url, stream, query);
        let address = match Address::parse(&url, found.conf.source_transport.as_deref()) {
            Ok(address) => address,
            Err(why) => {
                tracing::warn!(%stream, why, "source cannot be pulled");
                return None;
            }
        };
        let pull = Pull {
            stream: stream.clone(),
            address,
            fabric: self.fabric.clone(),
            sessions: self.sessions.clone(),
            tickets: Arc::clone(&self.tickets),
        };
        let over = self.over.child_token();
        let until = over.clone();
        let thread = Arc::clone(&self.thread);
        // From a thread of the actor system, where threads can be made. Fails only where the node ends.
        self.arbiter.spawn_fn(move || {
            if !until.is_cancelled() {
                let mut thread = lock(&thread);
                let thread = thread.get_or_insert_with(Arbiter::new);
                thread.spawn_fn(move || drop(actix_rt::spawn(pull.run(until))));
            }
        });
        Some(Does::Pull(over.drop_guard()))
    }

    /// Lets go what nobody wants or what its path does not say any more, and sees to what this node is in charge of.
    fn look(&self, now: Instant) {
        let settings = self.fabric.config.settings.now();
        let draining = self.fabric.members.own().draining;
        let mut table = lock(&self.table);
        for entry in table.values_mut() {
            let close_after = entry.close_after();
            if let Wanted::By(nodes) = &mut entry.wanted {
                nodes.retain(|_, said| now < *said + FORGOTTEN);
                if nodes.is_empty() {
                    entry.wanted = Wanted::Until(now + close_after);
                }
            }
        }
        let keeps = |stream: &StreamName, entry: &Entry| {
            let same = || {
                let found = settings.paths.find(stream);
                found.is_some_and(|found| *found.conf == *entry.conf)
            };
            let wanted = match entry.wanted {
                Wanted::Until(end) => now < end,
                Wanted::Always => self.is_in_charge(stream),
                Wanted::By(_) => true,
            };
            wanted && !draining && same()
        };
        for (stream, entry) in table.extract_if(|stream, entry| !keeps(stream, entry)) {
            tracing::info!(%stream, "let go: nobody wants it, or its path has changed");
            if let (Wanted::Until(_), Some(command)) = (&entry.wanted, &entry.conf.hooks.un_demand) {
                let hooks = &self.fabric.config.hooks;
                hooks.once("runOnUnDemand", command, &entry.occasion);
            }
        }
        let mut initial = lock(&self.initial);
        let mut lasting = Vec::new();
        for conf in settings.paths.iter().filter(|conf| conf.is_static() && !draining) {
            let pulls = matches!(conf.source, Source::Pull(_)) && !conf.source_on_demand;
            if !pulls && conf.hooks.init.is_none() {
                continue;
            }
            let Ok(stream) = StreamName::new(&conf.name) else {
                continue;
            };
            if !self.is_in_charge(&stream) {
                continue;
            }
            lasting.push(conf.name.clone());
            let Some(found) = settings.paths.find(&stream) else {
                continue;
            };
            let occasion = Occasion {
                stream: stream.clone(),
                query: String::new(),
                found,
            };
            if let (true, false, Source::Pull(url)) = (pulls, table.contains_key(&stream), &conf.source)
                && let Some(does) = self.pull(&occasion, url)
            {
                let entry = Entry {
                    conf: Arc::clone(conf),
                    occasion: occasion.clone(),
                    wanted: Wanted::Always,
                    does,
                };
                table.insert(stream, entry);
            }
            let begun = initial.get(&conf.name).is_some_and(|(begun, _)| *begun == *conf);
            if let (false, Some(command)) = (begun, &conf.hooks.init) {
                let running = self.fabric.config.hooks.keep("runOnInit", command, &occasion);
                initial.insert(conf.name.clone(), (Arc::clone(conf), running));
            }
        }
        initial.retain(|name, _| lasting.contains(name));
    }

    /// Whether this node is the one that sees to a path of a name of its own.
    fn is_in_charge(&self, stream: &StreamName) -> bool {
        let members = &self.fabric.members;
        let settled = self.started.elapsed() >= SETTLED || members.view().nodes.contains_key(members.node());
        settled && !self.over.is_cancelled() && members.in_charge_of(stream).first() == Some(members.node())
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
