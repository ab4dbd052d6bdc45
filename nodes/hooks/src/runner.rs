//! Runs commands: while something lasts, again after a pause where they are to be, or once; never more than a bound.
//! What a single one goes through is `process`; which command belongs to what is the desk's.

use crate::counters::{Counters, one};
use crate::environment::Environment;
use crate::limiter::Limiter;
use crate::process::{self, Ends};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use weft_config::Command;

/// Commands that may run at once on this node.
pub(crate) const MAX_RUNNING: usize = 256;
/// From the end of a command to its restart (MediaMTX's pause).
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// At the end of the node commands get so long to end before they are killed,
const LAST_MOMENT: Duration = Duration::from_millis(1500);
/// and so long to be gone then.
const KILLED: Duration = Duration::from_millis(500);

/// A command that runs, is being restarted, or has ended by itself. Dropping it ends the command.
#[derive(Debug)]
pub struct Running {
    _end: DropGuard,
    over: CancellationToken,
}

impl Running {
    /// True once it has ended by itself and is not to be started again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }
}

/// Runs commands; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Runner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Semaphore,
    counters: Arc<Counters>,
    tasks: TaskTracker,
    /// The node ends: what is kept running is interrupted,
    over: CancellationToken,
    /// and some time later everything is killed.
    hurry: CancellationToken,
    limiter: Limiter,
}

impl Runner {
    pub(crate) fn new(counters: Arc<Counters>, places: usize) -> Self {
        Self(Arc::new(Inner {
            places: Semaphore::new(places),
            counters,
            tasks: TaskTracker::new(),
            over: CancellationToken::new(),
            hurry: CancellationToken::new(),
            limiter: Limiter::new(1, Duration::from_secs(1)),
        }))
    }

    /// Runs a command until the value returned is dropped; `what` is its key in the configuration.
    pub(crate) fn keep(&self, what: &'static str, command: &Command, environment: Environment) -> Running {
        let over = self.0.over.child_token();
        let ends = Ends {
            over: over.clone(),
            hurry: self.0.hurry.clone(),
        };
        let (inner, command) = (Arc::clone(&self.0), command.clone());
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        self.0.tasks.spawn(async move {
            let _end = end;
            loop {
                inner.run(what, &command.line, &environment, &ends).await;
                if !command.restart || ends.over.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = sleep(RESTART_PAUSE) => {}
                    () = ends.over.cancelled() => return,
                }
            }
        });
        Running {
            _end: over.drop_guard(),
            over: ended,
        }
    }

    /// Runs a command to its end.
    pub(crate) fn once(&self, what: &'static str, command: &Command, environment: Environment) {
        let ends = Ends {
            over: CancellationToken::new(),
            hurry: self.0.hurry.clone(),
        };
        let (inner, line) = (Arc::clone(&self.0), command.line.clone());
        let run = async move { inner.run(what, &line, &environment, &ends).await };
        self.0.tasks.spawn(run);
    }

    /// Ends every command: within 2 s none is left.
    pub(crate) async fn shutdown(&self) {
        self.0.over.cancel();
        self.0.tasks.close();
        if timeout(LAST_MOMENT, self.0.tasks.wait()).await.is_err() {
            self.0.hurry.cancel();
            if timeout(KILLED, self.0.tasks.wait()).await.is_err() {
                tracing::warn!(left = self.0.tasks.len(), "commands of hooks did not end in time");
            }
        }
    }
}

impl Inner {
    async fn run(&self, what: &'static str, line: &str, environment: &Environment, ends: &Ends) {
        let counters = &self.counters;
        // overflow: not run, counted; one that is restarted tries again after its pause.
        let Ok(_place) = self.places.try_acquire() else {
            one(&counters.refused);
            if let Some(more) = self.limiter.pass() {
                let stream = environment.stream();
                tracing::warn!(
                    what,
                    stream,
                    more,
                    "command not run: too many commands of hooks run"
                );
            }
            return;
        };
        counters.running.fetch_add(1, Relaxed);
        let ended = process::run(line, environment, what, ends, counters).await;
        counters.running.fetch_sub(1, Relaxed);
        let why = match ended {
            Ok(None) => return,
            Ok(Some(status)) if status.success() => {
                tracing::debug!(what, "command ended");
                return;
            }
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        one(&counters.failed);
        if let Some(more) = self.limiter.pass() {
            // Without its line: it may hold a password.
            let stream = environment.stream();
            tracing::warn!(what, stream, why, more, "command failed");
        }
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
