//! RTP payloads to H.264 access units: single NAL units, STAP-A, FU-A (RFC 6184 §5.6 to §5.8), packetization modes 0 and 1.
//! A unit that is not whole for certain is dropped whole; nothing the network sends makes it panic or grow without bound.

use super::{FU_A, NalKind, ParameterSets, STAP_A};
use crate::{Damage, Depacketised, DepacketisedUnit, Packet};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use weft_wire::MAX_UNIT_BYTES;

/// Most parameter sets that come with one unit; all that the store can hold.
const MAX_UNIT_SETS: usize = 32;
/// First guess of a unit's size, and what a buffer keeps after a damaged unit, in bytes.
const SMALL: usize = 16 * 1024;
/// A new buffer holds this much at least, in bytes: small units lie in it one after the other, and none has one of its own.
const SHARED: usize = 64 * 1024;

/// What is known about packets missing before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// None are missing.
    None,
    /// This is the beginning: what came before is unknown, but nothing says that it was part of this unit.
    Start,
    /// Some are missing.
    Loss,
}

#[derive(Debug)]
enum State {
    /// Between units.
    Idle,
    /// Taking in the packets of a unit.
    Building(Building),
    /// The rest of this unit is thrown away.
    Discarding { timestamp: u32 },
}

#[derive(Debug)]
struct Building {
    timestamp: u32,
    abs_capture: Option<u64>,
    /// Kind of the first slice, once there was one.
    picture: Option<NalKind>,
    /// An FU-A under way: header byte of its NAL unit, and where in the buffer it begins.
    fragment: Option<(u8, usize)>,
    /// Parameter sets that came in this unit, before its first slice.
    sets: Vec<Bytes>,
}

/// H.264 packets to units.
///
/// Parameter sets are taken out of the stream and put in front of their unit: all known ones in front of a key unit, those
/// that came with it in front of any other. Delimiters, filler and end marks are dropped. Units without a slice yield
/// nothing.
#[derive(Debug)]
pub struct H264Depacketiser {
    state: State,
    hole: Hole,
    discontinuity: bool,
    /// Timestamp of the unit that ended last: what follows with the same one is no unit of its own.
    ended: Option<u32>,
    /// This publisher has never put anything before the SPS of a unit.
    sps_leads: bool,
    sets: ParameterSets,
    buf: BytesMut,
    /// Sizes of the last key unit and the last other unit: the next buffers.
    key_size: usize,
    delta_size: usize,
    out: VecDeque<Depacketised>,
}

impl Default for H264Depacketiser {
    fn default() -> Self {
        Self::new()
    }
}

