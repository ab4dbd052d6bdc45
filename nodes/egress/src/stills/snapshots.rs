//! Snapshots: a stream's newest picture as a JPEG file of the width asked for, made once for all that ask, on one thread that
//! carries no media and has a share of a core at most. Without the feature `snapshot` there are none.

use super::StillCounters;
use super::kept::Kept;
use super::still::Still;
use bytes::Bytes;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Sizes of one stream's pictures that are kept.
const MAX_VARIANTS: usize = 4;

/// A JPEG file and the picture it was made of.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) still: Arc<Still>,
    pub(crate) jpeg: Bytes,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSnapshot {
    #[error("too many pictures wait to be decoded")]
    Busy,
    #[error("the stream's {0} cannot be decoded here: {1}")]
    Undecodable(weft_wire::Codec, String),
    #[cfg_attr(
        feature = "snapshot",
        expect(dead_code, reason = "it says that the feature is off")
    )]
    #[error("this weft is built without snapshots; keyframe.h264 and keyframe.mp4 are there")]
    NotBuilt,
}

#[cfg(not(feature = "snapshot"))]
mod making {
    //! Nothing is made.

    use super::*;

    /// Of one stream: nothing.
    #[derive(Debug, Default)]
    pub(crate) struct Variants;

    /// Of a node: nothing.
    pub(crate) struct Snapshots;

    impl Snapshots {
        pub(crate) fn start(_: Arc<StillCounters>) -> Self {
            Self
        }

        pub(crate) async fn of(
            &self,
            _: &Kept,
            _: Arc<Still>,
            _: Option<u32>,
        ) -> Result<Arc<Snapshot>, NoSnapshot> {
            Err(NoSnapshot::NotBuilt)
        }
    }
}

#[cfg(feature = "snapshot")]
#[path = "making.rs"]
mod making;

pub(crate) use making::{Snapshots, Variants};

fn variants(kept: &Kept) -> MutexGuard<'_, Variants> {
    // Each change under this lock is an assignment.
    kept.variants.lock().unwrap_or_else(PoisonError::into_inner)
}
