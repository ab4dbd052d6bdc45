//! The negotiation with a reader: its offer is matched with a stream's tracks and answered with sources of ours. The core gets
//! a plain offer with the same keys, since of media it is told each packet and nothing before.

use crate::Error;
use crate::negotiate::Core;
use crate::out::OutParts;
use crate::peer::MediaSource;
use crate::sources::Sources as Admitted;
use std::fmt::Write;
use weft_sdp::offer::{self, Offer, OfferError};
use weft_sdp::watch::{self, WatchedTrack};
use weft_sdp::watch_answer::{self, Sources, Transport};
use weft_wire::TrackInfo;

/// A reader's offer and what it gets.
pub(crate) struct Watch {
    offer: Offer,
    tracks: Vec<(WatchedTrack, Sources)>,
    cname: String,
}

impl Watch {
    /// # Errors
    /// [`Error::Offer`].
    pub(crate) fn new(offer_sdp: &str, tracks: &[TrackInfo]) -> Result<Self, Error> {
        let offer = watch::check(offer_sdp)?;
        let chosen = watch::choose(&offer, tracks)?;
        // RFC 3550 section 8.1: random; all of one peer differ.
        let first: u32 = rand::random();
        let tracks = chosen.into_iter().enumerate().map(|(i, track)| {
            let at = |n: usize| first.wrapping_add(0x1357_9bdf_u32.wrapping_mul(2 * i as u32 + n as u32));
            let sources = Sources {
                media: at(0),
                rtx: at(1),
            };
            (track, sources)
        });
        Ok(Self {
            tracks: tracks.collect(),
            offer,
            // RFC 7022 section 4.2: of this session alone.
            cname: format!("weft-{:016x}", rand::random::<u64>()),
        })
    }

    /// The offer that the core answers: one line of pictures from the other side, with the reader's keys and candidates.
    ///
    /// # Errors
    /// [`Error::Offer`] where those make no sense.
    pub(crate) fn plain(&self) -> Result<(Offer, String), Error> {
        let o = &self.offer;
        let mut sdp = String::from(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\na=sendonly\r\n\
             a=rtpmap:102 H264/90000\r\na=rtcp-fb:102 nack\r\na=rtcp-fb:102 nack pli\r\n\
             a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:1 cname:none\r\n",
        );
        // Writing to a String cannot fail.
        let _written = write!(
            sdp,
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{}\r\na=setup:{}\r\n",
            o.ice_ufrag, o.ice_pwd, o.fingerprint, o.setup
        );
        for candidate in &o.candidates {
            let _written = write!(sdp, "a={candidate}\r\n");
        }
        Ok((offer::check(&sdp)?, sdp))
    }

    /// The answer to the reader; `answered` is the core's to the plain offer.
    ///
    /// # Errors
    /// [`Error::Offer`] where the core's answer cannot be read.
    pub(crate) fn answer(&self, core: &mut Core, answered: &str) -> Result<String, Error> {
        let ours = offer::parse(answered)?;
        let transport = Transport {
            ufrag: ours.ice_ufrag,
            pwd: ours.ice_pwd,
            fingerprint: ours.fingerprint,
            setup: ours.setup.to_string(),
            candidates: core.offered_candidates.clone(),
        };
        let (tracks, sources): (Vec<_>, Vec<_>) = self.tracks.iter().cloned().unzip();
        let first = tracks.first().and_then(|t| self.offer.media.get(t.line));
        let first = first.ok_or(Error::Offer(OfferError::NothingWanted))?;
        // What an ICE restart's answer is about (RFC 8840 section 4.4).
        core.first_mid.clone_from(&first.mid);
        core.first_media = format!("m={} 9 UDP/TLS/RTP/SAVPF 0", first.media);
        // A reader sends reports, and no media.
        core.sources = Admitted::of_reader();
        let session = u64::from(rand::random::<u32>());
        Ok(watch_answer::write(
            &self.offer,
            &tracks,
            &sources,
            &transport,
            &self.cname,
            session,
        ))
    }

    /// What its peer sends.
    pub(crate) fn parts(self, source: Box<dyn MediaSource>) -> OutParts {
        OutParts {
            source,
            tracks: self.tracks,
            cname: self.cname,
        }
    }
}
