//! Taking a name: the compare-and-set of a newcomer whose media is there, and when an owner may be replaced.
//! The rules are design §7's; the session decides when to call.

use crate::config::SILENT_OWNER;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use weft_bus::{Bus, Claim, ClaimError, Registry, RequestError};
use weft_wire::{Epoch, NodeName, StreamName, StreamRecord};

/// Rounds of a contested claim before it is given up: each is lost only to a claim of somebody else.
const ROUNDS: usize = 8;
/// Questions to an owner that does not answer, and the time each gets: three in 1 s.
const OWNER_ASKED: u32 = 3;
const OWNER_TIME: Duration = Duration::from_millis(330);

/// A claim that was won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Won {
    pub(crate) epoch: Epoch,
    /// The node whose session lost the name, if there was one.
    pub(crate) over: Option<NodeName>,
}

/// Why a name could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// Its owner is there and is not to be replaced, or newcomers keep overtaking.
    #[error("the name is taken")]
    Taken,
    /// The registry is away: try again while the media is held.
    #[error(transparent)]
    Away(#[from] weft_bus::Error),
}

/// Claims `stream`; `override_publisher` says whether an owner that is well may be replaced.
pub(crate) async fn claim(
    bus: &dyn Bus,
    registry: &dyn Registry,
    stream: &StreamName,
    record: &StreamRecord,
    override_publisher: bool,
) -> Result<Won, Lost> {
    let mut on = Claim::Vacant;
    let mut over = None;
    for _ in 0..ROUNDS {
        match registry.claim(stream.clone(), record.clone(), on).await {
            Ok(epoch) => return Ok(Won { epoch, over }),
            Err(ClaimError::Held(held)) => {
                if !override_publisher && owner_is_well(bus, stream, true).await? {
                    return Err(Lost::Taken);
                }
                on = Claim::Over(held.epoch);
                over = Some(held.record.node);
            }
            Err(ClaimError::Changed) => {
                on = Claim::Vacant;
                over = None;
            }
            Err(ClaimError::Bus(error)) => return Err(Lost::Away(error)),
            // Of a newer bus: nothing that waiting would mend.
            Err(_) => return Err(Lost::Taken),
        }
    }
    Err(Lost::Taken)
}

/// True while the owner of `stream` answers and its media flows. With a record (`recorded`) the absence of an answer is
/// asked about again: its owner may have won its claim this very moment.
pub(crate) async fn owner_is_well(
    bus: &dyn Bus,
    stream: &StreamName,
    recorded: bool,
) -> Result<bool, weft_bus::Error> {
    let started = Instant::now();
    for attempt in 0..OWNER_ASKED {
        sleep_until(started + OWNER_TIME * attempt).await;
        match timeout(OWNER_TIME, bus.owner(stream.clone())).await {
            Ok(Ok(owner)) => return Ok(u128::from(owner.media_age_ms) < SILENT_OWNER.as_millis()),
            Ok(Err(RequestError::NoOwner)) if !recorded => return Ok(false),
            Ok(Err(RequestError::Bus(error))) => return Err(error),
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Ok(false)
}
