//! The clips that are sent: made once by FFmpeg, cut into RTP payloads once, with a blank stamp in each picture. When a packet
//! leaves, and under which number, is the publisher's business.

use crate::{ogg, stamp};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;
use weft_testkit::units::{is_key, pictures};
use weft_testkit::{fixture, tools};

/// RTP payload bytes of a packet at most: with headers and SRTP's tag below the smallest MTU in common use.
const PAYLOAD: usize = 1188;
/// Length of a clip.
const SECONDS: u32 = 20;
/// Pictures a second.
const RATE: u32 = 30;
/// A key picture each 2 s.
const GOP: u32 = 60;
/// Opus packets a second.
const AUDIO_RATE: u32 = 50;

/// Which clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub enum Kind {
    /// 720p, 30 pictures/s, 2 Mbit/s.
    #[value(name = "2m")]
    #[serde(rename = "2m")]
    Two,
    /// 1080p, 30 pictures/s, 8 Mbit/s.
    #[value(name = "8m")]
    #[serde(rename = "8m")]
    Eight,
}

/// One access unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Video, else audio.
    pub video: bool,
    /// Decoding can begin here.
    pub key: bool,
    /// Ticks of the track's clock since the clip's start.
    pub ticks: u32,
    /// When it is due after the clip's start.
    pub due: Duration,
    /// Its RTP payloads.
    pub packets: Vec<Vec<u8>>,
    /// Where the stamp's NAL unit stands in the first payload; video only.
    pub stamp: usize,
    /// Bytes of its slices, NAL unit headers included.
    pub slices: u32,
}

/// A clip, ready to be sent over and again.
#[derive(Debug, Clone)]
pub struct Clip {
    /// In the order of time.
    pub units: Vec<Unit>,
    /// After this the first follows the last.
    pub duration: Duration,
    /// Bytes of slices of each picture, in order, for those who check what arrives.
    pub slices: Vec<u32>,
}

impl Clip {
    /// The clip of this kind, made on first use.
    ///
    /// # Errors
    /// When FFmpeg is missing or fails.
    pub fn load(kind: Kind, audio: bool) -> Result<Self> {
        let (name, size, kbit) = match kind {
            Kind::Two => ("load-2m", "1280x720", 2000),
            Kind::Eight => ("load-8m", "1920x1080", 8000),
        };
        let folder = tools::root().join("target/fixtures");
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let (video, sound) = (
            folder.join(format!("{name}.h264")),
            folder.join(format!("{name}.opus")),
        );
        if !video.exists() || !sound.exists() {
            make(&video, &sound, size, kbit)
                .with_context(|| format!("making the clip {}", video.display()))?;
        }
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
        let sound = if audio {
            ogg::packets(&read(&sound)?)?
        } else {
            Vec::new()
        };
        let clip = Self::cut(&read(&video)?, &sound);
        ensure!(
            clip.slices.len() == (SECONDS * RATE) as usize,
            "{} has {} pictures: remove it, it will be made again",
            video.display(),
            clip.slices.len()
        );
        Ok(clip)
    }

    /// Cuts an Annex-B byte stream and Opus packets into units.
    #[must_use]
    pub fn cut(video: &[u8], sound: &[Vec<u8>]) -> Self {
        let mut units: Vec<Unit> = pictures(video)
            .iter()
            .zip(0..)
            .map(|(nals, number)| picture(nals, number))
            .collect();
        let slices: Vec<u32> = units.iter().map(|unit| unit.slices).collect();
        let pictures = u32::try_from(units.len()).unwrap_or(u32::MAX);
        let duration = Duration::from_secs(1) * pictures / RATE;
        units.extend(sound.iter().zip(0..).map(|(packet, number)| Unit {
            video: false,
            key: false,
            ticks: number * (48_000 / AUDIO_RATE),
            due: Duration::from_secs(1) * number / AUDIO_RATE,
            packets: vec![packet.clone()],
            stamp: 0,
            slices: 0,
        }));
        units.retain(|unit| unit.due < duration);
        units.sort_by_key(|unit| unit.due);
        Self {
            units,
            duration,
            slices,
        }
    }

    /// Bits per second of RTP payload.
    #[must_use]
    pub fn bit_rate(&self) -> f64 {
        let bytes: usize = self
            .units
            .iter()
            .flat_map(|unit| &unit.packets)
            .map(Vec::len)
            .sum();
        bytes as f64 * 8.0 / self.duration.as_secs_f64()
    }

    /// RTP packets a second.
    #[must_use]
    pub fn packet_rate(&self) -> f64 {
        let packets: usize = self.units.iter().map(|unit| unit.packets.len()).sum();
        packets as f64 / self.duration.as_secs_f64()
    }
}

