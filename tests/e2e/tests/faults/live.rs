//! A stream under observation: a publisher in this process that stamps its pictures and answers keyframe requests, and two
//! readers that stay, each at home on another egress node. What breaks meanwhile is the tests' doing.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::time::{Duration, Instant};
use weft::demo::clip::{ClipTrack, ClipUnit};
use weft::demo::publisher::Options;
use weft::demo::source::SourceUnit;
use weft::demo::{Clip, ClipLoop, Publisher, UnitSource};
use weft_testkit::fixture::{self, Recipe};
use weft_testkit::stamp;
use weft_testkit::units;
use weft_testkit::watch::Watcher;
use weft_wire::{Codec, nal_units};

/// Time between two pictures.
pub(super) const FRAME: Duration = Duration::from_millis(40);

/// Small enough for a dozen beside everything else on two cores; a key picture each 2 s, as is usual.
const RECIPE: Recipe = Recipe {
    name: "faults",
    seconds: 20,
    size: (320, 180),
    rate: 25,
    gop: 50,
    kbit: 150,
};

/// The clip that all streams play.
pub(super) fn clip() -> Result<Clip> {
    let data = std::fs::read(fixture::clip(RECIPE)?.raw)?;
    let pictures = units::pictures(&data);
    let step = 90_000 / RECIPE.rate;
    let unit = |(place, nals): (usize, &Vec<&[u8]>)| ClipUnit {
        track: 0,
        key: units::is_key(nals),
        pts: place as u32 * step,
        data: Bytes::from(units::length_prefix(nals)),
    };
    Ok(Clip {
        tracks: vec![ClipTrack {
            codec: Codec::H264,
            clock_rate: 90_000,
            channels: 0,
        }],
        units: pictures.iter().enumerate().map(unit).collect(),
        duration: FRAME * pictures.len() as u32,
    })
}

/// Puts into each picture when it was due.
struct Stamped {
    inner: ClipLoop,
    /// UTC in µs at which the source began; the sender asks for the first unit when it begins.
    start: Option<u64>,
}

impl UnitSource for Stamped {
    fn tracks(&self) -> Vec<ClipTrack> {
        self.inner.tracks()
    }

    fn next_unit(&mut self) -> Option<SourceUnit> {
        let start = *self.start.get_or_insert_with(stamp::now);
        let unit = self.inner.next_unit()?;
        let stamp = stamp::nal(start + unit.due.as_micros() as u64);
        let nals: Vec<&[u8]> = nal_units(&unit.data).collect();
        let picture = nals.iter().position(|nal| matches!(nal[0] & 0x1f, 1..=5));
        let (before, after) = nals.split_at(picture.unwrap_or(0));
        let data = units::length_prefix(&[before, &[&stamp], after].concat());
        Some(SourceUnit {
            data: data.into(),
            ..unit
        })
    }

    fn restart_at_key(&mut self) -> bool {
        self.inner.restart_at_key()
    }
}

/// A stream with its publisher and readers.
pub(super) struct Live {
    pub(super) name: String,
    clip: Clip,
    publisher: Option<Publisher>,
    /// When the last offer was posted, and the same by UTC in µs.
    pub(super) posted: (Instant, u64),
    pub(super) watchers: Vec<Watcher>,
}

impl Live {
    pub(super) fn new(name: String, clip: Clip) -> Self {
        Live {
            name,
            clip,
            publisher: None,
            posted: (Instant::now(), 0),
            watchers: Vec::new(),
        }
    }

    /// Publishes at this WHIP address; a publisher before it goes on until it is taken over from, and must be within 5 s.
    pub(super) async fn publish(&mut self, whip: &str) -> Result<()> {
        self.posted = (Instant::now(), stamp::now());
        let source = Stamped {
            inner: ClipLoop::new(self.clip.clone()),
            start: None,
        };
        let options = Options {
            obey_keyframes: true,
            ..Options::default()
        };
        let publisher = Publisher::start(whip, source, options)
            .await
            .with_context(|| format!("publishing {} at {whip}", self.name))?;
        if let Some(old) = self.publisher.replace(publisher) {
            tokio::time::timeout(Duration::from_secs(5), old.ended())
                .await
                .with_context(|| format!("{}: the old publisher was not closed", self.name))?;
        }
        Ok(())
    }

    /// The publisher vanishes without a word.
    pub(super) fn vanish(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.kill();
        }
    }

    /// From the last offer to the first picture sent after it, for each reader that got one.
    pub(super) fn back(&self) -> Vec<Option<Duration>> {
        let (posted, utc) = self.posted;
        let back = |watcher: &Watcher| {
            let notes = watcher.notes();
            let first = notes.pictures.iter().find(|picture| picture.stamp >= utc);
            first.map(|picture| picture.arrival.saturating_duration_since(posted))
        };
        self.watchers.iter().map(back).collect()
    }
}
