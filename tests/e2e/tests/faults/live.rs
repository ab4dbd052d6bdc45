//! A stream under observation: a publisher in this process that stamps its pictures and answers keyframe requests, and two
//! readers that stay, each at home on another egress node. What breaks meanwhile is the tests' doing.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::time::{Duration, Instant};
use weft::demo::clip::{ClipTrack, ClipUnit};
use weft::demo::follower::FollowOptions;
use weft::demo::journal::{Entry, Happened};
use weft::demo::{Clip, ClipLoop, Follower, StampedLoop};
use weft_testkit::fixture::{self, Recipe};
use weft_testkit::stamp;
use weft_testkit::units;
use weft_testkit::watch::Watcher;
use weft_wire::Codec;

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

/// A stream with its publisher and readers.
pub(super) struct Live {
    pub(super) name: String,
    clip: Clip,
    publisher: Option<Follower>,
    /// When the last publisher began, and the same by UTC in µs.
    posted: (Instant, u64),
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

    /// Publishes at the first of these WHIP addresses that takes it and comes back at the next when it is lost. A publisher
    /// before it goes on until it is taken over from, and must be within 5 s.
    pub(super) async fn publish(&mut self, whips: Vec<String>) -> Result<()> {
        self.posted = (Instant::now(), stamp::now());
        let mut options = FollowOptions::default();
        options.publisher.obey_keyframes = true;
        let clip = self.clip.clone();
        let publisher = Follower::start(
            whips,
            move || StampedLoop::new(ClipLoop::new(clip.clone())),
            options,
        );
        let up = async {
            let mut seen = 0;
            loop {
                let news = publisher.after(seen).await;
                seen += news.len();
                if news
                    .iter()
                    .any(|entry| matches!(entry.what, Happened::Publishing(_)))
                {
                    return;
                }
            }
        };
        let up = tokio::time::timeout(Duration::from_secs(10), up).await;
        up.with_context(|| format!("{} is not taken: {:?}", self.name, publisher.log()))?;
        if let Some(old) = self.publisher.replace(publisher) {
            tokio::time::timeout(Duration::from_secs(5), old.ended())
                .await
                .with_context(|| format!("{}: the old publisher did not end: {:?}", self.name, old.log()))?;
        }
        Ok(())
    }

    /// The publisher vanishes without a word.
    pub(super) fn vanish(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.kill();
        }
    }

    /// How many sessions of its publisher have been lost since a moment.
    pub(super) fn lost(&self, since: Instant) -> usize {
        let log = self.publisher.as_ref().map(Follower::log).unwrap_or_default();
        let lost = |entry: &&Entry| entry.at.into_std() >= since && matches!(entry.what, Happened::Lost(_));
        log.iter().filter(lost).count()
    }

    /// What happened to the publisher, for messages.
    pub(super) fn story(&self) -> String {
        let log = self.publisher.as_ref().map(Follower::log).unwrap_or_default();
        let lines: Vec<String> = log
            .iter()
            .map(|entry| format!("{:?} ago: {}", entry.at.elapsed(), entry.what))
            .collect();
        format!("publisher of {}:\n{}\n", self.name, lines.join("\n"))
    }

    /// From the last publisher's beginning to the first picture sent after it, for each reader that got one.
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