impl H264Depacketiser {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::with_parameter_sets(ParameterSets::new())
    }

    /// One that knows parameter sets from SDP already.
    #[must_use]
    pub fn with_parameter_sets(sets: ParameterSets) -> Self {
        Self {
            state: State::Idle,
            hole: Hole::Start,
            discontinuity: false,
            ended: None,
            sps_leads: true,
            sets,
            buf: BytesMut::new(),
            key_size: SMALL,
            delta_size: SMALL,
            out: VecDeque::new(),
        }
    }

    /// Parameter sets known by now.
    #[must_use]
    pub fn parameter_sets(&self) -> &ParameterSets {
        &self.sets
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.buf.capacity()
    }

    /// The next unit, or news of a damaged one. There are at most two after a push.
    pub fn pop(&mut self) -> Option<Depacketised> {
        self.out.pop_front()
    }

    /// Packets are missing between the one pushed last and the next.
    pub fn lost(&mut self) {
        self.hole = Hole::Loss;
        self.discontinuity = true;
        if let State::Building(unit) = &self.state {
            let timestamp = unit.timestamp;
            self.damage(timestamp, Damage::Loss);
        }
    }

    /// Takes the next packet in order.
    pub fn push(&mut self, packet: &Packet) {
        // Padding says nothing, not even that a hole has ended.
        let Some(&first) = packet.payload.first() else {
            return;
        };
        let hole = std::mem::replace(&mut self.hole, Hole::None);
        let timestamp = packet.timestamp;
        match &self.state {
            State::Building(unit) if unit.timestamp != timestamp => self.finish(),
            State::Discarding { timestamp: t } if *t != timestamp => self.state = State::Idle,
            _ => {}
        }
        if let State::Idle = self.state {
            self.begin(packet, first, hole);
        }
        if let State::Building(unit) = &mut self.state {
            unit.abs_capture = unit.abs_capture.or(packet.abs_capture);
            if let Err(damage) = self.payload(&packet.payload, first) {
                self.damage(timestamp, damage);
            }
        }
        if packet.marker {
            match self.state {
                State::Building(_) => self.finish(),
                _ => self.state = State::Idle,
            }
        }
    }

    fn begin(&mut self, packet: &Packet, first: u8, hole: Hole) {
        if !begins_unit(&packet.payload, first, hole, self.sps_leads) {
            self.damage(packet.timestamp, Damage::Loss);
            return;
        }
        if self.buf.capacity() < self.delta_size {
            self.buf.reserve(self.delta_size.max(SHARED));
        }
        self.state = State::Building(Building {
            timestamp: packet.timestamp,
            abs_capture: None,
            picture: None,
            fragment: None,
            sets: Vec::new(),
        });
    }

    /// Drops the unit under way and the rest of it to come.
    fn damage(&mut self, timestamp: u32, damage: Damage) {
        self.discontinuity = true;
        self.ended = Some(timestamp);
        self.buf.clear();
        if self.buf.capacity() > 4 * SMALL {
            self.buf = BytesMut::new();
        }
        self.state = State::Discarding { timestamp };
        self.out.push_back(Depacketised::Damaged { timestamp, damage });
    }

    /// Ends the unit under way: its marker came, or the next unit began.
    fn finish(&mut self) {
        let State::Building(unit) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        if unit.fragment.is_some() {
            self.damage(unit.timestamp, Damage::Malformed);
            self.state = State::Idle;
            return;
        }
        let Some(picture) = unit.picture else {
            self.buf.clear();
            return;
        };
        // A second part of a unit that had its marker already is passed on as it is, but nothing can start there.
        let key = picture == NalKind::Idr && self.ended != Some(unit.timestamp);
        let data = self.buf.split().freeze();
        if key {
            self.key_size = data.len().max(SMALL);
        } else {
            self.delta_size = data.len() + data.len() / 8;
        }
        self.ended = Some(unit.timestamp);
        self.out.push_back(Depacketised::Unit(DepacketisedUnit {
            timestamp: unit.timestamp,
            key,
            discontinuity: std::mem::take(&mut self.discontinuity),
            data,
            abs_capture: unit.abs_capture,
            duration: 0,
        }));
    }

    fn payload(&mut self, payload: &[u8], first: u8) -> Result<(), Damage> {
        // The forbidden bit says that the NAL unit is broken (RFC 6184 §1.3).
        if first & 0x80 != 0 {
            return Err(Damage::Malformed);
        }
        match first & 0x1f {
            FU_A => self.fragment(payload),
            _ if self.building()?.fragment.is_some() => Err(Damage::Malformed),
            1..=23 => self.whole_nal(payload),
            STAP_A => self.aggregate(&payload[1..]),
            // Undefined: ignored (RFC 6184 §5.2).
            0 | 30 | 31 => Ok(()),
            // Interleaved mode, never negotiated.
            _ => Err(Damage::Malformed),
        }
    }

    fn aggregate(&mut self, mut rest: &[u8]) -> Result<(), Damage> {
        loop {
            let (len, tail) = rest.split_first_chunk::<2>().ok_or(Damage::Malformed)?;
            let (nal, tail) = tail
                .split_at_checked(usize::from(u16::from_be_bytes(*len)))
                .ok_or(Damage::Malformed)?;
            match nal.first() {
                Some(h) if h & 0x80 == 0 && NalKind::of(*h) != NalKind::None => self.whole_nal(nal)?,
                _ => return Err(Damage::Malformed),
            }
            if tail.is_empty() {
                return Ok(());
            }
            rest = tail;
        }
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damage> {
        let &[indicator, fu, ref rest @ ..] = payload else {
            return Err(Damage::Malformed);
        };
        let (start, end) = (fu & 0x80 != 0, fu & 0x40 != 0);
        let header = indicator & 0x60 | fu & 0x1f;
        let unit = self.building()?;
        let at = match (start, unit.fragment) {
            (true, None) if NalKind::of(header) != NalKind::None => {
                let at = self.begin_nal(header)?;
                self.building()?.fragment = Some((header, at));
                at
            }
            (false, Some((h, at))) if h & 0x1f == header & 0x1f => at,
            _ => return Err(Damage::Malformed),
        };
        self.append(rest)?;
        if end {
            self.building()?.fragment = None;
            self.end_nal(header, at)?;
        }
        Ok(())
    }

    fn whole_nal(&mut self, nal: &[u8]) -> Result<(), Damage> {
        match NalKind::of(nal[0]) {
            NalKind::Delimiter | NalKind::Void => Ok(()),
            NalKind::Sps | NalKind::Pps => self.parameter_set(nal),
            _ => {
                let at = self.begin_nal(nal[0])?;
                self.append(&nal[1..])?;
                self.end_nal(nal[0], at)
            }
        }
    }

    /// Starts a NAL unit in the buffer, the unit's parameter sets before its first slice; returns where.
    fn begin_nal(&mut self, header: u8) -> Result<usize, Damage> {
        let kind = NalKind::of(header);
        if kind.is_picture() && self.building()?.picture.is_none() {
            self.building()?.picture = Some(kind);
            self.put_parameter_sets(kind)?;
        }
        let at = self.buf.len();
        self.append(&[0, 0, 0, 0, header])?;
        Ok(at)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        if self.buf.len() + bytes.len() > MAX_UNIT_BYTES {
            return Err(Damage::Oversize);
        }
        self.buf.put_slice(bytes);
        Ok(())
    }

    fn end_nal(&mut self, header: u8, at: usize) -> Result<(), Damage> {
        match NalKind::of(header) {
            NalKind::Delimiter | NalKind::Void => self.buf.truncate(at),
            NalKind::Sps | NalKind::Pps => {
                let nal = self.buf.split_off(at);
                self.parameter_set(&nal[4..])?;
            }
            _ => {
                // Below 2^32: bounded by MAX_UNIT_BYTES.
                let len = (self.buf.len() - at - 4) as u32;
                self.buf[at..at + 4].copy_from_slice(&len.to_be_bytes());
            }
        }
        Ok(())
    }

    fn parameter_set(&mut self, nal: &[u8]) -> Result<(), Damage> {
        self.sets.insert(nal);
        if NalKind::of(nal[0]) == NalKind::Sps && !self.buf.is_empty() {
            self.sps_leads = false;
        }
        let known = self.sets.find(nal).cloned();
        let unit = self.building()?;
        // After a slice it belongs to the next unit's pictures, which get it if they are key.
        if let Some(nal) = known
            && unit.picture.is_none()
            && !unit.sets.contains(&nal)
        {
            if unit.sets.len() == MAX_UNIT_SETS {
                return Err(Damage::Malformed);
            }
            unit.sets.push(nal);
        }
        Ok(())
    }

    /// Puts parameter sets in front of what the unit has so far (SEI at most).
    fn put_parameter_sets(&mut self, kind: NalKind) -> Result<(), Damage> {
        let State::Building(unit) = &mut self.state else {
            return Ok(());
        };
        let key = kind == NalKind::Idr && self.ended != Some(unit.timestamp);
        if key && !self.sets.is_complete() {
            return Err(Damage::NoParameterSets);
        }
        let own = std::mem::take(&mut unit.sets);
        let sets: Vec<Bytes> = if key {
            self.sets.nals().cloned().collect()
        } else {
            own
        };
        if key {
            self.buf.reserve(self.key_size);
        }
        let head = if sets.is_empty() {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(&self.buf)
        };
        if !head.is_empty() {
            self.buf.clear();
        }
        for set in sets {
            // Below 2^16: bounded by the store.
            self.append(&(set.len() as u32).to_be_bytes())?;
            self.append(&set)?;
        }
        self.append(&head)
    }

    /// The unit under way. There is one wherever this is asked; the error is never seen.
    fn building(&mut self) -> Result<&mut Building, Damage> {
        match &mut self.state {
            State::Building(unit) => Ok(unit),
            _ => Err(Damage::Malformed),
        }
    }
}

