//! One key unit as a small MP4 file that players and libraries open: index in front, one sample, no fragments.
//! Which unit that is, and how old it may be, is the asker's business.

use crate::init::{brands, movie};
use crate::{Error, avc_sample};
use bytes::Bytes;
use mp4_atom::{Encode, FourCC, Header, Moov, StscEntry, StszSamples, SttsEntry};
use weft_wire::TrackInfo;

/// How long the picture stands, in ticks of its clock (1/25 s of 90 kHz): a file of no length is shown by no player.
const STANDS: u32 = 3_600;

/// The file of one H.264 key unit: `unit` is an access unit's `data`, `track` describes it (its parameter sets, or those in
/// front of the unit).
///
/// # Errors
/// When neither the track nor the unit has parameter sets, or the track is no video.
pub fn still(track: &TrackInfo, unit: &Bytes) -> Result<Bytes, Error> {
    let mut track = track.clone();
    let own = weft_rtp::ParameterSets::from_nals(weft_wire::nal_units(unit));
    if own.is_complete() {
        track.parameter_sets = own.nals().cloned().collect();
    }
    let sample = avc_sample(unit);
    if sample.is_empty() {
        return Err(Error::Empty);
    }
    let mut moov = movie(std::slice::from_ref(&track))?;
    let file = brands(b"isom", &[b"isom", b"iso2", b"avc1", b"mp41"]);
    let mut bytes = Vec::new();
    file.encode(&mut bytes)?;
    let mut index = Vec::new();
    describe(&mut moov, &track, &sample, 0)?;
    moov.encode(&mut index)?;
    // The index has the same length whatever offset it names.
    describe(&mut moov, &track, &sample, bytes.len() + index.len() + 8)?;
    moov.encode(&mut bytes)?;
    let header = Header {
        kind: FourCC::new(b"mdat"),
        size: Some(sample.len()),
    };
    header.encode(&mut bytes)?;
    bytes.extend_from_slice(&sample);
    Ok(bytes.into())
}

fn describe(moov: &mut Moov, track: &TrackInfo, sample: &Bytes, at: usize) -> Result<(), Error> {
    let number = |n: usize| u32::try_from(n).map_err(|_| Error::TooLarge(sample.len()));
    moov.mvhd.duration =
        u64::from(STANDS) * u64::from(moov.mvhd.timescale) / u64::from(track.clock_rate.hz());
    for trak in &mut moov.trak {
        trak.tkhd.duration = moov.mvhd.duration;
        trak.mdia.mdhd.duration = u64::from(STANDS);
        let table = &mut trak.mdia.minf.stbl;
        table.stts.entries = vec![SttsEntry {
            sample_count: 1,
            sample_delta: STANDS,
        }];
        table.stsc.entries = vec![StscEntry {
            first_chunk: 1,
            samples_per_chunk: 1,
            sample_description_index: 1,
        }];
        table.stsz.samples = StszSamples::Different {
            sizes: vec![number(sample.len())?],
        };
        if let Some(chunks) = &mut table.stco {
            chunks.entries = vec![number(at)?];
        }
    }
    Ok(())
}
