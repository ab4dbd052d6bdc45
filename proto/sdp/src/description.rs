//! The description an RTSP reader gets for DESCRIBE (RFC 8866, RFC 2326 appendix C), and how one is read back.
//! Control URLs are relative (`trackID=N`); what they are relative to is the RTSP answer's business.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use std::fmt::Write;
use std::num::NonZeroU32;
use weft_rtp::SpsInfo;
use weft_wire::{ClockRate, Codec, MediaKind, StreamName, TrackId, TrackInfo};

/// RTP payload type of every video track we send.
pub const VIDEO_PAYLOAD_TYPE: u8 = 96;
/// RTP payload type of every audio track we send.
pub const AUDIO_PAYLOAD_TYPE: u8 = 97;

/// The longest description that is read, in bytes, and the most media sections.
const MAX_LEN: usize = 64 * 1024;
const MAX_MEDIA: usize = 16;

/// The payload type a track is sent with.
#[must_use]
pub fn payload_type(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Video => VIDEO_PAYLOAD_TYPE,
        MediaKind::Audio => AUDIO_PAYLOAD_TYPE,
    }
}

/// Describes a stream: every track with its control `trackID=N`, parameter sets as far as known.
#[must_use]
pub fn description(tracks: &[TrackInfo], stream: &StreamName, session_id: u64) -> String {
    // `s=` must not be empty (readers refuse it); no `a=framerate`, which would be a guess.
    let mut out = format!(
        "v=0\r\no=- {session_id} 1 IN IP4 127.0.0.1\r\ns={stream}\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
         a=control:*\r\na=range:npt=now-\r\n"
    );
    for track in tracks {
        // A String takes any text.
        _ = describe_track(&mut out, track);
    }
    out
}

fn describe_track(out: &mut String, track: &TrackInfo) -> std::fmt::Result {
    let kind = track.codec.kind();
    let pt = payload_type(kind);
    let media = match kind {
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    };
    write!(out, "m={media} 0 RTP/AVP {pt}\r\na=rtpmap:{pt} ")?;
    match track.codec {
        Codec::H264 => {
            write!(
                out,
                "H264/{}\r\na=fmtp:{pt} packetization-mode=1",
                track.clock_rate.hz()
            )?;
            // RFC 6184 §8.1: profile, constraints and level are the three bytes after the SPS's NAL header.
            if let Some([_, a, b, c, ..]) = track.parameter_sets.first().map(|s| &s[..]) {
                let sets: Vec<String> = track.parameter_sets.iter().map(|s| BASE64.encode(s)).collect();
                let sets = sets.join(",");
                write!(
                    out,
                    ";profile-level-id={a:02X}{b:02X}{c:02X};sprop-parameter-sets={sets}"
                )?;
            }
        }
        Codec::Opus => {
            // RFC 7587 §7: two channels are always declared; sprop-stereo tells what is inside.
            let stereo = u8::from(track.channels >= 2);
            write!(out, "opus/48000/2\r\na=fmtp:{pt} sprop-stereo={stereo}")?;
        }
        // A codec added later must get its lines here before it is described at all.
        _ => write!(out, "{}/{}", track.codec, track.clock_rate.hz())?,
    }
    write!(out, "\r\na=control:trackID={}\r\n", track.id.0)
}

/// Why a text is no description we can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It does not begin with `v=0`.
    #[error("a session description begins with v=0")]
    NotSdp,
    /// Longer than is read, or with more media sections.
    #[error("the description is too large")]
    TooLarge,
    /// A line's value cannot be read.
    #[error("line `{0}` is malformed")]
    Line(String),
}

/// One media section of a description whose codec we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTrack {
    /// The track; its id is the place of the section among all, from 0.
    pub info: TrackInfo,
    /// RTP payload type.
    pub payload_type: u8,
    /// `a=control`, as written: relative or absolute; empty when missing.
    pub control: String,
}

