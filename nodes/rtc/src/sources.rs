//! Which RTP sources and payload types a peer may send: those its offer announced, else the first that prove real.
//! The core keeps state for every SSRC it is shown, before it can check the packet, so strangers must not get there.

use weft_sdp::offer::OfferedMedia;

/// Sources tried at one peer whose offer announced none; what proves real is never counted out.
const MOST_TRIED: usize = 32;

/// What a payload type carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A track's media.
    Media {
        /// Index of the negotiated track.
        track: usize,
    },
    /// Retransmissions of a track (RFC 4588).
    Repair {
        /// Index of the negotiated track.
        track: usize,
    },
}

impl Payload {
    /// The track it belongs to.
    pub(crate) fn track(self) -> usize {
        match self {
            Self::Media { track } | Self::Repair { track } => track,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Announced,
    Tried,
    Proved,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    track: usize,
    repair: bool,
    /// The announced source it repairs, 0 where that is not known.
    primary: u32,
    standing: Standing,
}

/// The filter of one peer.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    payloads: Vec<(u8, Payload)>,
    sources: Vec<Source>,
    /// Tracks whose offer announced no source.
    learning: Vec<usize>,
    tried: usize,
    /// Reports come from sources that the offer does not name: those of a peer that only receives.
    unnamed_reports: bool,
}

impl Sources {
    /// Those of a reader: no media, and reports from whatever sources it makes up, as far as their number is bounded.
    pub(crate) fn of_reader() -> Self {
        Self {
            unnamed_reports: true,
            ..Self::default()
        }
    }

    /// Adds a negotiated track: `offered` is its line in the offer, `answered` its line in the answer.
    pub(crate) fn add_track(&mut self, track: usize, offered: &OfferedMedia, answered: &OfferedMedia) {
        for codec in &answered.codecs {
            let payload = if codec.name.eq_ignore_ascii_case("rtx") {
                Payload::Repair { track }
            } else {
                Payload::Media { track }
            };
            self.payloads.push((codec.payload_type, payload));
        }
        for &ssrc in &offered.ssrcs {
            let repairs = offered.retransmission.iter().find(|(_, repair)| *repair == ssrc);
            self.sources.push(Source {
                ssrc,
                track,
                repair: repairs.is_some(),
                primary: repairs.map_or(0, |(primary, _)| *primary),
                standing: Standing::Announced,
            });
        }
        if offered.ssrcs.is_empty() {
            self.learning.push(track);
        }
    }

    /// What a payload type carries, if it was agreed on.
    pub(crate) fn payload(&self, payload_type: u8) -> Option<Payload> {
        self.payloads
            .iter()
            .find(|(pt, _)| *pt == payload_type)
            .map(|(_, p)| *p)
    }

    /// True when an RTP or RTCP datagram may be shown to the core.
    pub(crate) fn admits(&mut self, datagram: &[u8]) -> bool {
        if let Some(ssrc) = rtcp_sender(datagram) {
            return self.sources.iter().any(|s| s.ssrc == ssrc) || self.tries_reporter(ssrc);
        }
        let Some((payload_type, ssrc)) = rtp_source(datagram) else {
            return false;
        };
        let Some(payload) = self.payload(payload_type) else {
            return false;
        };
        if self.sources.iter().any(|s| s.ssrc == ssrc) {
            return true;
        }
        let repair = matches!(payload, Payload::Repair { .. });
        let proved =
            |s: &Source| s.track == payload.track() && s.repair == repair && s.standing == Standing::Proved;
        if !self.learning.contains(&payload.track())
            || self.sources.iter().any(proved)
            || self.tried >= MOST_TRIED
        {
            return false;
        }
        self.tried += 1;
        self.sources.push(Source {
            ssrc,
            track: payload.track(),
            repair,
            primary: 0,
            standing: Standing::Tried,
        });
        true
    }

    fn tries_reporter(&mut self, ssrc: u32) -> bool {
        if !self.unnamed_reports || self.tried >= MOST_TRIED {
            return false;
        }
        self.tried += 1;
        self.sources.push(Source {
            ssrc,
            track: 0,
            repair: false,
            primary: 0,
            standing: Standing::Tried,
        });
        true
    }

    /// A packet of this source passed authentication. The first that does ends the trying for its track.
    pub(crate) fn prove(&mut self, ssrc: u32) {
        let Some(i) = self.sources.iter().position(|s| s.ssrc == ssrc) else {
            return;
        };
        if self.sources[i].standing == Standing::Tried {
            self.sources[i].standing = Standing::Proved;
            let (track, repair) = (self.sources[i].track, self.sources[i].repair);
            self.sources
                .retain(|s| s.standing != Standing::Tried || s.track != track || s.repair != repair);
        }
    }

    /// The track whose media this source sends; `None` for retransmissions and strangers.
    pub(crate) fn media_track(&self, ssrc: u32) -> Option<usize> {
        self.sources
            .iter()
            .find(|s| s.ssrc == ssrc && !s.repair)
            .map(|s| s.track)
    }

