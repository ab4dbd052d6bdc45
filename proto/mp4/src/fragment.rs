//! A fragment: `moof` and `mdat` of one or more tracks' samples (ISO/IEC 14496-12 §8.8), as a CMAF chunk has them.
//! Where fragments begin and end is the segmenter's decision.

use crate::{Error, track_number};
use bytes::Bytes;
use mp4_atom::{Encode, FourCC, Header, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry};
use weft_wire::TrackId;

/// Others depend on it, it depends on none, decoding may start here (§8.8.3.1: sample_depends_on 2).
const SYNC: u32 = 0x0200_0000;
/// It depends on others (1), decoding may not start here.
const NO_SYNC: u32 = 0x0101_0000;
/// Bytes of the header of `mdat`.
const MDAT_HEADER: usize = 8;

/// One sample of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// How long it lasts, in ticks of the track's clock.
    pub duration: u32,
    /// Presentation minus decoding, in ticks.
    pub offset: i32,
    /// Decoding may start here; true for sound.
    pub key: bool,
    /// As the sample entry wants it: see [`crate::avc_sample`].
    pub data: Bytes,
}

/// The samples of one track in a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which track.
    pub track: TrackId,
    /// Decoding time of the first sample, in ticks since the beginning of the presentation.
    pub time: u64,
    /// In decoding order.
    pub samples: Vec<Sample>,
}

impl Run {
    fn bytes(&self) -> usize {
        self.samples.iter().map(|s| s.data.len()).sum()
    }

    /// Its box; `at` is where its data begins, counted from the beginning of the `moof`.
    fn traf(&self, at: i32) -> Traf {
        let entries = self.samples.iter().map(|s| TrunEntry {
            duration: Some(s.duration),
            size: u32::try_from(s.data.len()).ok(),
            flags: Some(if s.key { SYNC } else { NO_SYNC }),
            cts: Some(i64::from(s.offset)),
        });
        Traf {
            tfhd: Tfhd {
                track_id: track_number(self.track),
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: self.time,
            }),
            trun: vec![Trun {
                data_offset: Some(at),
                samples: entries.collect::<Vec<_>>().into(),
            }],
            ..Traf::default()
        }
    }
}

/// One fragment. Runs without samples are left out; `sequence` rises from fragment to fragment.
///
/// # Errors
/// When there is no sample at all, or too much of them.
pub fn fragment(sequence: u32, runs: &[Run]) -> Result<Bytes, Error> {
    let runs: Vec<&Run> = runs.iter().filter(|run| !run.samples.is_empty()).collect();
    let data: usize = runs.iter().map(|run| run.bytes()).sum();
    if runs.is_empty() {
        return Err(Error::Empty);
    }
    let length = |bytes: usize| i32::try_from(bytes).map_err(|_| Error::TooLarge(data));
    let moof = |begin: usize| -> Result<Vec<u8>, Error> {
        let mut at = begin + MDAT_HEADER;
        let mut moof = Moof {
            mfhd: Mfhd {
                sequence_number: sequence,
            },
            traf: Vec::with_capacity(runs.len()),
        };
        for run in &runs {
            moof.traf.push(run.traf(length(at)?));
            at += run.bytes();
        }
        let mut bytes = Vec::new();
        moof.encode(&mut bytes)?;
        Ok(bytes)
    };
    length(data)?;
    // Its length does not depend on the offsets in it.
    let mut bytes = moof(moof(0)?.len())?;
    bytes.reserve_exact(MDAT_HEADER + data);
    let header = Header {
        kind: FourCC::new(b"mdat"),
        size: Some(data),
    };
    header.encode(&mut bytes)?;
    for sample in runs.iter().flat_map(|run| &run.samples) {
        bytes.extend_from_slice(&sample.data);
    }
    Ok(bytes.into())
}
