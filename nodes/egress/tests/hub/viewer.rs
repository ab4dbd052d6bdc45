//! A reader of the hub as the RTSP server would be: describes, joins, takes events and writes down what they hold.
//! It judges nothing by itself; the tests do.

use crate::camera::{MARK, VIDEO, name};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use weft_bus::Bus;
use weft_egress::{Egress, EgressConfig};
use weft_rtsp_server::*;
use weft_wire::*;

pub(crate) struct Viewer {
    pub(crate) starts: Vec<TrackStart>,
    pub(crate) reader: Box<dyn PlayReader>,
    pub(crate) seen: Vec<Seen>,
}

/// One event, as far as tests look at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Unit {
        track: TrackId,
        number: u32,
        key: bool,
        rtp_time: u32,
        ssrc: u32,
    },
    Report(TrackId, RtpLine),
    Closed(CloseReason),
}

pub(crate) fn egress(bus: &Arc<dyn Bus>) -> Egress {
    Egress::start(
        EgressConfig::default(),
        bus.clone(),
        weft_bus::Members::alone(NodeName::new("egress").unwrap()),
    )
}

pub(crate) fn request() -> DescribeRequest {
    DescribeRequest {
        stream: name(),
        query: None,
        peer: "127.0.0.1:5000".parse().unwrap(),
        user_agent: None,
        principal: String::new(),
    }
}

pub(crate) fn spec(tracks: &[u8]) -> ReaderSpec {
    ReaderSpec {
        id: uuid::Uuid::new_v4(),
        peer: "127.0.0.1:5000".parse().unwrap(),
        transport: "TCP",
        secure: false,
        tracks: tracks.iter().map(|t| TrackId(*t)).collect(),
        query: String::new(),
        user_agent: String::new(),
        principal: String::new(),
    }
}

impl Viewer {
    pub(crate) async fn join(egress: &Egress, tracks: &[u8]) -> Self {
        Self::try_join(egress, tracks).await.expect("join is refused")
    }

    pub(crate) async fn try_join(egress: &Egress, tracks: &[u8]) -> Result<Self, Refusal> {
        let source = egress.describe(request()).await?;
        let Joined { starts, reader } = source.join(spec(tracks)).await?;
        Ok(Self {
            starts,
            reader,
            seen: Vec::new(),
        })
    }

    /// Takes all events of the next `ms` milliseconds; returns at once when closed.
    pub(crate) async fn watch(&mut self, ms: u64) -> &mut Self {
        let end = Instant::now() + Duration::from_millis(ms);
        while let Ok(event) = timeout_at(end, self.reader.next()).await {
            let what = What::of(&event);
            self.seen.push(Seen {
                at: Instant::now(),
                what,
            });
            if matches!(what, What::Closed(_)) {
                break;
            }
        }
        self
    }

    /// Writes down an event that the test took itself.
    pub(crate) fn see(&mut self, event: &ReaderEvent) {
        let (at, what) = (Instant::now(), What::of(event));
        self.seen.push(Seen { at, what });
    }

    /// Takes what is queued, waiting for nothing.
    pub(crate) fn drain(&mut self) -> &mut Self {
        while let Some(event) = self.reader.try_next() {
            let what = What::of(&event);
            self.seen.push(Seen {
                at: Instant::now(),
                what,
            });
            if matches!(what, What::Closed(_)) {
                break;
            }
        }
        self
    }

    /// (number, key, RTP time) of the units of a track.
    pub(crate) fn units(&self, wanted: TrackId) -> Vec<(u32, bool, u32)> {
        let units = self.seen.iter().filter_map(|s| match s.what {
            What::Unit {
                track,
                number,
                key,
                rtp_time,
                ..
            } if track == wanted => Some((number, key, rtp_time)),
            _ => None,
        });
        units.collect()
    }

    pub(crate) fn numbers(&self, track: TrackId) -> Vec<u32> {
        self.units(track).iter().map(|u| u.0).collect()
    }

    pub(crate) fn closed(&self) -> Option<(Instant, CloseReason)> {
        match self.seen.last() {
            Some(Seen {
                at,
                what: What::Closed(reason),
            }) => Some((*at, *reason)),
            _ => None,
        }
    }

    /// Every picture but the first has the one before it, or is a key unit; RTP time rises; one SSRC per track.
    pub(crate) fn assert_sound(&self) {
        let pictures = self.units(VIDEO);
        assert!(pictures.first().is_none_or(|p| p.1), "begins without a key unit");
        for pair in pictures.windows(2) {
            assert!(
                pair[1].1 || pair[1].0 == pair[0].0 + 1,
                "picture refers to nothing: {pair:?}"
            );
        }
        for track in [0, 1].map(TrackId) {
            for pair in self.units(track).windows(2) {
                let step = pair[1].2.wrapping_sub(pair[0].2) as i32;
                assert!(step > 0, "{track:?}: RTP time goes back: {pair:?}");
            }
            let ssrcs: std::collections::HashSet<u32> = self
                .seen
                .iter()
                .filter_map(|s| match s.what {
                    What::Unit { track: t, ssrc, .. } if t == track => Some(ssrc),
                    _ => None,
                })
                .collect();
            assert!(ssrcs.len() <= 1, "{track:?}: several SSRCs");
        }
    }
}

impl What {
    fn of(event: &ReaderEvent) -> Self {
        match event {
            ReaderEvent::Block(block) => {
                let at = block
                    .bytes
                    .windows(4)
                    .position(|w| w == MARK)
                    .expect("no mark in block");
                let word = |at: usize| u32::from_be_bytes(block.bytes[at..at + 4].try_into().unwrap());
                Self::Unit {
                    track: block.track,
                    number: word(at + 4),
                    key: block.key,
                    rtp_time: word(8),
                    ssrc: word(12),
                }
            }
            ReaderEvent::Report(track, line) => Self::Report(*track, *line),
            ReaderEvent::Closed(reason) => Self::Closed(*reason),
        }
    }
}

/// `from..=until` without holes.
pub(crate) fn run(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
}
