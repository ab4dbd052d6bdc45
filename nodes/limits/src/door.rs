//! The open connections of a port: how many there are, how many of one address, and who goes when there is no more room.
//! Accepting and closing them is each server's business.

use crate::{Share, Shares};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// What a port may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Open connections in all.
    pub total: usize,
    /// Open connections of one address; 0: no limit.
    pub per_address: usize,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// This address has as many as it may.
    #[error("too many connections from this address")]
    Address,
    /// The port has as many as it may, and each of them has asked for something.
    #[error("too many connections")]
    Port,
}

/// A port's open connections; cheap to clone, clones are one.
#[derive(Debug, Clone, Default)]
pub struct Door {
    shares: Shares,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    open: usize,
    next: u64,
    /// Those that have not asked for anything yet, oldest first, with the means to send them away.
    silent: BTreeMap<u64, oneshot::Sender<()>>,
}

/// An open connection; it counts until it is dropped.
#[derive(Debug)]
pub struct Guest {
    inside: Arc<Mutex<Inside>>,
    id: u64,
    fate: Fate,
    _share: Option<Share>,
}

/// Whether a connection may stay.
#[derive(Debug)]
enum Fate {
    /// Until the word comes that it must go, or it has spoken.
    Open(oneshot::Receiver<()>),
    Settled,
    SentAway,
}

impl Door {
    /// Lets a connection in. Where the port is full, the oldest that has not asked for anything yet must go: a flood of
    /// connections that say nothing keeps nobody out who does.
    ///
    /// # Errors
    /// [`Full`] when there is no place and nobody has to go.
    pub fn enter(&self, ip: IpAddr, bounds: Bounds) -> Result<Guest, Full> {
        let share = Some(self.shares.take(ip, bounds.per_address).ok_or(Full::Address)?);
        self.place(share, bounds.total)
    }

    /// The same for whoever comes through a trusted proxy: its address says nothing of the client.
    ///
    /// # Errors
    /// [`Full::Port`].
    pub fn enter_by_proxy(&self, bounds: Bounds) -> Result<Guest, Full> {
        self.place(None, bounds.total)
    }

    fn place(&self, share: Option<Share>, total: usize) -> Result<Guest, Full> {
        let (sender, word) = oneshot::channel();
        let mut inside = lock(&self.inside);
        // overflow: the oldest silent one goes, else the newcomer is refused; the caller counts either.
        // One that must go is counted until it has gone, so that there are never more than twice as many.
        if inside.open >= total {
            let room = inside.open < total.saturating_mul(2);
            let oldest = if room { inside.silent.pop_first() } else { None };
            let (_, sender) = oldest.ok_or(Full::Port)?;
            // It may be leaving by itself.
            sender.send(()).ok();
        }
        let id = inside.next;
        inside.next += 1;
        inside.open += 1;
        inside.silent.insert(id, sender);
        Ok(Guest {
            inside: Arc::clone(&self.inside),
            id,
            fate: Fate::Open(word),
            _share: share,
        })
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        lock(&self.inside).open
    }
}

impl Guest {
    /// It has asked for something: it has its place from now on.
    pub fn spoke(&self) {
        lock(&self.inside).silent.remove(&self.id);
    }

    /// Ready when it must go for others; never once it has spoken.
    pub fn poll_sent_away(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Fate::Open(word) = &mut self.fate else {
            return match self.fate {
                Fate::SentAway => Poll::Ready(()),
                _ => Poll::Pending,
            };
        };
        match Pin::new(word).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                self.fate = Fate::SentAway;
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => {
                self.fate = Fate::Settled;
                Poll::Pending
            }
        }
    }

    /// Resolves when it must go for others; never once it has spoken. Cancel-safe.
    pub async fn sent_away(&mut self) {
        poll_fn(|context| self.poll_sent_away(context)).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = lock(&self.inside);
        inside.open -= 1;
        inside.silent.remove(&self.id);
    }
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BOUNDS: Bounds = Bounds {
        total: 3,
        per_address: 2,
    };

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    async fn must_go(guest: &mut Guest) -> bool {
        tokio::time::timeout(Duration::from_millis(10), guest.sent_away())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_port_sends_the_oldest_silent_connection_away_and_none_that_spoke() {
        let door = Door::default();
        let mut first = door.enter(ip(1), BOUNDS).unwrap();
        let mut second = door.enter(ip(1), BOUNDS).unwrap();
        let mut third = door.enter(ip(2), BOUNDS).unwrap();
        first.spoke();
        let newcomer = door.enter(ip(3), BOUNDS).unwrap();
        assert!(!must_go(&mut first).await && must_go(&mut second).await && !must_go(&mut third).await);
        drop(second);
        third.spoke();
        newcomer.spoke();
        assert!(!must_go(&mut third).await);
        assert_eq!(door.enter(ip(4), BOUNDS).unwrap_err(), Full::Port);
        drop(first);
        assert_eq!(door.open(), 2);
        door.enter(ip(4), BOUNDS).unwrap();
    }

    #[tokio::test]
    async fn an_address_has_its_bound_and_a_proxy_has_none() {
        let door = Door::default();
        let _two = [
            door.enter(ip(1), BOUNDS).unwrap(),
            door.enter(ip(1), BOUNDS).unwrap(),
        ];
        assert_eq!(door.enter(ip(1), BOUNDS).unwrap_err(), Full::Address);
        let _by_proxy = door.enter_by_proxy(BOUNDS).unwrap();
        assert_eq!(door.open(), 3);
    }
}
