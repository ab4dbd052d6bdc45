//! A publisher's life from its offer to its end, with all actors on the test's thread.
//! Paused time drives their timers; here is what the tests share.

mod fabric;
mod life;
mod moving;
mod ownership;
mod real;
mod standing;

use crate::Ingest;
use crate::error::Error;
use crate::live::Client;
use crate::messages::{Find, Found, Publish, Published};
use crate::testing::{FakePeer, Source, feed, lock, made, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::{Delivery, Subscription};
use weft_rtc::MediaReceiver;
use weft_wire::{CloseReason, Epoch, SessionId, StreamState, UnitBatch};

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One publisher with its source.
struct Camera {
    published: Published,
    peer: Arc<FakePeer>,
    receiver: Box<dyn MediaReceiver>,
    source: Source,
}

impl Camera {
    async fn try_offer(ingest: &Ingest) -> Result<Self, Error> {
        Self::try_moving(ingest, None).await
    }

    /// An offer that comes from a session, whose secret it has shown.
    async fn try_moving(ingest: &Ingest, moves: Option<SessionId>) -> Result<Self, Error> {
        let publish = Publish {
            stream: stream("test"),
            offer: String::new(),
            client: Client::default(),
            reached_at: None,
            moves,
        };
        let published = ingest.state.sessions.send(publish).await.unwrap()?;
        let (peer, receiver) = made();
        Ok(Self {
            published,
            peer,
            receiver,
            source: Source::video(),
        })
    }

    async fn offer(ingest: &Ingest) -> Self {
        Self::try_offer(ingest).await.unwrap()
    }

    /// Sends a picture and lets everybody take note.
    async fn send(&mut self, key: bool) {
        feed(&mut *self.receiver, self.source.unit(key, 500));
        sleep(ms(5)).await;
    }

    /// Sends for `time`, a picture every 40 ms, the first one key.
    async fn stream_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let mut key = true;
        while Instant::now() < until {
            feed(
                &mut *self.receiver,
                self.source.unit(std::mem::take(&mut key), 500),
            );
            sleep(ms(40)).await;
        }
    }

    fn state(&self) -> StreamState {
        self.published.live.status().state
    }

    fn epoch(&self) -> Epoch {
        self.published.live.status().epoch
    }

    fn closed(&self) -> Vec<CloseReason> {
        lock(&self.peer.closed).clone()
    }
}

async fn found(ingest: &Ingest, camera: &Camera) -> Found {
    ingest
        .state
        .sessions
        .send(Find(camera.published.secret))
        .await
        .unwrap()
}

fn units(subscription: &mut Subscription) -> Vec<UnitBatch> {
    std::iter::from_fn(|| subscription.try_recv())
        .filter_map(|d| match d {
            Delivery::Units(batch) => Some(batch),
            _ => None,
        })
        .collect()
}
