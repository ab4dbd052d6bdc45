//! Judges the RTP packets of one track: numbers without gaps, pictures with stamp and all bytes of their slices. It decodes
//! nothing.

use crate::count::ReaderTally;
use crate::stamp::{self, Stamp};
use std::sync::Arc;

/// A picture that came whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) stamp: Stamp,
    pub(super) key: bool,
}

/// The picture under way.
#[derive(Debug, Clone, Copy, Default)]
struct Current {
    timestamp: u32,
    /// Some of it is here.
    begun: bool,
    stamp: Option<Stamp>,
    key: bool,
    slices: u32,
}

/// One track of one reader.
#[derive(Debug)]
pub(super) struct Track {
    expected: Option<u16>,
    current: Current,
    /// Bytes of slices of each picture of the clip.
    slices: Arc<Vec<u32>>,
    /// Damaged pictures since the last whole one whose numbers are not known.
    nameless: u64,
}

impl Track {
    /// A track of a stream that carries the clip with these pictures.
    pub(super) fn new(slices: Arc<Vec<u32>>) -> Self {
        Self {
            expected: None,
            current: Current::default(),
            slices,
            nameless: 0,
        }
    }

    /// Checks the packet's number; `None` for what is no RTP. Packets that are missing count here; the pictures that they
    /// belonged to are known by the bytes they lack.
    fn number(&mut self, packet: &[u8], tally: &mut ReaderTally) -> Option<()> {
        let [version, _, high, low, ..] = *packet else {
            return None;
        };
        if version >> 6 != 2 {
            return None;
        }
        let sequence = u16::from_be_bytes([high, low]);
        let ahead = sequence.wrapping_sub(self.expected.unwrap_or(sequence));
        self.expected = Some(sequence.wrapping_add(1));
        tally.bytes += packet.len() as u64;
        // Backwards is a packet twice or late.
        tally.packets_lost += u64::from(if ahead < 0x8000 { ahead } else { 0 });
        Some(())
    }

    /// A packet of sound.
    pub(super) fn sound(&mut self, packet: &[u8], tally: &mut ReaderTally) {
        self.number(packet, tally);
    }

    /// A packet of a picture. Returns the picture when it is whole.
    pub(super) fn picture(&mut self, packet: &[u8], tally: &mut ReaderTally) -> Option<Whole> {
        self.number(packet, tally)?;
        let timestamp = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        if self.current.begun && self.current.timestamp != timestamp {
            // It was never ended.
            self.spoilt(tally);
        }
        let current = &mut self.current;
        current.begun = true;
        current.timestamp = timestamp;
        read_payload(payload(packet)?, current);
        if packet[1] & 0x80 == 0 {
            return None;
        }
        let Some(stamp) = current.stamp else {
            self.spoilt(tally);
            return None;
        };
        let should = self.slices.get(stamp.unit as usize % self.slices.len().max(1));
        if should != Some(&current.slices) || stamp.stream != tally.stream {
            self.spoilt(tally);
            return None;
        }
        let whole = Whole {
            stamp,
            key: current.key,
        };
        self.current = Current::default();
        self.count(stamp.unit, tally);
        Some(whole)
    }

    fn count(&mut self, unit: u32, tally: &mut ReaderTally) {
        tally.units += 1;
        match tally.last_unit.map(|last| unit.wrapping_sub(last)) {
            None | Some(1) => {}
            Some(ahead) if (2..0x8000_0000).contains(&ahead) => {
                tally.lost += u64::from(ahead - 1).saturating_sub(self.nameless);
            }
            Some(_) => tally.repeated += 1,
        }
        self.nameless = 0;
        tally.last_unit = Some(unit);
    }

    fn spoilt(&mut self, tally: &mut ReaderTally) {
        // A server may begin within a picture; nothing was promised before the first whole one.
        if tally.last_unit.is_some() {
            tally.damaged += 1;
            self.nameless += 1;
        }
        self.current = Current::default();
    }
}

/// What follows the header with its sources and extension (RFC 3550 section 5.1, 5.3.1).
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let mut from = 12 + 4 * usize::from(packet[0] & 15);
    if packet[0] & 0x10 != 0 {
        let words = packet.get(from + 2..from + 4)?;
        from += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    packet.get(from..)
}

