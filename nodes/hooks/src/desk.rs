//! What follows from what happens: which commands run and end, and which webhooks are told.
//! Its task takes one happening after the other; commands and webhooks have tasks of their own, so it never waits.

use crate::Happening;
use crate::environment::{Environment, Occasion};
use crate::event::Event;
use crate::hooks::Base;
use crate::runner::{Runner, Running};
use crate::webhooks::Webhooks;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use weft_config::{Command, Config, Live, PathHooks, Webhook};
use weft_wire::{CloseReason, SessionId, StreamName};

/// Somebody who publishes, reads or is connected, until told otherwise.
struct Guest {
    kind: &'static str,
    environment: Environment,
    /// What its end is followed by, as the configuration was when it came.
    on_end: Vec<Command>,
    on_event: Option<Webhook>,
    principal: String,
    query: String,
    peer: Option<SocketAddr>,
    /// What runs as long as it is there.
    _running: Vec<Running>,
}

/// A guest's coming, put into words.
struct Came {
    event: &'static str,
    who: &'static str,
    kind: &'static str,
    session: SessionId,
    query: String,
    principal: String,
}

pub(crate) struct Desk {
    live: Live,
    base: Arc<Base>,
    runner: Runner,
    webhooks: Webhooks,
    // One entry per session that is open: bounded by the limits of whoever tells of them.
    connections: HashMap<SessionId, Guest>,
    sources: HashMap<SessionId, Guest>,
    /// Which of the sources a stream has.
    of_stream: HashMap<StreamName, SessionId>,
    readers: HashMap<SessionId, Guest>,
}

impl Desk {
    pub(crate) fn new(live: Live, base: Arc<Base>, runner: Runner, webhooks: Webhooks) -> Self {
        Self {
            live,
            base,
            runner,
            webhooks,
            connections: HashMap::new(),
            sources: HashMap::new(),
            of_stream: HashMap::new(),
            readers: HashMap::new(),
        }
    }

