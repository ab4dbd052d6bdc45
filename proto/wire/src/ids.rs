//! Numbers that must not be confused with each other: tracks, epochs, sequences, sessions, incarnations.
//! None of them has arithmetic beyond "the next one".

use serde::{Deserialize, Serialize};
use std::fmt;

/// A track inside a stream: 0 for the first video, 1 for the first audio by custom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackId(pub u8);

/// Which publisher session of a stream: (creation time of the registry bucket, revision of the claim), compared in that
/// order. The higher one fences the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch {
    /// Creation time of the registry's bucket (µs since 1970), or of the process when the registry is in memory.
    pub generation: u64,
    /// Revision of the claim inside that bucket; 0 is no claim at all.
    pub revision: u64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.revision)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                // A number from the wire may be the last there is.
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

counter! {
    /// Place of a unit in its session, over all tracks, from 0, without holes: a hole at a hub is a loss.
    /// It goes on when the same session claims a new epoch.
    UnitSeq
}
counter! {
    /// Which group of pictures of the session: rises by one at each key unit; audio carries the running one.
    GopSeq
}
counter! {
    /// One run of a node's process: microseconds since 1970 at its start.
    Incarnation
}

/// One publisher's session, random, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Display for SessionId {
    /// The usual 8-4-4-4-12 form of a UUID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, b) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{b:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<16>::deserialize(d).map(|b| Self(b.into_array()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_bucket_outranks_every_revision_of_the_old_one() {
        let old = Epoch {
            generation: 1,
            revision: 900,
        };
        let new = Epoch {
            generation: 2,
            revision: 1,
        };
        assert!(new > old);
        assert!(
            Epoch {
                generation: 2,
                revision: 2
            } > new
        );
    }
}
