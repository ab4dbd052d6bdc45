//! A publisher in a fight, synthetic or real: it begins, and in the end it is alive or was told why not.
//! Who should win is said in the tests.

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;
use weft::demo::publisher::Options;
use weft::demo::source::SourceUnit;
use weft::demo::{Clip, ClipLoop, Publisher, UnitSource};
use weft_ingest::synthetic::{Pace, SyntheticNode, SyntheticPublisher};
use weft_testkit::http;
use weft_wire::{Epoch, StreamName, nal_units};

/// A publisher in a fight.
pub(crate) enum Contender {
    Synthetic(u64, SyntheticPublisher),
    Real(u64, Box<Publisher>),
}

impl Contender {
    /// On a node of this process, with its first picture after `first`, or never.
    pub(crate) async fn synthetic(
        node: &SyntheticNode,
        stream: &StreamName,
        mark: u64,
        first: Option<Duration>,
    ) -> Result<Self> {
        let pace = Pace {
            interval: Duration::from_millis(10),
            gop: 50,
            bytes: 500,
            first,
            mark,
        };
        Ok(Self::Synthetic(mark, node.publish(stream.clone(), pace).await?))
    }

    /// Over real WebRTC, at a real node.
    pub(crate) async fn real(whip: &str, mark: u64) -> Result<Self> {
        let source = Marked {
            source: ClipLoop::new(Clip::demo()),
            mark,
        };
        let options = Options {
            obey_keyframes: true,
            ..Options::default()
        };
        Ok(Self::Real(
            mark,
            Box::new(Publisher::start(whip, source, options).await?),
        ))
    }

    pub(crate) fn mark(&self) -> u64 {
        match self {
            Self::Synthetic(mark, _) | Self::Real(mark, _) => *mark,
        }
    }

    /// Its claim, where that can be asked.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Synthetic(_, publisher) => Some(publisher.epoch()),
            Self::Real(..) => None,
        }
    }

    /// Why it was closed, in the words its publisher can read; `None` while it lives.
    pub(crate) async fn fate(&self) -> Result<Option<String>> {
        match self {
            Self::Synthetic(_, publisher) => Ok(publisher.closed().map(|reason| reason.token().to_owned())),
            Self::Real(_, publisher) => {
                let url = publisher.location();
                let address = format!(
                    "{}:{}",
                    url.host_str().context("a host")?,
                    url.port().context("a port")?
                );
                let answer = http::get(&address, url.path()).await?;
                Ok(match answer.status {
                    410 => Some(answer.json()?["reason"].as_str().context("a reason")?.to_owned()),
                    _ => None,
                })
            }
        }
    }

    /// Ends it without a word.
    pub(crate) fn kill(self) {
        match self {
            Self::Synthetic(_, publisher) => drop(publisher),
            Self::Real(_, publisher) => publisher.kill(),
        }
    }
}

/// A source whose pictures carry a mark in an SEI message of no known kind (ITU-T H.264 §D.1.7).
struct Marked {
    source: ClipLoop,
    mark: u64,
}

impl UnitSource for Marked {
    fn tracks(&self) -> Vec<weft::demo::clip::ClipTrack> {
        self.source.tracks()
    }

    fn next_unit(&mut self) -> Option<SourceUnit> {
        let mut unit = self.source.next_unit()?;
        if unit.track == 0 {
            unit.data = marked(&unit.data, self.mark);
        }
        Some(unit)
    }

    fn restart_at_key(&mut self) -> bool {
        self.source.restart_at_key()
    }
}

fn marked(unit: &[u8], mark: u64) -> Bytes {
    let mut sei = vec![6, 5, 40];
    sei.extend_from_slice(b"weft-fights-mark");
    sei.extend_from_slice(b"WEFTMARK");
    sei.extend((0..16).rev().map(|i| 0x40 | (mark >> (4 * i)) as u8 & 0x0f));
    sei.push(0x80);
    let mut out = BytesMut::new();
    let mut put = |nal: &[u8]| {
        out.put_u32(u32::try_from(nal.len()).unwrap_or(u32::MAX));
        out.put_slice(nal);
    };
    let mut done = false;
    for nal in nal_units(unit) {
        if nal.first().is_some_and(|head| (1..=5).contains(&(head & 31)))
            && !std::mem::replace(&mut done, true)
        {
            put(&sei);
        }
        put(nal);
    }
    out.freeze()
}
