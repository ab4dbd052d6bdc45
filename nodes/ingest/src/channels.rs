//! The events channels open on this node, within their bounds: at most 4 per session, so many in all.
//! What flows through them is said elsewhere.

use crate::counters::{Counters, add};
use crate::error::Error;
use crate::live::lock;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Channels one session may have: a page that is loaded again opens one before the old one is found broken.
const PER_SESSION: usize = 4;
/// Channels of a node whose publishers are not limited.
const WITHOUT_LIMIT: usize = 10_000;

/// The open channels.
pub(crate) struct Channels {
    most: usize,
    counters: Arc<Counters>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    count: usize,
    /// By session, oldest first; a channel whose sender is dropped ends.
    open: HashMap<Uuid, VecDeque<(u64, oneshot::Sender<()>)>>,
    over: bool,
}

/// One open channel; it counts until it is dropped.
pub(crate) struct Channel {
    channels: Arc<Channels>,
    secret: Uuid,
    id: u64,
    ended: oneshot::Receiver<()>,
}

impl Channels {
    /// For a node of so many publishers at most; 0: no limit.
    pub(crate) fn new(max_publishers: usize, counters: Arc<Counters>) -> Self {
        Self {
            most: match max_publishers {
                0 => WITHOUT_LIMIT,
                n => n.saturating_mul(2),
            },
            counters,
            table: Mutex::default(),
        }
    }

    /// Opens one more.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the node has as many as it may, or ends.
    pub(crate) fn open(self: &Arc<Self>, secret: Uuid) -> Result<Channel, Error> {
        let mut table = lock(&self.table);
        if table.over {
            return Err(Error::Unavailable("this node is shutting down".to_owned()));
        }
        let has = table.open.get(&secret).map_or(0, VecDeque::len);
        // overflow: of one session's channels the oldest ends; of all sessions' the newest is refused. Both are counted.
        if has >= PER_SESSION {
            table.open.get_mut(&secret).and_then(VecDeque::pop_front);
            table.count -= 1;
            add(&self.counters.events_ended_early, 1);
        } else if table.count >= self.most {
            add(&self.counters.events_refused, 1);
            return Err(Error::Unavailable("too many events channels are open".to_owned()));
        }
        let (sender, ended) = oneshot::channel();
        let id = table.next;
        table.next += 1;
        table.count += 1;
        table.open.entry(secret).or_default().push_back((id, sender));
        Ok(Channel {
            channels: Arc::clone(self),
            secret,
            id,
            ended,
        })
    }

    /// Ends all and opens no more.
    pub(crate) fn end(&self) {
        let mut table = lock(&self.table);
        table.over = true;
        table.count = 0;
        table.open.clear();
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        lock(&self.table).count
    }
}

impl Channel {
    /// Returns when the channel must end. Cancel-safe.
    pub(crate) async fn ended(&mut self) {
        // Its sender is dropped, never used.
        (&mut self.ended).await.ok();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let mut table = lock(&self.channels.table);
        let Some(own) = table.open.get_mut(&self.secret) else {
            return;
        };
        let before = own.len();
        own.retain(|(id, _)| *id != self.id);
        let gone = before - own.len();
        if own.is_empty() {
            table.open.remove(&self.secret);
        }
        table.count -= gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_session_has_four_and_the_oldest_gives_way() {
        let channels = Arc::new(Channels::new(0, Arc::default()));
        let secret = Uuid::from_u128(1);
        let mut open: Vec<_> = (0..6).map(|_| channels.open(secret).unwrap()).collect();
        assert_eq!(channels.count(), 4);
        let ended: Vec<bool> = (open.iter_mut())
            .map(|c| c.ended().now_or_never().is_some())
            .collect();
        assert_eq!(ended, [true, true, false, false, false, false]);
        drop(open.remove(0));
        assert_eq!(channels.count(), 4, "one that had ended counted no more");
        open.clear();
        assert_eq!(channels.count(), 0);
        assert!(lock(&channels.table).open.is_empty());
    }

    #[test]
    fn a_node_has_twice_as_many_as_publishers_and_none_after_its_end() {
        let channels = Arc::new(Channels::new(1, Arc::default()));
        let mut first = channels.open(Uuid::from_u128(1)).unwrap();
        let second = channels.open(Uuid::from_u128(2)).unwrap();
        assert!(channels.open(Uuid::from_u128(3)).is_err());
        drop(second);
        channels.open(Uuid::from_u128(3)).unwrap();
        assert_eq!(channels.count(), 1);
        assert!(first.ended().now_or_never().is_none());
        channels.end();
        assert!(first.ended().now_or_never().is_some());
        assert!(channels.open(Uuid::from_u128(4)).is_err());
        drop(first);
        assert_eq!(channels.count(), 0);
    }
}
