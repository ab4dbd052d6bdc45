//! One stream as renditions: where segments begin, what a new session or other parameter sets mean, when it is over.
//! Pure: it is told of units in order and knows no clock but theirs.

use super::cut::{Cutter, Placed};
use super::playlist::{Offered, media, multivariant};
use super::rendition::{Rendition, Targets};
use super::sound::{Boundary, Sound};
use crate::tap::{Description, TapUnit};
use std::sync::Arc;
use std::time::Duration;
use weft_mp4::{Sample, avc_sample, codec_string, init};
use weft_wire::{CaptureTime, ClockRate, MediaKind, TrackInfo};

/// Added to every position, so that none is before the beginning: pictures that are shown in another order than they are
/// decoded in begin a little earlier than the hub's origin.
const LEAD_SECONDS: i64 = 10;
/// A hole of so many microseconds in the pictures is no slow frame rate but an absence.
const ABSENCE: i64 = 1_500_000;
/// Sound goes on for so many microseconds without pictures; more would make its segments longer than they may be.
const AHEAD: i64 = 1_200_000;

/// How playlists are to be, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The least a segment lasts.
    pub(super) segment: Duration,
    /// About how long a part is; `None`: segments only.
    pub(super) part: Option<Duration>,
    /// Segments listed.
    pub(super) listed: usize,
    /// The most bytes of a segment.
    pub(super) max_bytes: usize,
    /// How often key units are asked for.
    pub(super) keyframe_interval: Duration,
}

/// What leads: the pictures, or the sound where there are none.
#[derive(Debug)]
struct Leader {
    info: TrackInfo,
    rendition: Rendition,
    cutter: Cutter,
    /// Decoding time at which the running segment began.
    begun: i64,
    /// Bytes of the running segment.
    bytes: usize,
    /// How long a unit usually lasts.
    usual: i64,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    shape: Shape,
    targets: Targets,
    description: Arc<Description>,
    leader: Leader,
    /// Sound beside the pictures, and what it is.
    sound: Option<(TrackInfo, Sound)>,
    /// Another session's units come, or they are described anew: nothing follows from what was before.
    joint: bool,
}

impl Stream {
    /// A stream that begins with these units, the first of the leading track being a key unit. `usual` is how long a unit of
    /// that track lasts, in its ticks; `msn` the number of the first segment.
    pub(super) fn begin(
        shape: Shape,
        description: &Arc<Description>,
        first: &TapUnit,
        usual: i64,
        tag: &str,
        msn: u64,
    ) -> Option<Self> {
        let tracks = &description.tracks;
        let info = tracks.iter().find(|track| track.id == first.track)?.clone();
        let frame = Duration::from_micros(u64::try_from(info.clock_rate.ticks_to_micros(usual)).ok()?);
        let targets = targets(&shape, frame);
        // Fragments are made of parts even where the playlist does not name them.
        let part = targets.part.unwrap_or(shape.segment);
        let name = match first.kind {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
        };
        let mut rendition = Rendition::new(name, tag, targets, msn);
        rendition.map(init(std::slice::from_ref(&info)).ok()?);
        rendition.begin(first.capture, false);
        let sound = tracks.iter().find(|track| {
            first.kind == MediaKind::Video
                && track.codec.kind() == MediaKind::Audio
                && init(&[(*track).clone()]).is_ok()
        });
        let begun = place(first.dts, info.clock_rate);
        let sound = sound.and_then(|track| {
            let mut rendition = Rendition::new("audio", tag, targets, msn);
            rendition.map(init(std::slice::from_ref(track)).ok()?);
            let cutter = Cutter::new(track.id, track.clock_rate, part);
            let start = convert(begun, info.clock_rate, track.clock_rate);
            Some((track.clone(), Sound::new(rendition, cutter, start, first.capture)))
        });
        Some(Self {
            shape,
            targets,
            description: Arc::clone(description),
            leader: Leader {
                cutter: Cutter::new(info.id, info.clock_rate, part),
                info,
                rendition,
                begun,
                bytes: 0,
                usual,
            },
            sound,
            joint: false,
        })
    }

