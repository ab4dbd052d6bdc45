//! The text of playlists (RFC 8216; draft-pantos-hls-rfc8216bis-16 for the low-latency tags).
//! What there is to list is the rendition's knowledge; who may read it is decided before.

use super::rendition::{Rendition, Segment};
use std::fmt::Write;
use std::time::Duration;

/// Parts are named for as long behind the end as this many target durations (§4.4.4.9).
const PARTS_OF: u32 = 3;
/// A client stays this many part targets behind the end (§4.4.3.8).
const HOLD_BACK: u32 = 3;

/// The media playlist. `query` is what every URL in it carries, with its `?`; `others` are the stream's other renditions.
pub(super) fn media(of: &Rendition, others: &[&Rendition], query: &str) -> String {
    // Writing to a string does not fail.
    let mut text = String::with_capacity(4096);
    let targets = of.targets;
    _ = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{}\n",
        targets.segment
    );
    _ = write!(
        text,
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={}.0",
        3 * targets.segment
    );
    if let Some(part) = targets.part {
        let hold_back = (part * HOLD_BACK).as_secs_f64();
        _ = write!(
            text,
            ",PART-HOLD-BACK={hold_back:.5}\n#EXT-X-PART-INF:PART-TARGET={:.5}",
            part.as_secs_f64()
        );
    }
    let first = of.listed().next();
    _ = write!(text, "\n#EXT-X-MEDIA-SEQUENCE:{}\n", first.map_or(0, |s| s.msn));
    match of.discontinuity_sequence() {
        0 => {}
        number => _ = writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{number}"),
    }
    if of.independent {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    let mut behind: Duration = of.listed().map(Segment::duration).sum();
    let near = Duration::from_secs(targets.segment) * PARTS_OF;
    let mut map = None;
    for segment in of.listed() {
        if segment.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if map.replace(segment.map) != Some(segment.map) {
            _ = writeln!(text, "#EXT-X-MAP:URI=\"{}{query}\"", init_name(of, segment.map));
        }
        _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", segment.date);
        // By its end: a segment's parts are named together or not at all.
        if targets.part.is_some() && behind <= near {
            parts(&mut text, of, segment, query);
        }
        behind = behind.saturating_sub(segment.duration());
        if segment.whole {
            let duration = segment.duration().as_secs_f64();
            _ = writeln!(
                text,
                "#EXTINF:{duration:.5},\n{}{query}",
                segment_name(of, segment.msn)
            );
        }
    }
    if of.ended {
        text.push_str("#EXT-X-ENDLIST\n");
    } else if targets.part.is_some() {
        let next = part_name(of, of.next_part());
        _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{next}{query}\"");
        for other in others {
            let Some((msn, part)) = other.last() else { continue };
            let name = other.name;
            _ = writeln!(
                text,
                "#EXT-X-RENDITION-REPORT:URI=\"{name}.m3u8{query}\",LAST-MSN={msn},LAST-PART={part}"
            );
        }
    }
    text
}

fn parts(text: &mut String, of: &Rendition, segment: &Segment, query: &str) {
    for (number, part) in (segment.first_part..).zip(&segment.parts) {
        let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
        _ = writeln!(
            text,
            "#EXT-X-PART:DURATION={:.5},URI=\"{}{query}\"{independent}",
            part.duration.as_secs_f64(),
            part_name(of, number)
        );
    }
}

/// The name of an init segment.
fn init_name(of: &Rendition, number: u64) -> String {
    format!("{}_{}_init{number}.mp4", of.name, of.tag)
}

/// The name of a segment.
fn segment_name(of: &Rendition, msn: u64) -> String {
    format!("{}_{}_seg{msn}.mp4", of.name, of.tag)
}

/// The name of a part: counted over the whole life of the playlist, so that the one hinted at is always the next.
fn part_name(of: &Rendition, number: u64) -> String {
    format!("{}_{}_part{number}.mp4", of.name, of.tag)
}

/// What a rendition has to say in the multivariant playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) codec: String,
    /// Bits per second: peak and average.
    pub(super) rate: (u64, u64),
    /// Width and height in pixels, 0 where that is not known.
    pub(super) size: (u32, u32),
    /// Thousandths of frames per second, 0 where that is not known.
    pub(super) frames: u32,
    /// Sound: how many channels.
    pub(super) channels: u8,
}

/// The multivariant playlist: pictures with sound, then pictures alone for players that take no Opus in MP4.
pub(super) fn multivariant(video: Option<&Offered>, audio: Option<&Offered>, query: &str) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if let (Some(_), Some(sound)) = (video, audio) {
        _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"{}\",URI=\"audio.m3u8{query}\"",
            sound.channels
        );
    }
    if let Some(pictures) = video {
        for sound in audio.map(Some).into_iter().chain([None]) {
            variant(&mut text, Some(pictures), sound);
            _ = writeln!(text, "video.m3u8{query}");
        }
    } else if audio.is_some() {
        variant(&mut text, None, audio);
        _ = writeln!(text, "audio.m3u8{query}");
    }
    text
}

fn variant(text: &mut String, pictures: Option<&Offered>, sound: Option<&Offered>) {
    let both = || pictures.into_iter().chain(sound);
    let codecs: Vec<&str> = both().map(|offered| &*offered.codec).collect();
    let (peak, average) = both().fold((0, 0), |(p, a), offered| (p + offered.rate.0, a + offered.rate.1));
    _ = write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"",
        codecs.join(",")
    );
    if let Some(pictures) = pictures {
        let (width, height) = pictures.size;
        if width > 0 && height > 0 {
            _ = write!(text, ",RESOLUTION={width}x{height}");
        }
        if pictures.frames > 0 {
            _ = write!(
                text,
                ",FRAME-RATE={}.{:03}",
                pictures.frames / 1000,
                pictures.frames % 1000
            );
        }
        if sound.is_some() {
            text.push_str(",AUDIO=\"sound\"");
        }
    }
    text.push('\n');
}

/// What a file's name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Init(u64),
    Segment(u64),
    Part(u64),
}

/// Reads a file's name: which rendition, whose tag, which file.
pub(super) fn parse(name: &str) -> Option<(&str, &str, File)> {
    let mut pieces = name.strip_suffix(".mp4")?.splitn(3, '_');
    let (rendition, tag, file) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let number = |prefix: &str| file.strip_prefix(prefix)?.parse().ok();
    let file = None
        .or_else(|| number("init").map(File::Init))
        .or_else(|| number("seg").map(File::Segment))
        .or_else(|| number("part").map(File::Part))?;
    Some((rendition, tag, file))
}

#[cfg(test)]
#[path = "playlist_tests.rs"]
mod tests;
