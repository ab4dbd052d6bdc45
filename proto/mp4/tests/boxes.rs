//! What is written, read back with the same library and checked box by box. Whether players take it is asked of FFmpeg and
//! browsers, in `tests/interop`.

use bytes::Bytes;
use mp4_atom::{Any, Codec as Entry, Decode, DecodeMaybe, Ftyp, Header, Mdat, Moof, Moov};
use std::io::Cursor;
use weft_mp4::{Error, Run, Sample, avc_sample, codec_string, fragment, init, still};
use weft_wire::{ClockRate, Codec, TrackId, TrackInfo};

/// 640x360, from the demo clip.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
];
const PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc8];
const IDR: &[u8] = &[0x65, 1, 2, 3];

fn video() -> TrackInfo {
    TrackInfo {
        id: TrackId(0),
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        channels: 0,
        parameter_sets: vec![SPS.into(), PPS.into()],
        width: 0,
        height: 0,
    }
}

fn audio() -> TrackInfo {
    TrackInfo {
        id: TrackId(1),
        codec: Codec::Opus,
        clock_rate: ClockRate::OPUS,
        channels: 2,
        parameter_sets: vec![],
        width: 0,
        height: 0,
    }
}

fn unit(nals: &[&[u8]]) -> Bytes {
    let lengths = nals.iter().map(|nal| (nal.len() as u32).to_be_bytes());
    lengths
        .zip(nals)
        .flat_map(|(len, nal)| [&len[..], nal].concat())
        .collect()
}

fn sample(key: bool, offset: i32, data: &'static [u8]) -> Sample {
    Sample {
        duration: 3000,
        offset,
        key,
        data: Bytes::from_static(data),
    }
}

#[test]
fn an_init_segment_describes_each_track_and_holds_no_media() {
    let bytes = init(&[video(), audio()]).unwrap();
    let mut at = Cursor::new(&bytes[..]);
    let brands = Ftyp::decode(&mut at).unwrap();
    assert!(brands.compatible_brands.contains(&b"cmfc".into()));
    let moov = Moov::decode(&mut at).unwrap();
    assert_eq!(at.position(), bytes.len() as u64);
    let extended: Vec<u32> = moov.mvex.unwrap().trex.iter().map(|t| t.track_id).collect();
    assert_eq!(extended, [1, 2]);
    let [picture, sound] = &moov.trak[..] else {
        panic!("two tracks")
    };
    assert_eq!(
        (picture.mdia.mdhd.timescale, sound.mdia.mdhd.timescale),
        (90_000, 48_000)
    );
    let [Entry::Avc1(avc)] = &picture.mdia.minf.stbl.stsd.codecs[..] else {
        panic!("avc1")
    };
    assert_eq!((avc.visual.width, avc.visual.height), (640, 360));
    assert_eq!(avc.avcc.sequence_parameter_sets, [SPS]);
    assert_eq!(avc.avcc.picture_parameter_sets, [PPS]);
    assert_eq!(avc.avcc.length_size, 4);
    let [Entry::Opus(opus)] = &sound.mdia.minf.stbl.stsd.codecs[..] else {
        panic!("Opus")
    };
    assert_eq!(
        (opus.dops.output_channel_count, opus.dops.input_sample_rate),
        (2, 48_000)
    );
    assert_eq!(codec_string(&video()).as_deref(), Some("avc1.42c01f"));
    assert_eq!(codec_string(&audio()).as_deref(), Some("opus"));
}