    /// True when retransmissions of this source may belong to the media source `primary`; never to 0, which stands for a
    /// source not heard of yet: its packets would look like those of another one.
    pub(crate) fn repairs(&self, ssrc: u32, primary: u32) -> bool {
        if primary == 0 {
            return false;
        }
        let source = self.sources.iter().find(|s| s.ssrc == ssrc);
        source.is_some_and(|s| s.primary == 0 || s.primary == primary)
    }

    /// The announced media source of a track.
    pub(crate) fn announced(&self, track: usize) -> Option<u32> {
        self.sources
            .iter()
            .find(|s| s.track == track && !s.repair && s.standing == Standing::Announced)
            .map(|s| s.ssrc)
    }
}

/// The sender of an RTCP datagram (RFC 3550 §6.4; told apart as in RFC 5761 §4); `None` if it is not RTCP.
fn rtcp_sender(datagram: &[u8]) -> Option<u32> {
    let head: &[u8; 8] = datagram.first_chunk()?;
    (192..=223)
        .contains(&head[1])
        .then(|| u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}

/// Payload type and source of an RTP datagram.
fn rtp_source(datagram: &[u8]) -> Option<(u8, u32)> {
    let head: &[u8; 12] = datagram.first_chunk()?;
    Some((
        head[1] & 0x7f,
        u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_sdp::offer::{Direction, OfferedCodec};

    fn media(ssrcs: &[u32]) -> OfferedMedia {
        let codec = |name: &str, payload_type| OfferedCodec {
            name: name.into(),
            payload_type,
            clock_rate: 90_000,
            channels: 1,
            fmtp: String::new(),
            feedback: Vec::new(),
        };
        OfferedMedia {
            media: "video".into(),
            port: 9,
            mid: "0".into(),
            codecs: vec![codec("H264", 102), codec("rtx", 103)],
            direction: Direction::SendOnly,
            ssrcs: ssrcs.to_vec(),
            retransmission: ssrcs.get(1).map(|r| vec![(ssrcs[0], *r)]).unwrap_or_default(),
            extensions: Vec::new(),
        }
    }

    fn rtp(payload_type: u8, ssrc: u32) -> Vec<u8> {
        let mut p = vec![0x80, payload_type, 0, 1, 0, 0, 0, 0];
        p.extend(ssrc.to_be_bytes());
        p
    }

    fn rtcp(ssrc: u32) -> Vec<u8> {
        let mut p = vec![0x80, 200, 0, 6];
        p.extend(ssrc.to_be_bytes());
        p
    }

    #[test]
    fn announced_sources_pass_and_strangers_do_not() {
        let mut s = Sources::default();
        s.add_track(0, &media(&[7, 8]), &media(&[]));
        assert!(s.admits(&rtp(102, 7)) && s.admits(&rtp(103, 8)) && s.admits(&rtcp(7)));
        assert!(!s.admits(&rtp(102, 9)) && !s.admits(&rtcp(9)) && !s.admits(&rtp(96, 7)));
        assert!(!s.admits(&[0x80, 102, 0]));
        assert_eq!((s.media_track(7), s.media_track(8)), (Some(0), None));
        assert_eq!(s.announced(0), Some(7));
    }

    #[test]
    fn without_announcements_the_first_that_proves_real_is_kept() {
        let mut s = Sources::default();
        s.add_track(0, &media(&[]), &media(&[]));
        assert!(s.admits(&rtp(102, 666)) && s.admits(&rtp(102, 7)) && s.admits(&rtp(103, 8)));
        s.prove(7);
        assert!(!s.admits(&rtp(102, 666)) && !s.admits(&rtp(102, 667)));
        assert!(s.admits(&rtp(102, 7)) && s.admits(&rtp(103, 8)) && s.admits(&rtcp(7)));
    }

    #[test]
    fn a_flood_of_sources_is_bounded() {
        let mut s = Sources::default();
        s.add_track(0, &media(&[]), &media(&[]));
        let admitted = (0..100_000).filter(|ssrc| s.admits(&rtp(102, *ssrc))).count();
        assert_eq!((admitted, s.sources.len()), (MOST_TRIED, MOST_TRIED));
    }

    #[test]
    fn a_reader_sends_reports_of_some_sources_and_no_media() {
        let mut s = Sources::of_reader();
        assert!(s.admits(&rtcp(1)) && s.admits(&rtcp(2)) && s.admits(&rtcp(1)));
        assert!(!s.admits(&rtp(102, 1)));
        let admitted = (0..100_000).filter(|ssrc| s.admits(&rtcp(*ssrc))).count();
        assert_eq!((admitted, s.sources.len()), (MOST_TRIED, MOST_TRIED));
        assert!(s.admits(&rtcp(1)), "those it had stay");
    }

    #[test]
    fn a_repair_that_comes_before_its_media_belongs_to_nothing() {
        let mut s = Sources::default();
        s.add_track(0, &media(&[]), &media(&[]));
        assert!(s.admits(&rtp(103, 8)));
        s.prove(8);
        assert!(!s.repairs(8, 0) && s.repairs(8, 7));
    }
}
