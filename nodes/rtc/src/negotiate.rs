//! From an offer to a core that is ready for its first datagram, and the answer to send back.
//! Runs on the caller's thread: it costs milliseconds that a shard full of media does not have.

use crate::answer_sdp::{complete_answer, restarted_offer, tame_offer};
use crate::candidates;
use crate::engine::{ABS_CAPTURE_TIME_URI, Engine, refused};
use crate::handle::PeerHandle;
use crate::peer::{MediaReceiver, MediaSource, NegotiatedTrack};
use crate::session::User;
use crate::sources::Sources;
use crate::tap::TapQueue;
use crate::{Answer, Error};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_sdp::offer::{self, Offer, OfferedMedia};
use weft_sdp::offer_fragment::IceFragment;
use weft_wire::{CloseReason, MediaKind};

/// Makes the receiver of a new peer, on the shard's loop.
pub type MakeReceiver =
    Box<dyn FnOnce(&[NegotiatedTrack], PeerHandle) -> Result<Box<dyn MediaReceiver>, CloseReason> + Send>;

/// Makes the source of a peer that is sent to, on the shard's loop.
pub type MakeSource = Box<dyn FnOnce(PeerHandle) -> Result<Box<dyn MediaSource>, CloseReason> + Send>;

/// Makes either.
pub(crate) type MakeUser =
    Box<dyn FnOnce(&[NegotiatedTrack], PeerHandle) -> Result<User, CloseReason> + Send>;

/// ICE credentials of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
}

/// The sans-IO side of a peer.
pub(crate) struct Core {
    pub(crate) pc: RTCPeerConnection,
    pub(crate) tap: TapQueue,
    pub(crate) credentials: Credentials,
    pub(crate) sources: Sources,
    /// Number of the abs-capture-time extension, 0 where not agreed on.
    pub(crate) abs_capture: u8,
    /// The publisher's user fragment; another one in a PATCH is an ICE restart.
    pub(crate) remote_ufrag: String,
    /// Our candidates, as in the answer.
    pub(crate) offered_candidates: Vec<String>,
    /// First media line of the answer, and its tag.
    pub(crate) first_media: String,
    pub(crate) first_mid: String,
    /// Candidates taken since the offer.
    pub(crate) trickled: usize,
    /// The offer as the core got it, for restarts.
    offer: String,
    local: SocketAddr,
}

/// A peer on its way to its shard.
pub(crate) struct Negotiated {
    pub(crate) core: Core,
    pub(crate) answer: Answer,
    pub(crate) make: MakeUser,
    pub(crate) place: crate::shards::Place,
    pub(crate) reply: oneshot::Sender<Result<Answer, Error>>,
}

/// The one address of each family that the core knows us by. All candidates lead to one socket, so the core need not
/// check each of them against each of the publisher's; the answer offers the real ones. By TCP it has the same address:
/// the core tells the two transports apart.
pub(crate) fn canonical(socket: SocketAddr, family_of: IpAddr) -> SocketAddr {
    let ip: IpAddr = match family_of {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, socket.port())
}

/// Negotiates an offer that passed `offer::check`; `candidates` are to be offered, `local` is the shard's socket.
pub(crate) fn negotiate(
    engine: &Engine,
    offer: &Offer,
    sdp: &str,
    local: SocketAddr,
    candidates: Vec<String>,
    max_bitrate: u32,
    to_reader: bool,
) -> Result<(Core, String, Vec<NegotiatedTrack>), Error> {
    let now = Instant::now();
    let tap = TapQueue::default();
    let mut pc = engine.build(now, offer, tap.clone(), to_reader)?;
    for media in offer.sending() {
        let kind = match media.kind() {
            Some(MediaKind::Video) => RtpCodecKind::Video,
            _ => RtpCodecKind::Audio,
        };
        let receive = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..Default::default()
        };
        pc.add_transceiver_from_kind(kind, Some(receive))
            .map_err(refused)?;
    }
    let mut core = Core {
        pc,
        tap,
        credentials: Credentials {
            ufrag: String::new(),
            pwd: String::new(),
        },
        sources: Sources::default(),
        abs_capture: 0,
        remote_ufrag: offer.ice_ufrag.clone(),
        offered_candidates: candidates,
        first_media: String::new(),
        first_mid: String::new(),
        trickled: 0,
        offer: tame_offer(sdp),
        local,
    };
    let sdp = core.exchange(now, core.offer.clone())?;
    let answered = offer::parse(&sdp)?;
    let sdp = complete_answer(&sdp, &core.offered_candidates, max_bitrate);
    if let Some(media) = answered.media.first() {
        core.first_mid.clone_from(&media.mid);
        core.first_media = format!("m={} 9 UDP/TLS/RTP/SAVPF 0", media.media);
    }
    let tracks = core.agree(offer, &answered)?;
    Ok((core, sdp, tracks))
}