#[test]
fn a_fragment_says_when_each_sample_is_decoded_and_shown_and_where_decoding_may_start() {
    let runs = [
        Run {
            track: TrackId(0),
            time: 1 << 33,
            samples: vec![sample(true, 0, b"key"), sample(false, -90, b"other")],
        },
        Run {
            track: TrackId(1),
            time: 7,
            samples: vec![sample(true, 0, b"sound")],
        },
    ];
    let bytes = fragment(9, &runs).unwrap();
    let mut at = Cursor::new(&bytes[..]);
    let moof = Moof::decode(&mut at).unwrap();
    let behind = at.position() as usize;
    let mdat = Mdat::decode(&mut at).unwrap();
    assert_eq!(mdat.data, b"keyothersound");
    assert_eq!(at.position(), bytes.len() as u64);
    assert_eq!(moof.mfhd.sequence_number, 9);
    for (traf, run) in moof.traf.iter().zip(&runs) {
        assert!(traf.tfhd.default_base_is_moof);
        assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, run.time);
        let mut from = traf.trun[0].data_offset.unwrap() as usize;
        for (entry, sample) in traf.trun[0].samples.iter().zip(&run.samples) {
            let size = entry.size.unwrap() as usize;
            assert_eq!(&bytes[from..from + size], &sample.data[..]);
            from += size;
            assert_eq!(entry.cts, Some(i64::from(sample.offset)));
            assert_eq!(entry.duration, Some(3000));
            // ISO/IEC 14496-12 §8.8.3.1: sample_is_non_sync_sample.
            assert_eq!(entry.flags.unwrap() & 0x1_0000 == 0, sample.key);
        }
    }
    assert_eq!(moof.traf[0].trun[0].data_offset, Some(behind as i32 + 8));
}

#[test]
fn a_still_is_a_whole_file_of_one_picture() {
    let data = unit(&[SPS, PPS, IDR]);
    // The unit's own parameter sets will do.
    let track = TrackInfo {
        parameter_sets: vec![],
        ..video()
    };
    let bytes = still(&track, &data).unwrap();
    let mut at = Cursor::new(&bytes[..]);
    let mut kinds = Vec::new();
    let mut moov = None;
    while let Some(any) = Any::decode_maybe(&mut at).unwrap() {
        kinds.push(any.kind().to_string());
        if let Any::Moov(found) = any {
            moov = Some(found);
        }
    }
    assert_eq!(kinds, ["ftyp", "moov", "mdat"]);
    let table = &moov.unwrap().trak[0].mdia.minf.stbl;
    let from = table.stco.as_ref().unwrap().entries[0] as usize;
    assert_eq!(&bytes[from..], &unit(&[IDR])[..]);
    assert_eq!(table.stts.entries[0].sample_count, 1);
}

#[test]
fn parameter_sets_in_front_of_a_unit_are_left_to_the_sample_entry() {
    assert_eq!(
        avc_sample(&unit(&[SPS, PPS, &[6, 5], IDR])),
        unit(&[&[6, 5], IDR])
    );
    assert_eq!(avc_sample(&unit(&[IDR, PPS])), unit(&[IDR, PPS]));
    assert!(avc_sample(&unit(&[SPS])).is_empty());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let unknown = TrackInfo {
        parameter_sets: vec![],
        ..video()
    };
    assert!(matches!(
        init(std::slice::from_ref(&unknown)),
        Err(Error::NoParameterSets)
    ));
    assert!(matches!(init(&[]), Err(Error::Empty)));
    assert!(matches!(fragment(1, &[]), Err(Error::Empty)));
    assert!(matches!(still(&video(), &Bytes::new()), Err(Error::Empty)));
    let strange = TrackInfo {
        codec: Codec::Unknown,
        ..audio()
    };
    assert!(matches!(init(&[strange]), Err(Error::Codec(Codec::Unknown))));
}

#[test]
fn the_box_of_media_says_its_length() {
    let run = Run {
        track: TrackId(0),
        time: 0,
        samples: vec![sample(true, 0, b"12345")],
    };
    let bytes = fragment(1, &[run]).unwrap();
    let header = Header::decode(&mut Cursor::new(&bytes[bytes.len() - 13..])).unwrap();
    assert_eq!((header.kind, header.size), (b"mdat".into(), Some(5)));
}
