//! SDP in: offers, ICE fragments and descriptions of any text, within their bounds; what is read and written again is the
//! same when read again.

use weft_sdp::{description, offer, offer_fragment, parse_description};
use weft_wire::{StreamName, TrackInfo};

/// Reads the input as each kind of SDP.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = offer::parse(&text) {
        assert!(read.media.len() <= offer::MAX_MEDIA_LINES);
        assert!(read.candidates.len() <= offer::MAX_CANDIDATES);
    }
    match offer::check(&text) {
        Ok(read) => assert!((1..=2).contains(&read.sending().count())),
        Err(error) => {
            assert!([400, 406].contains(&error.status()));
            assert!(error.to_string().len() < 10_000, "words for a person");
        }
    }
    if let Ok(fragment) = offer_fragment::parse(&text) {
        assert!(fragment.candidates.len() <= offer::MAX_CANDIDATES);
        let again = offer_fragment::parse(&fragment.write("m=video 9 RTP/AVP 0"));
        assert_eq!(again, Ok(fragment));
    }
    if let Ok(tracks) = parse_description(&text) {
        assert!(tracks.len() <= 16);
        let first = described_again(&tracks.into_iter().map(|t| t.info).collect::<Vec<_>>());
        assert_eq!(described_again(&first), first);
    }
}

fn described_again(tracks: &[TrackInfo]) -> Vec<TrackInfo> {
    let name = StreamName::new("fuzz").expect("a good name");
    let text = description(tracks, &name, 1);
    let read = parse_description(&text).expect("we read what we write");
    assert_eq!(read.len(), tracks.len());
    read.into_iter().map(|t| t.info).collect()
}