    /// Another session's units follow, or the present one's are described anew. False: the stream cannot go on as what it is.
    pub(super) fn describe(&mut self, description: &Arc<Description>) -> bool {
        let same = description
            .tracks
            .iter()
            .find(|track| track.id == self.leader.info.id);
        let pictures = |d: &Description| {
            d.tracks
                .iter()
                .any(|track| track.codec.kind() == MediaKind::Video)
        };
        if pictures(description) && self.leader.info.codec.kind() == MediaKind::Audio {
            // There are pictures now: the list of renditions is another one.
            return false;
        }
        let changed = same.is_some_and(|track| track.parameter_sets != self.leader.info.parameter_sets);
        self.joint |= changed || description.session != self.description.session;
        self.description = Arc::clone(description);
        true
    }

    /// The next unit.
    pub(super) fn push(&mut self, unit: &TapUnit) {
        if unit.track == self.leader.info.id {
            self.lead(unit);
        } else if let Some((info, sound)) = &mut self.sound
            && unit.track == info.id
        {
            let time = place(unit.pts, info.clock_rate);
            let pictures = self.leader.cutter.newest();
            let pictures = pictures.map(|at| convert(at, self.leader.info.clock_rate, info.clock_rate));
            // While there are no pictures its place is not known: their hole will be its own.
            if pictures.is_none_or(|at| time <= at + info.clock_rate.micros_to_ticks(AHEAD)) {
                sound.push(time, &unit.data);
            }
        }
    }

    fn lead(&mut self, unit: &TapUnit) {
        let video = unit.kind == MediaKind::Video;
        let rate = self.leader.info.clock_rate;
        let time = place(unit.dts, rate);
        let key = unit.key || !video;
        let newest = self.leader.cutter.newest();
        let passed = newest.map(|newest| time - newest);
        if passed.is_some_and(|passed| passed <= 0) {
            return;
        }
        let absent = passed.is_some_and(|passed| rate.ticks_to_micros(passed) > ABSENCE);
        let length = rate.ticks_to_micros(time - self.leader.begun);
        let least = i64::try_from(self.shape.segment.as_micros()).unwrap_or(i64::MAX);
        let most = i64::try_from(self.targets.segment).unwrap_or(i64::MAX) * 1_000_000;
        let joint = key && (self.joint || absent) && newest.is_some();
        // Segments that would grow out of the playlist's bounds end even where nothing can begin.
        let usual = rate.ticks_to_micros(self.leader.usual);
        let forced = length + usual > most || self.leader.bytes >= self.shape.max_bytes;
        if joint || (key && length >= least) || forced {
            let from = match newest {
                Some(newest) if joint => time.min(newest + self.leader.usual),
                _ => time,
            };
            self.boundary(from, time, joint, unit.capture);
            self.leader.rendition.independent &= key;
        } else if let Some(passed) = passed {
            self.leader.usual = passed;
        }
        if joint {
            self.joint = false;
        }
        let data = if video {
            avc_sample(&unit.data)
        } else {
            unit.data.clone()
        };
        self.leader.bytes += data.len();
        let placed = Placed {
            time,
            sample: Sample {
                duration: 0,
                offset: i32::try_from(unit.pts - unit.dts).unwrap_or(0),
                key,
                data,
            },
        };
        for part in self.leader.cutter.push(placed) {
            self.leader.rendition.push(part);
        }
        if let Some((info, sound)) = &mut self.sound {
            sound.pictures_at(convert(time, rate, info.clock_rate));
        }
    }

