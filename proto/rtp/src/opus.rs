//! Opus over RTP (RFC 7587): one packet is one unit; its length is in the packet's first byte (RFC 6716 §3.1).
//! Decoding is nobody's business here.

use crate::{Damage, Depacketised, DepacketisedUnit, Packet};

/// Longest an Opus packet may last, in ticks of 48 kHz: 120 ms (RFC 6716 §3.2.5, R5).
const MAX_DURATION: u32 = 5_760;
/// Longest packet taken, in bytes: 48 frames of 1,275 (RFC 6716 §3.4) and their lengths.
const MAX_BYTES: usize = 48 * 1_277 + 8;

/// How long a packet lasts, in ticks of 48 kHz; `None` if it is no Opus packet.
#[must_use]
pub fn opus_duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame = match config {
        // SILK: 10, 20, 40, 60 ms.
        0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        // Hybrid: 10, 20 ms.
        12..16 => [480, 960][usize::from(config & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*packet.get(1)? & 0x3f),
    };
    let duration = frame * frames;
    (1..=MAX_DURATION).contains(&duration).then_some(duration)
}

/// Opus packets to units.
#[derive(Debug, Default)]
pub struct OpusDepacketiser {
    out: Option<Depacketised>,
    discontinuity: bool,
}

impl OpusDepacketiser {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next packet in order; what was not popped before is gone.
    pub fn push(&mut self, packet: Packet) {
        let Packet {
            timestamp,
            payload: data,
            abs_capture,
            ..
        } = packet;
        if data.is_empty() {
            return;
        }
        let duration = opus_duration(&data).filter(|_| data.len() <= MAX_BYTES);
        self.out = Some(match duration {
            Some(duration) => Depacketised::Unit(DepacketisedUnit {
                timestamp,
                key: false,
                discontinuity: std::mem::take(&mut self.discontinuity),
                data,
                abs_capture,
                duration,
            }),
            None => {
                self.discontinuity = true;
                Depacketised::Damaged {
                    timestamp,
                    damage: Damage::Malformed,
                }
            }
        });
    }

    /// Packets are missing before the next.
    pub fn lost(&mut self) {
        self.discontinuity = true;
    }

    /// The unit of the packet pushed last.
    pub fn pop(&mut self) -> Option<Depacketised> {
        self.out.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn packet(payload: &'static [u8]) -> Packet {
        Packet {
            seq: 0,
            timestamp: 7,
            marker: false,
            payload: Bytes::from_static(payload),
            abs_capture: Some(9),
        }
    }

    #[test]
    fn the_first_byte_tells_the_duration() {
        // Hybrid 20 ms fullband stereo, one frame: what browsers send.
        assert_eq!(opus_duration(&[15 << 3 | 4, 1]), Some(960));
        assert_eq!(opus_duration(&[31 << 3]), Some(960));
        assert_eq!(opus_duration(&[16 << 3 | 1]), Some(240));
        assert_eq!(opus_duration(&[3 << 3]), Some(2_880));
        assert_eq!(opus_duration(&[3 << 3 | 3, 2]), Some(5_760));
        assert_eq!(opus_duration(&[3 << 3 | 3, 3]), None, "180 ms is too long");
        assert_eq!(opus_duration(&[3 << 3 | 3, 0]), None);
        assert_eq!(opus_duration(&[3]), None);
        assert_eq!(opus_duration(&[]), None);
    }

    #[test]
    fn each_packet_is_a_unit_and_a_loss_is_told_once() {
        let mut d = OpusDepacketiser::new();
        d.push(packet(&[0xfc, 1, 2]));
        let Some(Depacketised::Unit(unit)) = d.pop() else {
            panic!()
        };
        assert_eq!(
            (unit.timestamp, unit.duration, unit.abs_capture),
            (7, 960, Some(9))
        );
        assert!(!unit.discontinuity && !unit.key);
        d.push(packet(&[]));
        assert_eq!(d.pop(), None);
        d.lost();
        d.push(packet(&[3]));
        assert!(matches!(
            d.pop(),
            Some(Depacketised::Damaged {
                timestamp: 7,
                damage: Damage::Malformed
            })
        ));
        for discontinuity in [true, false] {
            d.push(packet(&[0xfc, 1]));
            let Some(Depacketised::Unit(unit)) = d.pop() else {
                panic!()
            };
            assert_eq!(unit.discontinuity, discontinuity);
        }
    }
}
