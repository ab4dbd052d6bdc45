//! Taking a name: the compare-and-set of a newcomer whose media is there, and when an owner may be replaced.
//! The rules are design §7's; the session decides when to call.

use crate::config::SILENT_OWNER;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use weft_bus::{Bus, Claim, ClaimError, Registry, RequestError};
use weft_wire::{Epoch, SessionId, StreamName, StreamRecord};

/// Rounds of a contested claim before it is given up: each is lost only to a claim of somebody else.
const ROUNDS: usize = 8;
/// A replica of the registry that is behind gets so long to catch up, each round.
const BEHIND: Duration = Duration::from_millis(50);
/// Questions to an owner that does not answer, and the time each gets: three in 1 s.
const OWNER_ASKED: u32 = 3;
const OWNER_TIME: Duration = Duration::from_millis(330);

/// What a newcomer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Replace an owner that is well.
    pub(crate) override_publisher: bool,
    /// Replace this session, from which its publisher comes, whatever the other rule says.
    pub(crate) moves: Option<SessionId>,
}

/// A claim that was won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Won {
    pub(crate) epoch: Epoch,
    /// Who lost the name by it, if anybody had it.
    pub(crate) over: Option<StreamRecord>,
}

/// Why a name could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// Its owner is well and not to be replaced.
    #[error("the name is in use")]
    Conflict,
    /// Newcomers keep overtaking.
    #[error("others took the name again and again")]
    Overtaken,
    /// The registry is away: try again while the media is held.
    #[error(transparent)]
    Away(#[from] weft_bus::Error),
}

/// Claims `stream` by the rules. `over` is who would lose the name by it: kept from one attempt to the next, since the answer
/// to a claim that was made may be lost.
pub(crate) async fn claim(
    bus: &dyn Bus,
    registry: &dyn Registry,
    stream: &StreamName,
    record: &StreamRecord,
    rules: Rules,
    over: &mut Option<StreamRecord>,
) -> Result<Won, Lost> {
    let mut on = Claim::Vacant;
    for _ in 0..ROUNDS {
        match registry.claim(stream.clone(), record.clone(), on).await {
            Ok(epoch) => {
                let over = over.take();
                return Ok(Won { epoch, over });
            }
            Err(ClaimError::Held(held)) => {
                let may = rules.override_publisher || rules.moves == Some(held.record.session);
                if on == Claim::Over(held.epoch) {
                    // Refused over the very record that is there: it was read from a replica that is behind.
                    sleep(BEHIND).await;
                }
                if !may && owner_is_well(bus, stream, rules.moves, true).await? {
                    return Err(Lost::Conflict);
                }
                // Exactly the record that was judged: a later one is judged anew.
                on = Claim::Over(held.epoch);
                *over = Some(held.record);
            }
            Err(ClaimError::Changed) => {
                on = Claim::Vacant;
                *over = None;
            }
            Err(ClaimError::Bus(error)) => return Err(Lost::Away(error)),
            // Of a newer bus: nothing that waiting would mend.
            Err(_) => return Err(Lost::Overtaken),
        }
    }
    Err(Lost::Overtaken)
}

/// True while the owner of `stream` answers, its media flows, and it is not the session that the newcomer comes from
/// (`moves`). With a record (`recorded`) the absence of an answer is asked about again: its owner may have won its claim
/// this very moment.
pub(crate) async fn owner_is_well(
    bus: &dyn Bus,
    stream: &StreamName,
    moves: Option<SessionId>,
    recorded: bool,
) -> Result<bool, weft_bus::Error> {
    let started = Instant::now();
    for attempt in 0..OWNER_ASKED {
        sleep_until(started + OWNER_TIME * attempt).await;
        match timeout(OWNER_TIME, bus.owner(stream.clone())).await {
            Ok(Ok(owner)) => {
                let flows = u128::from(owner.media_age_ms) < SILENT_OWNER.as_millis();
                return Ok(flows && moves != Some(owner.session));
            }
            Ok(Err(RequestError::NoOwner)) if !recorded => return Ok(false),
            Ok(Err(RequestError::Bus(error))) => return Err(error),
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Ok(false)
}
