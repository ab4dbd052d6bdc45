//! SDP fragments of WHIP's PATCH: trickled candidates and ICE restarts (RFC 8840 §9, RFC 9725 §4.3).
//! Reads the publisher's and writes ours; what a restart does to the peer is `weft-rtc`'s business.

use crate::offer::{MAX_CANDIDATES, OfferError};
use crate::offer_parse::lines;
use std::fmt::Write;

/// What a fragment says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceFragment {
    /// User fragment; a new one asks for an ICE restart.
    pub ice_ufrag: String,
    /// Password that belongs to it.
    pub ice_pwd: String,
    /// Identification tag of the media line the candidates stand under; empty where none is named.
    pub mid: String,
    /// Candidate values (`candidate:...`), at most [`MAX_CANDIDATES`].
    pub candidates: Vec<String>,
    /// No more will come.
    pub end_of_candidates: bool,
}

/// Reads a fragment. One without a user fragment is legal only when it brings candidates.
///
/// # Errors
/// [`OfferError::Malformed`], [`OfferError::TooLarge`], or [`OfferError::Missing`] if it says nothing at all.
pub fn parse(text: &str) -> Result<IceFragment, OfferError> {
    let mut fragment = IceFragment::default();
    for line in lines(text) {
        let (number, line) = line?;
        if line.is_empty() {
            continue;
        }
        let Some(attribute) = line.strip_prefix("a=") else {
            // m=, and v=, o=, ... of senders that give a whole description.
            if line.as_bytes().get(1) == Some(&b'=') {
                continue;
            }
            return Err(OfferError::Malformed {
                line: number,
                what: "not of the form letter=value",
            });
        };
        match attribute.split_once(':') {
            Some(("ice-ufrag", v)) if fragment.ice_ufrag.is_empty() => v.clone_into(&mut fragment.ice_ufrag),
            Some(("ice-pwd", v)) if fragment.ice_pwd.is_empty() => v.clone_into(&mut fragment.ice_pwd),
            Some(("mid", v)) if fragment.mid.is_empty() => v.clone_into(&mut fragment.mid),
            Some(("candidate", v)) if fragment.candidates.len() < MAX_CANDIDATES => {
                fragment.candidates.push(format!("candidate:{v}"));
            }
            None if attribute == "end-of-candidates" => fragment.end_of_candidates = true,
            _ => {}
        }
    }
    if fragment.ice_ufrag.is_empty() && fragment.candidates.is_empty() && !fragment.end_of_candidates {
        return Err(OfferError::Missing("ice-ufrag"));
    }
    if !fragment.ice_ufrag.is_empty() && fragment.ice_pwd.is_empty() {
        return Err(OfferError::Missing("ice-pwd"));
    }
    Ok(fragment)
}

impl IceFragment {
    /// The fragment as the body of a PATCH or of its answer; `media` is the media line it stands under.
    #[must_use]
    pub fn write(&self, media: &str) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _written = write!(
            out,
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n{media}\r\na=mid:{}\r\n",
            self.ice_ufrag, self.ice_pwd, self.mid
        );
        for candidate in &self.candidates {
            out.push_str("a=");
            out.push_str(candidate);
            out.push_str("\r\n");
        }
        if self.end_of_candidates {
            out.push_str("a=end-of-candidates\r\n");
        }
        out
    }
}
