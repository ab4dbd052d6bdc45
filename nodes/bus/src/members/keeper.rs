//! Keeps this node's lease: renewed in time, within a second when there is something to tell, given up at the end.
//! A lease that cannot be renewed changes nothing here: media that flows goes on, and only the log says so.

use super::Members;
use crate::throttle::Throttle;
use crate::{Error, LEASE_RENEWAL, LeaseError, Leases};
use futures::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};
use weft_wire::{Guest, NodeName, NodeRecord};

/// After a renewal that failed: whoever was away is among the others again soon after it is back.
const RETRY: Duration = Duration::from_secs(1);
/// Between two writes, whatever there is to tell; and between two looks whether there is.
const APART: Duration = Duration::from_secs(1);
/// A fullness that moved by this much is news.
const NEWS: f64 = 0.05;
const LOG_PERIOD: Duration = Duration::from_secs(30);

/// How this node stands among the others.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It has no lease, and none is given up: not joined yet, or none is kept at all.
    Outside,
    /// It has had its lease; the table may be away by now.
    Joined,
    /// Another live run holds its name, as this record says.
    Held {
        /// The other's record.
        by: Box<NodeRecord>,
        /// This node had the lease before: it goes on with what it carries. If it never had it, it must not go on.
        after_joining: bool,
    },
    /// It gave its lease up.
    Left,
}

/// Keeps the lease until it is dropped (the lease then expires) or told to leave.
pub struct Keeper {
    leases: Arc<dyn Leases>,
    members: Members,
    task: JoinHandle<()>,
}

impl Keeper {
    pub(super) async fn start(leases: Arc<dyn Leases>, members: Members) -> Result<Self, LeaseError> {
        let mut keeping = Keeping {
            leases: leases.clone(),
            members: members.clone(),
            joined: false,
            told: None,
            say: Throttle::new(LOG_PERIOD),
        };
        let first = keeping.keep().await;
        if let Err(held @ LeaseError::Held(_)) = first {
            return Err(held);
        }
        let task = tokio::spawn(keeping.keep_on(first.is_ok()));
        Ok(Self {
            leases,
            members,
            task,
        })
    }

    /// Gives the lease up, so that the others know at once. Waits 2 s at most.
    ///
    /// # Errors
    /// If the table is away: the lease then expires.
    pub async fn leave(mut self) -> Result<(), Error> {
        self.task.abort();
        // A write on its way must not land after the release.
        drop((&mut self.task).await);
        let node = self.members.node().clone();
        let released = self.leases.release(node, self.members.own()).await;
        self.members.shared.standing.send_replace(Standing::Left);
        released
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeping {
    leases: Arc<dyn Leases>,
    members: Members,
    joined: bool,
    /// As last written.
    told: Option<NodeRecord>,
    say: Throttle,
}

impl Keeping {
    async fn keep_on(mut self, mut well: bool) {
        loop {
            let written = Instant::now();
            let due = written + if well { LEASE_RENEWAL } else { RETRY };
            let mut look = written + APART;
            loop {
                tokio::select! {
                    () = sleep_until(look.min(due)) => {}
                    () = self.members.shared.changed.notified() => {
                        sleep_until(written + APART).await;
                        break;
                    }
                }
                if look >= due || self.has_news() {
                    break;
                }
                look += APART;
            }
            // What was to be told until now is told by the write that follows.
            let _told = self.members.shared.changed.notified().now_or_never();
            well = self.keep().await.is_ok();
        }
    }

    /// Whether the others would choose otherwise if they knew what this node carries by now.
    fn has_news(&self) -> bool {
        let (Some(told), now) = (&self.told, self.members.own()) else {
            return false;
        };
        [Guest::Publisher, Guest::Reader].into_iter().any(|guest| {
            let moved = (now.fullness(guest) - told.fullness(guest)).abs();
            now.takes(guest) != told.takes(guest) || moved >= NEWS
        })
    }

    async fn keep(&mut self) -> Result<(), LeaseError> {
        let (node, record) = (self.members.node().clone(), self.members.own());
        let kept = self.leases.keep(node.clone(), record.clone()).await;
        if kept.is_ok() {
            self.told = Some(record);
        }
        self.tell(&node, &kept);
        kept
    }

    fn tell(&mut self, node: &NodeName, kept: &Result<(), LeaseError>) {
        let standing = match kept {
            Ok(()) => {
                if !self.joined {
                    info!(%node, "among the nodes of the fabric");
                }
                self.joined = true;
                self.say.reset();
                Standing::Joined
            }
            Err(error @ LeaseError::Held(by)) => {
                // A node that was never among the others ends or tries otherwise, and says so itself.
                if self.joined && self.say.allow() {
                    error!(%node, "{error}");
                }
                Standing::Held {
                    by: by.clone(),
                    after_joining: self.joined,
                }
            }
            Err(error) => {
                if self.say.allow() {
                    warn!(%node, %error, "this node's lease cannot be renewed; what it carries goes on");
                }
                return;
            }
        };
        self.members.shared.standing.send_if_modified(|old| {
            let changed = *old != standing;
            *old = standing;
            changed
        });
    }
}