/// Takes stamp, kind and size out of a payload (RFC 6184 section 5.2).
fn read_payload(payload: &[u8], current: &mut Current) {
    let Some(head) = payload.first() else { return };
    let mut slice = |kind: u8, bytes: usize| {
        current.key |= kind == 5;
        current.slices += bytes as u32;
    };
    match head & 31 {
        kind @ 1..=5 => slice(kind, payload.len()),
        6 => current.stamp = current.stamp.or_else(|| stamp::read(payload)),
        24 => {
            let mut rest = &payload[1..];
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let Some((nal, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
                else {
                    return;
                };
                // None of them is an aggregate itself.
                if nal.first().is_some_and(|head| head & 31 < 24) {
                    read_payload(nal, current);
                }
                rest = after;
            }
        }
        28 => {
            let Some(fragment) = payload.get(1) else { return };
            let first = usize::from(fragment & 0x80 != 0);
            if matches!(fragment & 31, 1..=5) {
                slice(fragment & 31, payload.len() - 2 + first);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;

    /// The packets of four pictures, of which the first is key and of many packets.
    fn packets() -> (Vec<Vec<u8>>, Track) {
        let big = [&[0x65, 0x88][..], &[7; 3000]].concat();
        let nals: [&[u8]; 6] = [
            &[0x67, 1],
            &[0x68, 2],
            &big,
            &[0x41, 0x9a],
            &[0x41, 0x9b],
            &[0x41, 0x9c],
        ];
        let stream: Vec<u8> = nals
            .iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect();
        let clip = Clip::cut(&stream, &[]);
        let mut packets: Vec<Vec<u8>> = Vec::new();
        for (unit, number) in clip.units.iter().zip(0..) {
            for (index, payload) in unit.packets.iter().enumerate() {
                let marker = if index + 1 == unit.packets.len() { 0x80 } else { 0 };
                let mut packet = vec![0x80, marker | 96, 0, packets.len() as u8];
                packet.extend(unit.ticks.to_be_bytes());
                packet.extend([0; 4]);
                packet.extend(payload);
                if index == 0 {
                    let stamp = Stamp {
                        stream: 3,
                        unit: number,
                        sent: 9,
                    };
                    stamp::write(&mut packet[12 + unit.stamp..], stamp);
                }
                packets.push(packet);
            }
        }
        (packets, Track::new(Arc::new(clip.slices)))
    }

    fn read(track: &mut Track, packets: &[Vec<u8>]) -> (ReaderTally, Vec<Whole>) {
        let mut tally = ReaderTally {
            stream: 3,
            ..ReaderTally::default()
        };
        let whole = packets
            .iter()
            .filter_map(|packet| track.picture(packet, &mut tally))
            .collect();
        (tally, whole)
    }

    #[test]
    fn whole_pictures_come_with_stamp_and_kind() {
        let (packets, mut track) = packets();
        let (tally, whole) = read(&mut track, &packets);
        assert_eq!(
            (tally.units, tally.damaged, tally.lost, tally.packets_lost),
            (4, 0, 0, 0)
        );
        assert_eq!(
            whole.iter().map(|one| one.key).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        assert_eq!(
            whole[3].stamp,
            Stamp {
                stream: 3,
                unit: 3,
                sent: 9
            }
        );
    }

    #[test]
    fn a_lost_packet_damages_its_picture_and_a_lost_picture_is_lost() {
        let (mut packets, mut track) = packets();
        packets.remove(7);
        let (tally, _) = read(&mut track, &packets);
        assert_eq!(
            (tally.units, tally.damaged, tally.lost, tally.packets_lost),
            (3, 1, 0, 1)
        );
        let (mut packets, mut track) = self::packets();
        packets.drain(4..6);
        let (tally, _) = read(&mut track, &packets);
        assert_eq!(
            (tally.units, tally.damaged, tally.lost, tally.packets_lost),
            (3, 0, 1, 2)
        );
    }

    #[test]
    fn a_beginning_within_a_picture_is_no_damage_and_a_short_one_is() {
        let (packets, mut track) = packets();
        let (tally, whole) = read(&mut track, &packets[2..]);
        assert_eq!((tally.units, tally.damaged, whole.len()), (3, 0, 3));
        let (mut packets, mut track) = self::packets();
        packets[7].pop();
        assert_eq!(read(&mut track, &packets).0.damaged, 1);
    }
}
