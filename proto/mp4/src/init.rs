//! The init segment: `ftyp` and a `moov` that describes the tracks and holds no media (ISO/IEC 23000-19 §7.3.1).
//! What makes a `moov` of a file with media in it is added by the still picture.

use crate::{Error, track_number};
use bytes::Bytes;
use mp4_atom::{
    Audio, Avc1, Avcc, Codec as Entry, Compressor, Dinf, Dops, Dref, DrefEntry, Encode, FourCC, Ftyp, Hdlr,
    Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Opus, Smhd, Stbl, Stco, Stsc, Stsd, Stsz, Stts, Tkhd, Trak, Trex,
    Url, Visual, Vmhd,
};
use weft_rtp::{NalKind, ParameterSets};
use weft_wire::{Codec, MediaKind, TrackInfo};

/// Units of the movie header, which says nothing of time.
const MOVIE_HZ: u32 = 1000;
/// Opus encoders start 6.5 ms early unless told otherwise; 80 ms is what decoders need to converge (RFC 7845 §4.6), which a
/// live stream that was joined in its middle has behind it.
const OPUS_PRE_SKIP: u16 = 312;

/// The init segment of these tracks.
///
/// # Errors
/// When there are none, one has no parameter sets yet, or one's codec has no place in MP4.
pub fn init(tracks: &[TrackInfo]) -> Result<Bytes, Error> {
    if tracks.is_empty() {
        return Err(Error::Empty);
    }
    let mut moov = movie(tracks)?;
    moov.mvex = Some(Mvex {
        mehd: None,
        trex: tracks.iter().map(extends).collect(),
    });
    let mut bytes = Vec::with_capacity(1024);
    brands(b"iso6", &[b"iso6", b"cmfc", b"mp41"]).encode(&mut bytes)?;
    moov.encode(&mut bytes)?;
    Ok(bytes.into())
}

pub(crate) fn brands(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Ftyp {
    Ftyp {
        major_brand: FourCC::new(major),
        minor_version: 0,
        compatible_brands: compatible.iter().map(|brand| FourCC::new(brand)).collect(),
    }
}

/// A movie with these tracks and no samples.
pub(crate) fn movie(tracks: &[TrackInfo]) -> Result<Moov, Error> {
    Ok(Moov {
        mvhd: Mvhd {
            timescale: MOVIE_HZ,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: tracks.iter().map(|t| track_number(t.id)).max().unwrap_or(0) + 1,
            ..Mvhd::default()
        },
        trak: tracks.iter().map(track).collect::<Result<_, _>>()?,
        ..Moov::default()
    })
}

fn extends(info: &TrackInfo) -> Trex {
    Trex {
        track_id: track_number(info.id),
        default_sample_description_index: 1,
        ..Trex::default()
    }
}

fn track(info: &TrackInfo) -> Result<Trak, Error> {
    let (entry, width, height) = match info.codec {
        Codec::H264 => picture_entry(info)?,
        Codec::Opus => (sound_entry(info), 0, 0),
        other => return Err(Error::Codec(other)),
    };
    let video = info.codec.kind() == MediaKind::Video;
    Ok(Trak {
        tkhd: Tkhd {
            track_id: track_number(info.id),
            enabled: true,
            in_movie: true,
            volume: u8::from(!video).into(),
            width: width.into(),
            height: height.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: info.clock_rate.hz(),
                language: "und".to_owned(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(if video { b"vide" } else { b"soun" }),
                name: (if video { "video" } else { "audio" }).to_owned(),
            },
            minf: Minf {
                vmhd: video.then(Vmhd::default),
                smhd: (!video).then(Smhd::default),
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                stbl: Stbl {
                    stsd: Stsd { codecs: vec![entry] },
                    stts: Stts::default(),
                    stsc: Stsc::default(),
                    stsz: Stsz::default(),
                    stco: Some(Stco::default()),
                    ..Stbl::default()
                },
                ..Minf::default()
            },
        },
        ..Trak::default()
    })
}

fn picture_entry(info: &TrackInfo) -> Result<(Entry, u16, u16), Error> {
    let sets = ParameterSets::from_nals(info.parameter_sets.iter().map(|nal| &nal[..]));
    let sps = sets
        .info()
        .filter(|_| sets.is_complete())
        .ok_or(Error::NoParameterSets)?;
    let of = |kind: NalKind| {
        let has = move |nal: &&Bytes| nal.first().is_some_and(|head| NalKind::of(*head) == kind);
        sets.nals().filter(has).map(|nal| nal.to_vec()).collect()
    };
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let (width, height) = (side(sps.width), side(sps.height));
    let entry = Avc1 {
        visual: Visual {
            data_reference_index: 1,
            width,
            height,
            compressor: Compressor::default(),
            ..Visual::default()
        },
        avcc: Avcc {
            configuration_version: 1,
            avc_profile_indication: sps.profile,
            profile_compatibility: sps.constraints,
            avc_level_indication: sps.level,
            length_size: 4,
            sequence_parameter_sets: of(NalKind::Sps),
            picture_parameter_sets: of(NalKind::Pps),
            // What the high profiles would repeat here stands in the SPS, where decoders read it.
            ext: None,
        },
        ..Avc1::default()
    };
    Ok((Entry::Avc1(entry), width, height))
}

fn sound_entry(info: &TrackInfo) -> Entry {
    let channels = info.channels.clamp(1, 2);
    Entry::Opus(Opus {
        audio: Audio {
            data_reference_index: 1,
            channel_count: u16::from(channels),
            sample_size: 16,
            sample_rate: 48_000.into(),
        },
        dops: Dops {
            output_channel_count: channels,
            pre_skip: OPUS_PRE_SKIP,
            input_sample_rate: 48_000,
            output_gain: 0,
            channel_mapping: None,
        },
        btrt: None,
    })
}