    pub(crate) fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Connected { kind, id, peer } => self.connected(kind, id, peer),
            Happening::Disconnected { id } => {
                let guest = self.connections.remove(&id);
                self.left("disconnect", "runOnDisconnect", None, id, guest, None);
            }
            Happening::Available {
                stream,
                source_type,
                source,
                query,
                principal,
            } => {
                let came = Came {
                    event: "available",
                    who: "SOURCE",
                    kind: source_type,
                    session: source,
                    query,
                    principal,
                };
                self.taken_over(&stream);
                let hooks = |hooks: &PathHooks| (hooks.available.clone(), hooks.unavailable.clone());
                let guest = self.came(stream.clone(), came, "runOnAvailable", hooks);
                self.sources.insert(source, guest);
                self.of_stream.insert(stream, source);
            }
            // No command and no webhook is told of it.
            Happening::Stalled { .. } | Happening::Resumed { .. } => {}
            Happening::Unavailable {
                stream,
                source,
                reason,
            } => self.unavailable(&stream, source, reason),
            Happening::Read {
                stream,
                reader_type,
                reader,
                query,
                principal,
            } => {
                let came = Came {
                    event: "read",
                    who: "READER",
                    kind: reader_type,
                    session: reader,
                    query,
                    principal,
                };
                let list = |command: &Option<Command>| command.iter().cloned().collect();
                let hooks = |hooks: &PathHooks| (list(&hooks.read), list(&hooks.unread));
                let guest = self.came(stream, came, "runOnRead", hooks);
                self.readers.insert(reader, guest);
            }
            Happening::Unread {
                stream,
                reader,
                reason,
            } => {
                let guest = self.readers.remove(&reader);
                self.left(
                    "unread",
                    "runOnUnread",
                    Some(&stream),
                    reader,
                    guest,
                    Some(reason),
                );
            }
        }
    }

    fn unavailable(&mut self, stream: &StreamName, source: SessionId, reason: CloseReason) {
        let guest = self.sources.remove(&source);
        if self.of_stream.get(stream) == Some(&source) {
            self.of_stream.remove(stream);
        }
        self.left(
            "unavailable",
            "runOnUnavailable",
            Some(stream),
            source,
            guest,
            Some(reason),
        );
    }

    /// A publisher that is replaced hears of it from the one who does: its end is told first all the same, and once.
    fn taken_over(&mut self, stream: &StreamName) {
        if let Some(former) = self.of_stream.get(stream).copied() {
            self.unavailable(stream, former, CloseReason::TakenOver);
        }
    }

    fn connected(&mut self, kind: &'static str, id: SessionId, peer: SocketAddr) {
        let config = self.live.now();
        let environment = self.base.environment().who("CONN", kind, id);
        if let Some(hook) = &config.on_event {
            let event = Event::new("connect", &self.base.identity.node, kind, id).peer(peer.to_string());
            self.webhooks.tell(hook, &event);
        }
        let run = config.run_on_connect.iter();
        let running = run.map(|command| self.runner.keep("runOnConnect", command, environment.clone()));
        let guest = Guest {
            kind,
            _running: running.collect(),
            environment,
            on_end: config.run_on_disconnect.iter().cloned().collect(),
            on_event: config.on_event.clone(),
            principal: String::new(),
            query: String::new(),
            peer: Some(peer),
        };
        self.connections.insert(id, guest);
    }

    /// `hooks` are the path's commands while the guest is there, and once it has gone.
    fn came(
        &self,
        stream: StreamName,
        came: Came,
        what: &'static str,
        hooks: impl FnOnce(&PathHooks) -> (Vec<Command>, Vec<Command>),
    ) -> Guest {
        let config = self.live.now();
        let on_event = webhook(&config, &stream);
        if let Some(hook) = &on_event {
            let event = Event::new(came.event, &self.base.identity.node, came.kind, came.session)
                .path(stream.as_str())
                .who(&came.principal, &came.query);
            self.webhooks.tell(hook, &event);
        }
        let mut environment = self.base.environment();
        let (mut running, mut on_end) = (Vec::new(), Vec::new());
        // A path may be gone from the configuration by the time the queue has come so far.
        if let Some(found) = config.paths.find(&stream) {
            let (commands, at_the_end) = hooks(&found.conf.hooks);
            let query = came.query.clone();
            environment =
                environment
                    .of(&Occasion { stream, query, found })
                    .who(came.who, came.kind, came.session);
            let keep = |command| self.runner.keep(what, command, environment.clone());
            running = commands.iter().map(keep).collect();
            on_end = at_the_end;
        }
        Guest {
            kind: came.kind,
            environment,
            on_end,
            on_event,
            principal: came.principal,
            query: came.query,
            peer: None,
            _running: running,
        }
    }

    /// `guest`: `None` where its coming was dropped; then nothing is told of its end either.
    fn left(
        &self,
        event: &'static str,
        what: &'static str,
        stream: Option<&StreamName>,
        session: SessionId,
        guest: Option<Guest>,
        reason: Option<CloseReason>,
    ) {
        let Some(guest) = guest else { return };
        for command in &guest.on_end {
            self.runner.once(what, command, guest.environment.clone());
        }
        if let Some(hook) = &guest.on_event {
            let mut event = Event::new(event, &self.base.identity.node, guest.kind, session)
                .path(stream.map_or("", |stream| stream.as_str()))
                .who(&guest.principal, &guest.query);
            if let Some(peer) = guest.peer {
                event = event.peer(peer.to_string());
            }
            if let Some(reason) = reason {
                event = event.reason(reason);
            }
            self.webhooks.tell(hook, &event);
        }
    }
}

/// Who is told of a stream: its path's webhook, else everybody's.
fn webhook(config: &Config, stream: &StreamName) -> Option<Webhook> {
    let found = config.paths.find(stream);
    let own = found.and_then(|found| found.conf.on_event.clone());
    own.or_else(|| config.on_event.clone())
}