    /// A segment ends at `from`, the next one begins at `to`.
    fn boundary(&mut self, from: i64, to: i64, discontinuity: bool, date: CaptureTime) {
        let leader = &mut self.leader;
        for part in leader.cutter.cut(from) {
            leader.rendition.push(part);
        }
        let same = self
            .description
            .tracks
            .iter()
            .find(|track| track.id == leader.info.id);
        if let Some(info) = same.filter(|info| info.parameter_sets != leader.info.parameter_sets)
            && let Ok(map) = init(std::slice::from_ref(info))
        {
            leader.rendition.close();
            leader.rendition.map(map);
            leader.info = info.clone();
        }
        leader.rendition.begin(date, discontinuity);
        leader.begun = to;
        leader.bytes = 0;
        if let Some((info, sound)) = &mut self.sound {
            let convert = |time| convert(time, leader.info.clock_rate, info.clock_rate);
            sound.boundary(Boundary {
                from: convert(from),
                to: convert(to),
                discontinuity,
                date,
            });
        }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        let leader = &mut self.leader;
        if let Some(newest) = leader.cutter.newest() {
            for part in leader.cutter.cut(newest + leader.usual) {
                leader.rendition.push(part);
            }
        }
        leader.rendition.end();
        if let Some((_, sound)) = &mut self.sound {
            sound.end();
        }
    }

    /// A rendition by its name.
    pub(super) fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions().find(|rendition| rendition.name == name)
    }

    fn renditions(&self) -> impl Iterator<Item = &Rendition> {
        let sound = self.sound.as_ref().map(|(_, sound)| &sound.rendition);
        std::iter::once(&self.leader.rendition).chain(sound)
    }

    /// Rises whenever there is more to be read.
    pub(super) fn progress(&self) -> u64 {
        self.renditions().map(|r| r.next_part() + r.next_msn()).sum()
    }

    /// True when players can begin, those that know no parts too.
    pub(super) fn is_playable(&self) -> bool {
        self.renditions().all(Rendition::has_whole)
    }

    /// A media playlist's text.
    pub(super) fn media(&self, name: &str, query: &str) -> Option<String> {
        let rendition = self.rendition(name)?;
        let others: Vec<&Rendition> = self.renditions().filter(|other| other.name != name).collect();
        Some(media(rendition, &others, query))
    }

    /// The multivariant playlist's text.
    pub(super) fn multivariant(&self, query: &str) -> String {
        let leader = offered(&self.leader.info, &self.leader.rendition, self.leader.usual);
        if self.leader.info.codec.kind() == MediaKind::Audio {
            return multivariant(None, leader.as_ref(), query);
        }
        let sound = self
            .sound
            .as_ref()
            .and_then(|(info, sound)| offered(info, &sound.rendition, 0));
        multivariant(leader.as_ref(), sound.as_ref(), query)
    }
}

fn offered(info: &TrackInfo, rendition: &Rendition, usual: i64) -> Option<Offered> {
    let frames = i64::from(info.clock_rate.hz()) * 1000 / usual.max(1);
    let video = info.codec.kind() == MediaKind::Video;
    Some(Offered {
        codec: codec_string(info)?,
        rate: rendition.bit_rate()?,
        size: (info.width, info.height),
        frames: if video {
            u32::try_from(frames).unwrap_or(0)
        } else {
            0
        },
        channels: info.channels.max(1),
    })
}

/// The targets of a stream whose units last `frame`: a part of whole units is never above its target and, as long as units
/// last about as long as they did, never below 85 % of it.
fn targets(shape: &Shape, frame: Duration) -> Targets {
    let longest = shape.segment.max(shape.keyframe_interval);
    let part = shape.part.map(|wanted| {
        let frame = frame.max(Duration::from_millis(1));
        let units = (wanted.as_secs_f64() * 0.9 / frame.as_secs_f64()).ceil().max(1.0);
        // A tenth above what so many units last, rounded to milliseconds.
        Duration::from_millis((frame.as_secs_f64() * units * 1100.0).ceil() as u64).max(wanted)
    });
    Targets {
        // Key units come a little later than they are asked for.
        segment: longest.as_secs_f64().ceil() as u64 + 1,
        part,
        listed: shape.listed,
    }
}

fn place(position: i64, rate: ClockRate) -> i64 {
    position.saturating_add(LEAD_SECONDS * i64::from(rate.hz()))
}

/// The same instant on another track's clock.
fn convert(time: i64, from: ClockRate, to: ClockRate) -> i64 {
    to.micros_to_ticks(from.ticks_to_micros(time))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
