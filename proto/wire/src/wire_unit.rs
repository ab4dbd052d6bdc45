//! Access units as MessagePack: encoded from borrowed bytes in one copy, decoded without any.
//! A unit larger than the server allows travels in parts; gluing them together is the bus's work.

use crate::{
    AccessUnit, CaptureSource, CaptureTime, Epoch, Error, GopSeq, MediaTime, SentTime, SessionId, TrackId,
    UnitBatch, UnitFlags, UnitSeq,
};
use bytes::Bytes;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Version written first in every message of this release. Fields are only appended within a version.
pub const WIRE_VERSION: u64 = 1;
/// Size of one part of a unit that does not fit in one message, in bytes of `data`.
pub const PART_BYTES: usize = 512 * 1024;
/// The largest unit accepted anywhere, in bytes of `data`; a larger one is dropped, counted, and a keyframe asked for.
pub const MAX_UNIT_BYTES: usize = 4 * 1024 * 1024;

/// The most parts a unit may come in: a server whose own limit is low (64 KiB at least) gets smaller parts.
pub const MAX_PARTS: u16 = 128;

/// Which part of its unit a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitPart {
    /// From 0.
    pub part: u16,
    /// How many there are, at least 1.
    pub parts: u16,
}

impl UnitPart {
    /// The only part of a unit that fits in one message.
    pub const WHOLE: Self = Self { part: 0, parts: 1 };
}

/// One unit, or one part of it, as it stands in a message. Order of fields is the wire's.
#[derive(Serialize)]
struct UnitRef<'a> {
    track: u8,
    seq: u64,
    gop: u64,
    pts: i64,
    dts: i64,
    capture: i64,
    capture_source: u8,
    capture_offset: i64,
    sent: u64,
    flags: u8,
    part: u16,
    parts: u16,
    data: &'a serde_bytes::Bytes,
}

#[derive(Serialize)]
struct BatchRef<'a, U> {
    version: u64,
    session: &'a SessionId,
    generation: u64,
    revision: u64,
    units: U,
}

impl<'a> UnitRef<'a> {
    fn new(u: &'a AccessUnit, part: UnitPart, data: &'a [u8]) -> Self {
        Self {
            track: u.track.0,
            seq: u.seq.0,
            gop: u.gop.0,
            pts: u.pts.0,
            dts: u.dts.0,
            capture: u.capture.0,
            capture_source: u.capture_source as u8,
            capture_offset: u.capture_offset,
            sent: u.sent.0,
            flags: u.flags.0,
            part: part.part,
            parts: part.parts,
            data: serde_bytes::Bytes::new(data),
        }
    }
}

fn write<U: Serialize>(session: &SessionId, epoch: Epoch, units: U, capacity: usize) -> Bytes {
    let mut out = Vec::with_capacity(capacity);
    let batch = BatchRef {
        version: WIRE_VERSION,
        session,
        generation: epoch.generation,
        revision: epoch.revision,
        units,
    };
    // Writing to a Vec cannot fail, and every type here has a MessagePack form.
    batch
        .serialize(&mut rmp_serde::Serializer::new(&mut out))
        .expect("a batch always has a MessagePack form");
    Bytes::from(out)
}

/// Overhead of the message around its units, and of each unit around its data: upper bounds in bytes.
const BATCH_OVERHEAD: usize = 48;
const UNIT_OVERHEAD: usize = 96;

/// What [`encode_batch`] may need at most, in bytes.
#[must_use]
pub fn batch_bound(units: &[AccessUnit]) -> usize {
    BATCH_OVERHEAD + units.iter().map(|u| u.data.len() + UNIT_OVERHEAD).sum::<usize>()
}

/// Encodes whole units as one message. An empty batch says nothing: receivers pass over it, and the bus sends it to learn
/// whether anybody listens.
#[must_use]
pub fn encode_batch(batch: &UnitBatch) -> Bytes {
    let units: Vec<UnitRef<'_>> = batch
        .units
        .iter()
        .map(|u| UnitRef::new(u, UnitPart::WHOLE, &u.data))
        .collect();
    write(&batch.session, batch.epoch, units, batch_bound(&batch.units))
}

