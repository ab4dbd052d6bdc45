//! The words between the repair and the hub: what is to be asked of the owner, what its answer says, what comes out in order.
//! When to ask, and what follows from an answer, is the repair's business.

use weft_wire::{AccessUnit, SessionId, TrackInfo, UnitSeq, UnitsFrom, UnitsRequest};

/// A question for the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The newest group of pictures of whoever owns the stream.
    Newest,
    /// This session's units from here to there, or to the newest.
    Range(SessionId, UnitSeq, Option<UnitSeq>),
}

impl Ask {
    pub(crate) fn request(self) -> UnitsRequest {
        match self {
            Self::Newest => UnitsRequest {
                from: UnitsFrom::NewestGop,
                until: None,
                session: None,
                key_only: false,
            },
            Self::Range(session, from, until) => UnitsRequest {
                from: UnitsFrom::Seq(from),
                until,
                session: Some(session),
                key_only: false,
            },
        }
    }
}

/// What comes out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Out {
    /// Another session's units follow; its tracks where they are known.
    Session(Option<Vec<TrackInfo>>),
    /// The next unit.
    Unit(AccessUnit),
    /// So many units are missing here for good.
    Lost(u64),
}

/// What an answer says of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It answered.
    Here,
    /// Nobody answers for the stream.
    Gone,
    /// Nothing: the bus or the owner did not answer in time.
    Unknown,
}
