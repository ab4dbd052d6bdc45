//! What the NATS client tells of a connection by callbacks, kept for the one who watches it.
//! What follows from it is decided in `link`.

use crate::Counters;
use crate::throttle::Throttle;
use async_nats::{ClientError, Event, ServerError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tracing::{debug, warn};

/// A missing permission is told by the server for every message.
const ERROR_PERIOD: Duration = Duration::from_secs(10);

/// What the client's events leave behind for the watch.
pub(super) struct Hint {
    notify: Notify,
    error: Mutex<Option<String>>,
    /// What each server's last attempt failed with.
    causes: Mutex<String>,
    /// That this node may not hear its own answers, in the server's words.
    deaf: Mutex<Option<String>>,
    deafened: Notify,
    say_server_error: Mutex<Throttle>,
}

impl Hint {
    pub(super) fn new() -> Self {
        Self {
            notify: Notify::new(),
            error: Mutex::default(),
            causes: Mutex::default(),
            deaf: Mutex::default(),
            deafened: Notify::new(),
            say_server_error: Mutex::new(Throttle::new(ERROR_PERIOD)),
        }
    }

    /// Waits until something happened.
    pub(super) async fn noticed(&self) {
        self.notify.notified().await;
    }

    /// As if something had happened.
    pub(super) fn look_again(&self) {
        self.notify.notify_one();
    }

    /// The last error told, once.
    pub(super) fn take(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until the server refuses this node its own inbox.
    pub(super) async fn deafened(&self) {
        self.deafened.notified().await;
    }

    /// That the server refused this node its own inbox, if it did since this was last asked: it answers nothing else then.
    pub(super) fn deaf(&self) -> Option<String> {
        self.deaf.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The client's events name the kind of an error only; what it keeps of its servers, seen before each attempt, has
    /// the cause too.
    pub(super) fn attempt(&self, servers: &[async_nats::Server]) {
        let failed = servers.iter().filter_map(|server| {
            let error = server.last_error.as_deref()?;
            Some(format!("{}: {error}", server.addr.as_url_str()))
        });
        let causes = failed.collect::<Vec<_>>().join("; ");
        *self.causes.lock().unwrap_or_else(PoisonError::into_inner) = causes;
    }

    /// Why there is no connection, once an attempt has failed and the next has begun.
    pub(super) fn causes(&self) -> Option<String> {
        let causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        (!causes.is_empty()).then(|| causes.clone())
    }

    /// Takes an event of the client.
    pub(super) fn event(&self, event: Event, counters: &Counters) {
        match event {
            Event::SlowConsumer(_) => Counters::one(&counters.dropped_slow),
            Event::ServerError(ServerError::Other(text)) => {
                Counters::one(&counters.server_errors);
                if is_own_inbox(&text) {
                    *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                    self.deafened.notify_one();
                    return self.notify.notify_one();
                }
                let mut say = self
                    .say_server_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if say.allow() {
                    warn!(error = %text, "NATS reported an error");
                }
            }
            Event::ServerError(e) => {
                Counters::one(&counters.server_errors);
                self.failed(e.to_string());
            }
            Event::ClientError(ClientError::Other(text)) => self.failed(text),
            other => debug!(event = %other, "NATS connection"),
        }
        self.notify.notify_one();
    }

    fn failed(&self, error: String) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Only subscriptions to its own inbox begin with this; what follows is said in one sentence instead.
fn is_own_inbox(error: &str) -> bool {
    error.contains("Permissions Violation for Subscription to \"_INBOX")
}