/// Encodes one part of one unit; `data` is that part's share of `unit.data`.
#[must_use]
pub fn encode_part(
    session: &SessionId,
    epoch: Epoch,
    unit: &AccessUnit,
    part: UnitPart,
    data: &[u8],
) -> Bytes {
    write(
        session,
        epoch,
        [UnitRef::new(unit, part, data)],
        data.len() + UNIT_OVERHEAD + BATCH_OVERHEAD,
    )
}

/// Decodes a message; the units' data are slices of `message`, nothing is copied. Units come with the part they are.
///
/// # Errors
/// [`Error::Malformed`] if it is no such message, [`Error::OutOfBounds`] for impossible parts, [`Error::Version`] for 0.
pub fn decode_batch(message: &Bytes) -> Result<(UnitBatch, Vec<UnitPart>), Error> {
    let raw: RawBatch<'_> = rmp_serde::from_slice(message)?;
    if raw.version == 0 {
        return Err(Error::Version(0));
    }
    let mut units = Vec::with_capacity(raw.units.len());
    let mut parts = Vec::with_capacity(raw.units.len());
    for u in raw.units {
        if u.part.parts == 0 || u.part.part >= u.part.parts {
            return Err(Error::OutOfBounds {
                field: "part",
                value: u64::from(u.part.part),
            });
        }
        if u.part.parts > MAX_PARTS {
            return Err(Error::OutOfBounds {
                field: "parts",
                value: u64::from(u.part.parts),
            });
        }
        if u.data.len() > MAX_UNIT_BYTES {
            return Err(Error::OutOfBounds {
                field: "data",
                value: u.data.len() as u64,
            });
        }
        parts.push(u.part);
        units.push(AccessUnit {
            data: message.slice_ref(u.data),
            ..u.unit
        });
    }
    let epoch = Epoch {
        generation: raw.generation,
        revision: raw.revision,
    };
    Ok((
        UnitBatch {
            session: raw.session,
            epoch,
            units,
        },
        parts,
    ))
}

struct RawUnit<'a> {
    unit: AccessUnit,
    part: UnitPart,
    data: &'a [u8],
}

struct RawBatch<'a> {
    version: u64,
    session: SessionId,
    generation: u64,
    revision: u64,
    units: Vec<RawUnit<'a>>,
}

/// The next field, or the error that names the missing one.
fn field<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
    seq: &mut A,
    name: &'static str,
) -> Result<T, A::Error> {
    seq.next_element()?
        .ok_or_else(|| serde::de::Error::missing_field(name))
}

fn skip_rest<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de> Deserialize<'de> for RawUnit<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawUnit<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an access unit")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut s: A) -> Result<RawUnit<'de>, A::Error> {
                let unit = AccessUnit {
                    track: TrackId(field(&mut s, "track")?),
                    seq: UnitSeq(field(&mut s, "seq")?),
                    gop: GopSeq(field(&mut s, "gop")?),
                    pts: MediaTime(field(&mut s, "pts")?),
                    dts: MediaTime(field(&mut s, "dts")?),
                    capture: CaptureTime(field(&mut s, "capture")?),
                    capture_source: CaptureSource::from_wire(field(&mut s, "capture_source")?),
                    capture_offset: field(&mut s, "capture_offset")?,
                    sent: SentTime(field(&mut s, "sent")?),
                    flags: UnitFlags(field(&mut s, "flags")?),
                    data: Bytes::new(),
                };
                let part = UnitPart {
                    part: field(&mut s, "part")?,
                    parts: field(&mut s, "parts")?,
                };
                let data: &'de serde_bytes::Bytes = field(&mut s, "data")?;
                skip_rest(&mut s)?;
                Ok(RawUnit { unit, part, data })
            }
        }
        d.deserialize_seq(V)
    }
}

impl<'de> Deserialize<'de> for RawBatch<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawBatch<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a batch of access units")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut s: A) -> Result<RawBatch<'de>, A::Error> {
                let raw = RawBatch {
                    version: field(&mut s, "version")?,
                    session: field(&mut s, "session")?,
                    generation: field(&mut s, "generation")?,
                    revision: field(&mut s, "revision")?,
                    units: field(&mut s, "units")?,
                };
                skip_rest(&mut s)?;
                Ok(raw)
            }
        }
        d.deserialize_seq(V)
    }
}
