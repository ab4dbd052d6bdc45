//! The body of a WHIP PATCH (RFC 9725 §4.3): trickled candidates and ICE restarts.
//! Its syntax is `weft-sdp`'s, its HTTP side the caller's.

use crate::Error;
use crate::answer_sdp::is_usable;
use crate::session::Session;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use tokio::time::Instant;
use weft_sdp::offer::MAX_CANDIDATES;
use weft_sdp::offer_fragment::{self, IceFragment};

/// Carries a fragment out. `None`: nothing to say; else the body of the answer. [`Session::pump`] must follow.
///
/// # Errors
/// [`Error::Offer`] for a bad fragment, [`Error::Closed`] if the core is closed, [`Error::Negotiation`] if it refuses the restart.
pub(crate) fn patch(session: &mut Session, now: Instant, text: &str) -> Result<Option<String>, Error> {
    let fragment = offer_fragment::parse(text)?;
    if session.is_closed() {
        return Err(Error::Closed);
    }
    if !fragment.ice_ufrag.is_empty() && fragment.ice_ufrag != session.core.remote_ufrag {
        session.core.restart(now, &fragment)?;
        let answer = IceFragment {
            ice_ufrag: session.core.credentials.ufrag.clone(),
            ice_pwd: session.core.credentials.pwd.clone(),
            mid: session.core.first_mid.clone(),
            candidates: session.core.offered_candidates.clone(),
            end_of_candidates: true,
        };
        return Ok(Some(answer.write(&session.core.first_media)));
    }
    for candidate in fragment.candidates {
        let usable = candidate.strip_prefix("candidate:").is_some_and(is_usable);
        if !usable || session.core.trickled >= MAX_CANDIDATES {
            continue;
        }
        session.core.trickled += 1;
        let init = RTCIceCandidateInit {
            candidate,
            ..Default::default()
        };
        // Its checks reach us without it, so a candidate that the core cannot use is no error.
        if let Err(error) = session.core.pc.add_remote_candidate(init) {
            tracing::debug!(%error, "trickled candidate not used");
        }
    }
    Ok(None)
}
