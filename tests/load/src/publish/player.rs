//! A publisher's media: the clip over and again as RTP packets, protected, each picture stamped when it leaves; reports about
//! it, and packets once more for a server that missed them. When it is called is the peer's business.

use super::offer::{AUDIO, VIDEO};
use super::secure::Keys;
use crate::clip::Clip;
use crate::stamp::{self, Stamp};
use anyhow::Result;
use bytes::BytesMut;
use rtc::rtp::Header;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Packets kept for a server that asks again: about a second of 2 Mbit/s.
const KEPT: usize = 256;
/// Between two sender reports.
const REPORTS: Duration = Duration::from_secs(2);
/// Time of a picture, the same in all clips.
const PICTURE: Duration = Duration::from_nanos(1_000_000_000 / 30);
/// From 1900 to 1970, in seconds (RFC 3550 section 4).
const NTP_EPOCH: u64 = 2_208_988_800;

/// One track on its way.
#[derive(Debug)]
struct Lane {
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    /// RTP time of the clip's start.
    base: u32,
    clock: u32,
    packets: u32,
    octets: u32,
}

impl Lane {
    fn new(ssrc: u32, payload_type: u8, clock: u32) -> Self {
        Self {
            ssrc,
            payload_type,
            clock,
            // Below the half, so that the first wrap is not near (RFC 3711 section 3.3.1).
            sequence: rand::random::<u16>() >> 1,
            base: rand::random(),
            packets: 0,
            octets: 0,
        }
    }
}

/// The media of one publisher.
pub(super) struct Player {
    clip: Arc<Clip>,
    keys: Box<Keys>,
    stream: u32,
    /// The next unit's place in the clip.
    place: usize,
    /// When the clip's start was due in this round, by the wall and since the first round.
    start: Instant,
    rounds: Duration,
    /// The next picture's number.
    unit: u32,
    lanes: [Lane; 2],
    /// As they were sent, protected: the header is not secret.
    kept: VecDeque<BytesMut>,
    reported: Instant,
    plain: Vec<u8>,
}

impl Player {
    /// Begins within a picture's time from now, at the key picture that this stream's number chooses, so that the key pictures
    /// of many do not coincide; and at the moment between two pictures that the number chooses, so that as many pictures
    /// coincide with every server, however long it takes to connect to it.
    pub(super) fn start(clip: Arc<Clip>, keys: Box<Keys>, stream: u32, video: u32, audio: u32) -> Self {
        let begins: Vec<usize> = (0..clip.units.len()).filter(|at| clip.units[*at].key).collect();
        let place = begins
            .get(stream as usize % begins.len().max(1))
            .copied()
            .unwrap_or_default();
        let now = Instant::now();
        let first = now + wait(stamp::nanos(now), stream);
        Self {
            start: first.checked_sub(clip.units[place].due).unwrap_or(now),
            unit: clip.units[..place].iter().filter(|unit| unit.video).count() as u32,
            clip,
            keys,
            stream,
            place,
            rounds: Duration::ZERO,
            lanes: [Lane::new(video, VIDEO, 90_000), Lane::new(audio, AUDIO, 48_000)],
            kept: VecDeque::with_capacity(KEPT),
            reported: now,
            plain: Vec::with_capacity(1500),
        }
    }

    /// When the next unit is due.
    pub(super) fn due(&self) -> Instant {
        self.start + self.clip.units[self.place].due
    }

    /// Number of the next picture.
    pub(super) fn unit(&self) -> u32 {
        self.unit
    }

    /// The packets of the next unit. Returns whether it was a picture.
    pub(super) fn next(&mut self, now: Instant, out: &mut VecDeque<BytesMut>) -> Result<bool> {
        let clip = self.clip.clone();
        let unit = &clip.units[self.place];
        if self.reported + REPORTS <= now {
            self.reported = now;
            self.report(now, out)?;
        }
        let lane = &mut self.lanes[usize::from(!unit.video)];
        let rounds = self.rounds.as_millis() as u64 * u64::from(lane.clock) / 1000;
        let timestamp = lane.base.wrapping_add(unit.ticks).wrapping_add(rounds as u32);
        for (index, payload) in unit.packets.iter().enumerate() {
            let header = Header {
                version: 2,
                marker: unit.video && index + 1 == unit.packets.len(),
                payload_type: lane.payload_type,
                sequence_number: lane.sequence,
                timestamp,
                ssrc: lane.ssrc,
                ..Header::default()
            };
            let plain = &mut self.plain;
            plain.clear();
            plain.extend([0x80, u8::from(header.marker) << 7 | header.payload_type]);
            plain.extend(header.sequence_number.to_be_bytes());
            plain.extend(timestamp.to_be_bytes());
            plain.extend(header.ssrc.to_be_bytes());
            plain.extend_from_slice(payload);
            if unit.video && index == 0 {
                let stamp = Stamp {
                    stream: self.stream,
                    unit: self.unit,
                    sent: stamp::nanos(now),
                };
                if let Some(nal) = plain.get_mut(12 + unit.stamp..) {
                    stamp::write(nal, stamp);
                }
            }
            let sealed = self.keys.out.encrypt_rtp_with_header(plain, &header)?;
            lane.sequence = lane.sequence.wrapping_add(1);
            lane.packets = lane.packets.wrapping_add(1);
            lane.octets = lane.octets.wrapping_add(payload.len() as u32);
            out.push_back(sealed);
        }
        self.unit = self.unit.wrapping_add(u32::from(unit.video));
        self.place += 1;
        if self.place == clip.units.len() {
            self.place = 0;
            self.start += clip.duration;
            self.rounds += clip.duration;
        }
        Ok(unit.video)
    }