/// Whether a payload begins an access unit for certain, given what is missing before it.
///
/// After a loss a delimiter says so (ITU-T H.264 §7.4.1.2.3), or an SPS where nothing ever came before one: anything else
/// may have had company. At the beginning of the track a first macroblock 0 will do.
fn begins_unit(payload: &[u8], first: u8, hole: Hole, sps_leads: bool) -> bool {
    if hole == Hole::None {
        return true;
    }
    let start = hole == Hole::Start;
    let (header, next) = match (first & 0x1f, payload) {
        (STAP_A, [_, _, _, header, rest @ ..]) => (*header, rest.first()),
        (FU_A, [_, fu, rest @ ..]) if fu & 0x80 != 0 => (*fu & 0x1f, rest.first()),
        (FU_A | STAP_A, _) | (_, []) => return false,
        (_, [header, rest @ ..]) => (*header, rest.first()),
    };
    match NalKind::of(header) {
        NalKind::Delimiter => true,
        NalKind::Sps => start || sps_leads,
        NalKind::Sei | NalKind::Pps | NalKind::Other => start,
        // first_mb_in_slice, ue(v): a leading 1 is 0.
        NalKind::Slice | NalKind::Idr => start && next.is_some_and(|b| b & 0x80 != 0),
        NalKind::Void | NalKind::None => false,
    }
}