/// Reads a description. Sections of codecs we do not know are left out; of several formats the first known counts.
///
/// # Errors
/// [`DescriptionError`] names the line that is wrong.
pub fn parse_description(text: &str) -> Result<Vec<DescribedTrack>, DescriptionError> {
    if text.len() > MAX_LEN {
        return Err(DescriptionError::TooLarge);
    }
    let mut lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty());
    if lines.next() != Some("v=0") {
        return Err(DescriptionError::NotSdp);
    }
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in lines {
        let malformed = || DescriptionError::Line(line.chars().take(80).collect());
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() == MAX_MEDIA {
                return Err(DescriptionError::TooLarge);
            }
            sections.push(Section::new(media).ok_or_else(malformed)?);
        } else if let (Some(section), Some(attribute)) = (sections.last_mut(), line.strip_prefix("a=")) {
            section.attribute(attribute).ok_or_else(malformed)?;
        }
    }
    let tracks = sections.iter().enumerate();
    Ok(tracks
        .filter_map(|(i, s)| s.track(u8::try_from(i).ok()?))
        .collect())
}

/// One `m=` section as its lines say.
struct Section<'a> {
    formats: Vec<u8>,
    maps: Vec<(u8, &'a str)>,
    parameters: Vec<(u8, &'a str)>,
    control: &'a str,
}

impl<'a> Section<'a> {
    fn new(media: &'a str) -> Option<Self> {
        let mut words = media.split(' ');
        let (_media, _port, _protocol) = (words.next()?, words.next()?, words.next()?);
        // Formats that are no numbers belong to protocols that are no RTP: nothing of theirs is known.
        let formats = words.filter_map(|w| w.parse().ok()).collect();
        Some(Self {
            formats,
            maps: Vec::new(),
            parameters: Vec::new(),
            control: "",
        })
    }

    fn attribute(&mut self, attribute: &'a str) -> Option<()> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "control" => self.control = value.trim(),
            "rtpmap" | "fmtp" => {
                let (format, value) = value.trim().split_once(' ')?;
                let entry = (format.parse().ok()?, value.trim());
                if name == "rtpmap" {
                    self.maps.push(entry)
                } else {
                    self.parameters.push(entry)
                }
            }
            _ => {}
        }
        Some(())
    }

    fn track(&self, id: u8) -> Option<DescribedTrack> {
        self.formats.iter().find_map(|format| {
            let map = self.maps.iter().find(|m| m.0 == *format)?.1;
            let parameters = self
                .parameters
                .iter()
                .find(|p| p.0 == *format)
                .map_or("", |p| p.1);
            Some(DescribedTrack {
                info: track_info(TrackId(id), map, parameters)?,
                payload_type: *format,
                control: self.control.to_owned(),
            })
        })
    }
}

fn track_info(id: TrackId, map: &str, parameters: &str) -> Option<TrackInfo> {
    let mut words = map.split('/');
    let name = words.next()?;
    let clock_rate = ClockRate(words.next()?.trim().parse::<NonZeroU32>().ok()?);
    let parameter = |wanted: &str| {
        let mut pairs = parameters.split(';').filter_map(|p| p.trim().split_once('='));
        pairs
            .find(|(n, _)| n.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, v)| v.trim())
    };
    let mut info = TrackInfo {
        id,
        codec: Codec::H264,
        clock_rate,
        channels: 0,
        parameter_sets: Vec::new(),
        width: 0,
        height: 0,
    };
    if name.eq_ignore_ascii_case("H264") {
        let sets = parameter("sprop-parameter-sets").unwrap_or("").split(',');
        // Cameras write broken ones; the stream carries its parameter sets in band as well.
        let sets = sets
            .filter_map(|s| BASE64.decode(s.trim()).ok())
            .filter(|s| !s.is_empty());
        info.parameter_sets = sets.map(Bytes::from).collect();
        if let Some(sps) = info.parameter_sets.first().and_then(|s| SpsInfo::parse(s)) {
            (info.width, info.height) = (sps.width, sps.height);
        }
    } else if name.eq_ignore_ascii_case("opus") {
        info.codec = Codec::Opus;
        info.channels = if parameter("sprop-stereo") == Some("1") {
            2
        } else {
            1
        };
    } else {
        return None;
    }
    Some(info)
}

#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;