    /// Keeps a packet that was sent, if the server may ask for it again.
    pub(super) fn keep(&mut self, sealed: BytesMut) {
        if sealed.get(8..12) == Some(&self.lanes[0].ssrc.to_be_bytes()) {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(sealed);
        }
    }

    /// A sender report of each track (RFC 3550 section 6.4.1).
    fn report(&mut self, now: Instant, out: &mut VecDeque<BytesMut>) -> Result<()> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp = (wall.as_secs() + NTP_EPOCH) << 32 | fraction;
        let played = now.saturating_duration_since(self.start) + self.rounds;
        for lane in self.lanes.iter().filter(|lane| lane.packets > 0) {
            let ticks = played.as_micros() as u64 * u64::from(lane.clock) / 1_000_000;
            let mut plain = vec![0x80, 200, 0, 6];
            plain.extend(lane.ssrc.to_be_bytes());
            plain.extend(ntp.to_be_bytes());
            plain.extend(lane.base.wrapping_add(ticks as u32).to_be_bytes());
            plain.extend(lane.packets.to_be_bytes());
            plain.extend(lane.octets.to_be_bytes());
            out.push_back(self.keys.out.encrypt_rtcp(&plain)?);
        }
        Ok(())
    }

    /// Hears what the server says of the media, as a protected RTCP packet. Returns how many packets it asks for again;
    /// those that are still there follow.
    pub(super) fn hear(&mut self, datagram: &[u8], out: &mut VecDeque<BytesMut>) -> u64 {
        let Ok(plain) = self.keys.back.decrypt_rtcp(datagram) else {
            return 0;
        };
        let video = self.lanes[0].ssrc;
        let mut asked = 0;
        for sequence in missing(&plain, video) {
            asked += 1;
            // To the bit what was sent: the same number must never protect two different packets (RFC 3711 section 9.1).
            let kept = self
                .kept
                .iter()
                .rev()
                .find(|kept| kept[2..4] == sequence.to_be_bytes());
            out.extend(kept.cloned());
        }
        asked
    }
}

/// How long from then, in ns, until this stream's pictures are due: a moment of its own in each picture's time, as if by chance.
fn wait(now: u64, stream: u32) -> Duration {
    let step = PICTURE.as_nanos() as u64;
    // The finaliser of MurmurHash3: neighbours come far apart.
    let mut bits = stream.wrapping_add(1);
    for factor in [0x85eb_ca6b, 0xc2b2_ae35_u32] {
        bits = (bits ^ bits >> 15).wrapping_mul(factor);
    }
    let moment = (u64::from(bits ^ bits >> 16) * step) >> 32;
    Duration::from_nanos((step + moment - now % step) % step)
}

/// The sequence numbers that a compound packet asks for again (RFC 4585 section 6.2.1).
fn missing(mut compound: &[u8], ssrc: u32) -> Vec<u16> {
    let mut missing = Vec::new();
    while let [head, kind, high, low, ..] = *compound {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let Some((packet, rest)) = compound.split_at_checked(length) else {
            break;
        };
        compound = rest;
        if kind != 205 || head & 31 != 1 || packet.get(8..12) != Some(&ssrc.to_be_bytes()) {
            continue;
        }
        for entry in packet[12..].chunks_exact(4) {
            let first = u16::from_be_bytes([entry[0], entry[1]]);
            let mask = u16::from_be_bytes([entry[2], entry[3]]);
            missing.push(first);
            missing.extend(
                (0..16)
                    .filter(|bit| mask >> bit & 1 == 1)
                    .map(|bit| first.wrapping_add(bit + 1)),
            );
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_read_from_a_compound_packet() {
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
        compound.extend([
            0x81,
            205,
            0,
            3,
            0,
            0,
            0,
            9,
            0,
            0,
            0,
            5,
            0xff,
            0xff,
            0b0000_0000,
            0b0000_0101,
        ]);
        assert_eq!(missing(&compound, 5), [65535, 0, 2]);
        assert!(missing(&compound, 6).is_empty());
        assert!(missing(&compound[..20], 5).is_empty());
    }
    #[test]
    fn a_stream_begins_at_its_own_moment_whenever_it_is_connected() {
        let step = PICTURE.as_nanos() as u64;
        let mut moments = Vec::new();
        for stream in 0..100 {
            let moment = |now: u64| (now + wait(now, stream).as_nanos() as u64) % step;
            let first = moment(0);
            for now in [1, step - 1, step, 7 * step + 12_345, u64::from(u32::MAX) * 9] {
                assert!(wait(now, stream) < PICTURE);
                assert_eq!(moment(now), first);
            }
            moments.push(first * 10 / step);
        }
        for tenth in 0..10 {
            let here = moments.iter().filter(|moment| **moment == tenth).count();
            assert!((3..=20).contains(&here), "{here} of 100 in tenth {tenth}");
        }
    }
}