impl Core {
    /// Offer in, answer out, credentials noted.
    fn exchange(&mut self, now: Instant, offer: String) -> Result<String, Error> {
        let offer = RTCSessionDescription::offer(offer).map_err(refused)?;
        self.pc
            .set_remote_description(now.into_std(), offer)
            .map_err(refused)?;
        let families: &[IpAddr] = if self.local.is_ipv6() {
            &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        } else {
            &[IpAddr::V4(Ipv4Addr::LOCALHOST)]
        };
        for family in families {
            let address = canonical(self.local, *family);
            let tcp = self
                .offered_candidates
                .iter()
                .any(|c| candidates::is_tcp(c))
                .then(|| candidates::passive(0, 0, address.ip(), address.port()));
            for candidate in [Some(candidates::value(0, address.ip(), address.port())), tcp]
                .into_iter()
                .flatten()
            {
                let candidate = RTCIceCandidateInit {
                    candidate,
                    ..Default::default()
                };
                self.pc.add_local_candidate(candidate).map_err(refused)?;
            }
        }
        let answer = self.pc.create_answer(None).map_err(refused)?;
        self.pc
            .set_local_description(now.into_std(), answer)
            .map_err(refused)?;
        let sdp = self
            .pc
            .local_description()
            .ok_or_else(|| Error::Negotiation("no answer".to_owned()))?
            .sdp;
        let answered = offer::parse(&sdp)?;
        self.credentials = Credentials {
            ufrag: answered.ice_ufrag,
            pwd: answered.ice_pwd,
        };
        Ok(sdp)
    }

    /// What both sides have agreed on.
    fn agree(&mut self, offer: &Offer, answered: &Offer) -> Result<Vec<NegotiatedTrack>, Error> {
        let mut tracks = Vec::new();
        for offered in offer.sending() {
            let line = answered
                .media
                .iter()
                .find(|m| m.mid == offered.mid && m.port != 0);
            let Some((line, track)) = line.and_then(|l| Some((l, track(tracks.len(), l)?))) else {
                return Err(Error::Negotiation(format!(
                    "m={} could not be agreed on",
                    offered.media
                )));
            };
            self.sources.add_track(tracks.len(), offered, line);
            if let Some((id, _)) = line
                .extensions
                .iter()
                .find(|(_, uri)| uri == ABS_CAPTURE_TIME_URI)
            {
                self.abs_capture = *id;
            }
            tracks.push(track);
        }
        Ok(tracks)
    }

    /// ICE restart (RFC 8445 §9) with the publisher's new credentials; gives our new ones.
    ///
    /// # Errors
    /// [`Error::Negotiation`] if the core refuses; the old credentials then stay.
    pub(crate) fn restart(&mut self, now: Instant, fragment: &IceFragment) -> Result<(), Error> {
        let offer = restarted_offer(
            &self.offer,
            &fragment.ice_ufrag,
            &fragment.ice_pwd,
            &fragment.candidates,
        );
        let offer = tame_offer(&offer);
        self.exchange(now, offer.clone())?;
        self.offer = offer;
        self.remote_ufrag.clone_from(&fragment.ice_ufrag);
        self.trickled = 0;
        Ok(())
    }
}

fn track(index: usize, line: &OfferedMedia) -> Option<NegotiatedTrack> {
    let (answered, codec) = line.codecs.iter().find_map(|c| Some((c, c.codec()?)))?;
    let has = |feedback: &str| answered.feedback.iter().any(|f| f == feedback);
    Some(NegotiatedTrack {
        index,
        codec,
        clock_rate: answered.clock_rate,
        channels: if codec.kind() == MediaKind::Audio {
            answered.channels
        } else {
            0
        },
        fmtp: answered.fmtp.clone(),
        nack: has("nack"),
        pli: has("nack pli"),
    })
}
