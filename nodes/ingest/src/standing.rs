//! Whether a session still holds the name it won: looked at after each reconnect and every two minutes, and claimed anew
//! where the record has vanished (design §7, "Fail static"). What a loss or a new epoch means is the session's business.

use crate::live::Live;
use crate::ownership::{Fabric, is_outranked, record};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use weft_bus::{BusState, Claim, ClaimError};
use weft_wire::Epoch;

/// Time between two looks at a record, give or take a quarter.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(120);
/// The same when the last look failed.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// After a reconnect the sessions of a node look within this time, each at its own moment.
pub(crate) const SPREAD: Duration = Duration::from_secs(10);
/// Rounds of a claim made anew: each is lost only to a change by somebody else.
const ROUNDS: usize = 4;

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It stands.
    Kept,
    /// It could not be learnt: media that flows goes on.
    Unknown,
    /// The record was gone and is written anew.
    Anew(Epoch),
    /// Somebody else holds the name by a later claim.
    Lost,
}

/// Waits until it is time to look: within [`SPREAD`] after a connection other than `seen`, else after about `patience`.
/// Returns the number of the connection known then, and whether it is a new one.
pub(crate) async fn due(
    mut state: watch::Receiver<BusState>,
    seen: Option<u64>,
    patience: Duration,
) -> (Option<u64>, bool) {
    let connected = async {
        loop {
            match *state.borrow_and_update() {
                BusState::Connected(number) if Some(number) != seen => return number,
                _ => {}
            }
            if state.changed().await.is_err() {
                // The bus is gone for good.
                std::future::pending::<()>().await;
            }
        }
    };
    let jitter = patience.mul_f64(rand::random_range(0.75..1.25));
    tokio::select! {
        number = connected => {
            sleep(SPREAD.mul_f64(rand::random_range(0.0..1.0))).await;
            (Some(number), true)
        }
        () = sleep(jitter) => (seen, false),
    }
}

/// Looks at the record; `thorough`: asks on the stream's subject too, since words may have been missed. At most some 7 s.
pub(crate) async fn look(fabric: Fabric, live: Arc<Live>, thorough: bool) -> Standing {
    let own = live.status().epoch;
    match fabric.registry.lookup(live.stream.clone()).await {
        Ok(Some(held)) if held.record.session == live.id => {
            if held.epoch > own {
                // By a claim made anew whose answer never came.
                Standing::Anew(held.epoch)
            } else if thorough && is_outranked(&fabric, &live, own).await {
                Standing::Lost
            } else {
                Standing::Kept
            }
        }
        Ok(Some(held)) if held.epoch > own => Standing::Lost,
        // A table of the past, or none: the higher epoch is the owner, and that may be us.
        Ok(held) => {
            let on = held.map_or(Claim::Vacant, |held| Claim::Over(held.epoch));
            claim_anew(&fabric, &live, own, on).await
        }
        Err(_) if is_outranked(&fabric, &live, own).await => Standing::Lost,
        Err(_) => Standing::Unknown,
    }
}

async fn claim_anew(fabric: &Fabric, live: &Live, own: Epoch, mut on: Claim) -> Standing {
    if is_outranked(fabric, live, own).await {
        return Standing::Lost;
    }
    let record = record(live, live.status().since);
    for _ in 0..ROUNDS {
        if live.status().ended.is_some() {
            return Standing::Kept;
        }
        let claimed = fabric.registry.claim(live.stream.clone(), record.clone(), on);
        match claimed.await {
            Ok(epoch) if epoch > own => return Standing::Anew(epoch),
            // It had been there all the time: what was read was out of date.
            Ok(epoch) if epoch == own => return Standing::Kept,
            Ok(epoch) => {
                // A table whose numbers went back. Hubs would refuse the lower epoch, so the old one goes on.
                tracing::error!(stream = %live.stream, session = %live.id, %own, %epoch, "the registry gave a lower epoch than before");
                return Standing::Kept;
            }
            Err(ClaimError::Held(held)) if held.record.session == live.id => {
                let later = held.epoch > own;
                return if later {
                    Standing::Anew(held.epoch)
                } else {
                    Standing::Kept
                };
            }
            Err(ClaimError::Held(held)) if held.epoch > own => return Standing::Lost,
            Err(ClaimError::Held(held)) => on = Claim::Over(held.epoch),
            Err(ClaimError::Changed) => on = Claim::Vacant,
            Err(_) => return Standing::Unknown,
        }
    }
    Standing::Unknown
}