/// One picture as RTP payloads (RFC 6184): parameter sets and stamp in one aggregation packet, or the stamp by itself, then
/// the slices.
fn picture(nals: &[&[u8]], number: u32) -> Unit {
    let kind = |nal: &[u8]| nal.first().map_or(0, |head| head & 31);
    let sets: Vec<&[u8]> = nals
        .iter()
        .copied()
        .filter(|nal| matches!(kind(nal), 7 | 8))
        .collect();
    let blank = stamp::blank();
    let (first, stamp) = if sets.is_empty() {
        (blank, 0)
    } else {
        // STAP-A (section 5.7.1)
        let mut packet = vec![0x78];
        for nal in sets.iter().copied().chain([&blank[..]]) {
            packet.extend_from_slice(&u16::try_from(nal.len()).unwrap_or(u16::MAX).to_be_bytes());
            packet.extend_from_slice(nal);
        }
        let stamp = packet.len() - blank.len();
        (packet, stamp)
    };
    let mut unit = Unit {
        video: true,
        key: is_key(nals),
        ticks: number * (90_000 / RATE),
        due: Duration::from_secs(1) * number / RATE,
        packets: vec![first],
        stamp,
        slices: 0,
    };
    for nal in nals.iter().filter(|nal| matches!(kind(nal), 1..=5)) {
        unit.slices += u32::try_from(nal.len()).unwrap_or(u32::MAX);
        fragment(nal, &mut unit.packets);
    }
    unit
}

/// A NAL unit as one packet, or in fragments of equal size (FU-A, section 5.8).
fn fragment(nal: &[u8], packets: &mut Vec<Vec<u8>>) {
    let [head, rest @ ..] = nal else { return };
    if nal.len() <= PAYLOAD {
        packets.push(nal.to_vec());
        return;
    }
    let mut parts = rest.chunks(PAYLOAD - 2).peekable();
    let mut start = 0x80;
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() { 0x40 } else { 0 };
        let mut packet = vec![(head & 0xe0) | 28, start | end | (head & 31)];
        packet.extend_from_slice(part);
        packets.push(packet);
        start = 0;
    }
}

fn make(video: &Path, sound: &Path, size: &str, kbit: u32) -> Result<()> {
    let picture = format!("testsrc2=s={size}:r={RATE},noise=alls=12:allf=t,format=yuv420p");
    let rate = format!("{kbit}k");
    let level = if kbit > 4000 { "4.0" } else { "3.1" };
    let x264 =
        format!("aud=0:scenecut=0:slices=1:sliced-threads=0:repeat-headers=1:keyint={GOP}:min-keyint={GOP}");
    let (seconds, buffer) = (SECONDS.to_string(), format!("{}k", kbit / 2));
    // Written under a name of its own and renamed, so that two runs never see half a file.
    let part = |path: &Path| -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("part-{}-{name}", std::process::id()))
    };
    let (video_part, sound_part) = (part(video), part(sound));
    fixture::ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-t",
        &seconds,
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-level",
        level,
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-x264-params",
        &x264,
        "-b:v",
        &rate,
        "-maxrate",
        &rate,
        "-bufsize",
        &buffer,
        "-f",
        "h264",
        &video_part.to_string_lossy(),
    ])?;
    fixture::ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "sine=440:r=48000",
        "-t",
        &seconds,
        "-c:a",
        "libopus",
        "-ac",
        "2",
        "-b:a",
        "48k",
        "-frame_duration",
        "20",
        "-f",
        "ogg",
        &sound_part.to_string_lossy(),
    ])?;
    std::fs::rename(sound_part, sound)?;
    std::fs::rename(video_part, video)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect()
    }

    #[test]
    fn a_picture_is_stamp_and_slices_and_a_key_picture_has_its_parameter_sets() {
        let mut big = vec![0x65, 0x88];
        big.extend(std::iter::repeat_n(7, 3000));
        let stream = annex_b(&[&[0x67, 1], &[0x68, 2], &big, &[0x41, 0x9a, 9]]);
        let clip = Clip::cut(&stream, &[vec![1, 2], vec![3]]);
        let [key, sound, _, other] = &clip.units[..] else {
            panic!("{:?}", clip.units.len())
        };
        let _ = sound;
        assert!(key.key && key.video && !other.key);
        assert_eq!(key.packets.len(), 1 + 3);
        assert_eq!(key.packets[0][0] & 31, 24);
        assert_eq!(key.packets[0].len() - key.stamp, stamp::SIZE);
        assert_eq!(key.packets[1][..2], [0x60 | 28, 0x80 | 5]);
        assert_eq!(key.packets[3][..2], [0x60 | 28, 0x40 | 5]);
        assert_eq!(clip.slices, [big.len() as u32, 3]);
        assert_eq!((other.stamp, other.packets.len(), other.ticks), (0, 2, 3000));
    }
}
