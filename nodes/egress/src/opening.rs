//! How a hub begins: it finds the owner and subscribes, or waits for a publisher to come, until somebody closes it or
//! nobody waits any more. What follows, from the first unit on, is in `task`.

use crate::counters::add;
use crate::egress::Inner;
use crate::hub::{Command, Opening, Shared, TRY_AGAIN};
use crate::task::Hub;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};
use weft_bus::{Delivery, MediaFilter, RequestError, Subscription};
use weft_rtsp_server::Refusal;
use weft_wire::{OwnerInfo, StreamState};

/// How long the owner's answer is waited for.
const OWNER_LIMIT: Duration = Duration::from_secs(3);
/// While nobody owns the stream its owner is asked for this often: media on the subscription says sooner that there is one,
const ASK_EVERY: Duration = Duration::from_secs(2);
/// but even then no more often than this.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(250);

type Found = (OwnerInfo, Subscription);

impl Hub {
    /// Finds the owner and subscribes; where a description may wait, goes on until there is one.
    pub(crate) async fn open(&mut self) -> Result<Subscription, Refusal> {
        let search = search(&self.egress, &self.shared, &self.opening);
        tokio::pin!(search);
        let (owner, subscription) = loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    // Nobody holds a description yet that could be joined with.
                    Some(Command::Join(_, reply)) => drop(reply.send(Err(Refusal::Unavailable(TRY_AGAIN)))),
                    Some(Command::Tap(_, reply)) => drop(reply.send(Err(Refusal::Unavailable(TRY_AGAIN)))),
                    Some(Command::Close(_)) | None => return Err(Refusal::Unavailable(TRY_AGAIN)),
                },
                found = &mut search => break found?,
            }
        };
        add(&self.shared.counters.hubs_opened, 1);
        debug!(stream = %self.shared.stream, other = %owner.node, epoch = %owner.epoch, "owner found");
        self.described = owner.tracks;
        Ok(subscription)
    }
}

/// The owner first, then the subscription: a name that nobody owns costs one question. Only where somebody waits for it the
/// other way round.
async fn search(egress: &Inner, shared: &Shared, opening: &watch::Sender<Opening>) -> Result<Found, Refusal> {
    match owner(egress, shared).await? {
        Some(owner) => return Ok((owner, subscribe(egress, shared).await?)),
        None if egress.patience(&shared.stream).is_none() => return Err(Refusal::NotFound),
        None => {}
    }
    let mut subscription = subscribe(egress, shared).await?;
    opening.send_replace(Opening::Absent);
    let mut asked = Instant::now();
    loop {
        if !shared.is_held() {
            return Err(Refusal::NotFound);
        }
        tokio::select! {
            () = shared.nudge.notified() => continue,
            () = sleep_until(asked + ASK_EVERY) => {}
            heard = subscription.recv() => match heard {
                Some(Delivery::Units(_)) => sleep_until(asked + ASK_AT_MOST_EVERY).await,
                Some(Delivery::Ended(_)) => continue,
                None => return Err(Refusal::Unavailable(TRY_AGAIN)),
            },
        }
        asked = Instant::now();
        // A bus that is away for a moment ends nobody's patience.
        if let Ok(Some(owner)) = owner(egress, shared).await {
            opening.send_replace(Opening::Pending);
            return Ok((owner, subscription));
        }
    }
}

/// The owner, if media may come from it.
async fn owner(egress: &Inner, shared: &Shared) -> Result<Option<OwnerInfo>, Refusal> {
    let stream = &shared.stream;
    match timeout(OWNER_LIMIT, egress.bus.owner(stream.clone())).await {
        Ok(Ok(owner)) if owner.state == StreamState::Waiting => Ok(None),
        Ok(Ok(owner)) => Ok(Some(owner)),
        Ok(Err(RequestError::NoOwner)) => Ok(None),
        Ok(Err(error)) => {
            warn!(%stream, %error, "cannot open stream");
            Err(Refusal::Unavailable(TRY_AGAIN))
        }
        Err(_) => Err(Refusal::Unavailable(TRY_AGAIN)),
    }
}

async fn subscribe(egress: &Inner, shared: &Shared) -> Result<Subscription, Refusal> {
    let stream = &shared.stream;
    let subscription = egress.bus.subscribe(stream.clone(), MediaFilter::All).await;
    subscription.map_err(|error| {
        warn!(%stream, %error, "cannot subscribe to stream");
        Refusal::Unavailable(TRY_AGAIN)
    })
}
