//! A source that speaks RTSP: described, its tracks that we can carry set up, its packets handed on as they come.
//! What becomes of packets is the receiver's business, when to connect `pull`'s.

use futures::StreamExt;
use retina::client::{
    Credentials, Described, InitialSequenceNumberPolicy, InitialTimestampPolicy, PacketItem, PlayOptions,
    Playing, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport, UdpTransportOptions,
    UnknownRtcpSsrcPolicy,
};
use retina::codec::ParametersRef;
use tokio::time::Instant;
use url::Url;
use weft_rtc::{Feedback, MediaReceiver, NegotiatedTrack, ReceivedRtp, SenderReport};
use weft_rtp::ParameterSets;
use weft_wire::Codec;

/// Where media is pulled from. Its login is in no log.
pub(crate) struct Address {
    url: Url,
    login: Option<Credentials>,
    transport: Transport,
}

impl Address {
    /// `transport`: `rtspTransport` of the path.
    pub(crate) fn parse(url: &str, transport: Option<&str>) -> Result<Self, String> {
        let mut url = Url::parse(url).map_err(|_| "the source is no URL".to_owned())?;
        if url.scheme() != "rtsp" {
            return Err(format!("sources by {}:// are not pulled", url.scheme()));
        }
        let text = |text: &str| weft_wire::percent_decoded(text);
        let login = (!url.username().is_empty()).then(|| Credentials {
            username: text(url.username()),
            password: text(url.password().unwrap_or_default()),
        });
        // They fail for URLs that have no host, which this one has.
        url.set_username("").ok();
        url.set_password(None).ok();
        let transport = match transport {
            Some("udp") => Transport::Udp(UdpTransportOptions::default()),
            _ => Transport::Tcp(TcpTransportOptions::default()),
        };
        Ok(Self {
            url,
            login,
            transport,
        })
    }

    /// The part that may be shown.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("{host}:{}", self.url.port().unwrap_or(554))
    }
}

/// A source that was described and set up.
pub(crate) struct Camera {
    session: Session<Described>,
    /// By our own index: its stream's index at the source.
    streams: Vec<usize>,
    pub(crate) tracks: Vec<NegotiatedTrack>,
    /// What it has beside them.
    pub(crate) skipped: Vec<String>,
}

impl Camera {
    /// Asks the source for a description and sets up the first video and the first audio that we can carry.
    pub(crate) async fn open(address: &Address) -> Result<Self, String> {
        let options = SessionOptions::default()
            .creds(address.login.clone())
            .user_agent(concat!("weft/", env!("CARGO_PKG_VERSION")).to_owned());
        let described = Session::describe(address.url.clone(), options).await;
        let mut session = described.map_err(|error| shown(&error, address))?;
        let (mut tracks, mut streams, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (number, stream) in session.streams().iter().enumerate() {
            let codec = match stream.encoding_name() {
                "h264" => Codec::H264,
                "opus" => Codec::Opus,
                other => {
                    skipped.push(format!("{} {other}", stream.media()));
                    continue;
                }
            };
            if tracks.iter().any(|track: &NegotiatedTrack| track.codec == codec) {
                skipped.push(format!("{} {}", stream.media(), stream.encoding_name()));
                continue;
            }
            let channels = stream.channels().map_or(0, std::num::NonZeroU16::get);
            tracks.push(NegotiatedTrack {
                index: tracks.len(),
                codec,
                clock_rate: stream.clock_rate_hz(),
                channels: if codec == Codec::Opus {
                    u8::try_from(channels).unwrap_or(2).max(1)
                } else {
                    0
                },
                fmtp: sprop(stream.parameters()),
                // Nobody there sends anything again, or key frames on request.
                nack: false,
                pli: false,
            });
            streams.push(number);
        }
        if tracks.is_empty() {
            return Err(format!(
                "it has nothing that can be carried: {}",
                skipped.join(", ")
            ));
        }
        for stream in &streams {
            let options = SetupOptions::default().transport(address.transport.clone());
            let set_up = session.setup(*stream, options).await;
            set_up.map_err(|error| shown(&error, address))?;
        }
        Ok(Self {
            session,
            streams,
            tracks,
            skipped,
        })
    }

    /// Has it begin.
    pub(crate) async fn play(self, address: &Address) -> Result<Packets, String> {
        // Whether its numbers and times make sense is judged where every publisher's are.
        let options = PlayOptions::default()
            .initial_timestamp(InitialTimestampPolicy::Permissive)
            .initial_seq(InitialSequenceNumberPolicy::Ignore)
            .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets);
        let playing = self.session.play(options).await;
        Ok(Packets {
            session: Box::pin(playing.map_err(|error| shown(&error, address))?),
            streams: self.streams,
        })
    }
}

/// What a source sends.
pub(crate) struct Packets {
    session: std::pin::Pin<Box<Session<Playing>>>,
    streams: Vec<usize>,
}

impl Packets {
    /// The next packet or report; `None` at the end. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<PacketItem, retina::Error>> {
        self.session.next().await
    }

    /// Hands it to the receiver.
    pub(crate) fn pass(&self, item: PacketItem, receiver: &mut dyn MediaReceiver, feedback: &mut Feedback) {
        let now = Instant::now();
        let track = |stream| self.streams.iter().position(|s| *s == stream);
        match item {
            PacketItem::Rtp(packet) => {
                let Some(track) = track(packet.stream_id()) else {
                    return;
                };
                let (ssrc, seq, marker) = (packet.ssrc(), packet.sequence_number(), packet.mark());
                let timestamp = packet.header().timestamp();
                let rtp = ReceivedRtp {
                    track,
                    ssrc,
                    seq,
                    timestamp,
                    marker,
                    payload: packet.into_payload_bytes(),
                    abs_capture: None,
                };
                receiver.rtp(now, rtp, feedback);
            }
            PacketItem::Rtcp(compound) => {
                let Some(track) = track(compound.stream_id()) else {
                    return;
                };
                for packet in compound.pkts() {
                    if let Ok(Some(report)) = packet.as_sender_report() {
                        let report = SenderReport {
                            track,
                            ntp: report.ntp_timestamp().0,
                            rtp_timestamp: report.rtp_timestamp(),
                        };
                        receiver.sender_report(now, report);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Parameter sets that the description has, as `sprop-parameter-sets` (RFC 6184 §8.1): some cameras send them nowhere else.
fn sprop(parameters: Option<ParametersRef<'_>>) -> String {
    let Some(ParametersRef::Video(video)) = parameters else {
        return String::new();
    };
    let sets = ParameterSets::from_nals(parameter_sets(video.extra_data()));
    match sets.to_sprop() {
        sprop if sprop.is_empty() => sprop,
        sprop => format!("sprop-parameter-sets={sprop}"),
    }
}

/// The parameter sets in an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1.2).
fn parameter_sets(record: &[u8]) -> Vec<&[u8]> {
    let mut sets = Vec::new();
    let mut rest = record.get(5..).unwrap_or_default();
    for mask in [0x1f, 0xff] {
        let Some((count, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        for _ in 0..count & mask {
            let Some((length, after)) = rest.split_at_checked(2) else {
                return sets;
            };
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let Some((set, after)) = after.split_at_checked(length) else {
                return sets;
            };
            sets.push(set);
            rest = after;
        }
    }
    sets
}

/// An error without the URL, whose query may be a secret.
pub(crate) fn shown(error: &dyn std::fmt::Display, address: &Address) -> String {
    error.to_string().replace(address.url.as_str(), "(its URL)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_url_is_taken_out_of_it() {
        let address = Address::parse("rtsp://user:p%40ss%20w@camera.example/live?x=1", None).unwrap();
        let login = address.login.as_ref().unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.as_str()),
            ("user", "p@ss w")
        );
        assert_eq!(address.url.as_str(), "rtsp://camera.example/live?x=1");
        assert_eq!(address.host(), "camera.example:554");
        let refused = Address::parse("rtsps://u:secret@camera/", None).err().unwrap();
        assert_eq!(refused, "sources by rtsps:// are not pulled");
        let said = shown(&"DESCRIBE rtsp://camera.example/live?x=1 failed", &address);
        assert_eq!(said, "DESCRIBE (its URL) failed");
    }

    #[test]
    fn parameter_sets_are_read_from_a_configuration_record_and_nonsense_gives_none() {
        let (sps, pps) = (crate::testing::SPS, crate::testing::PPS);
        let mut record = vec![1, 0x42, 0xc0, 0x1f, 0xff, 0xe1];
        for (set, more) in [(sps, Some(1)), (pps, None)] {
            record.extend_from_slice(&u16::try_from(set.len()).unwrap().to_be_bytes());
            record.extend_from_slice(set);
            record.extend(more);
        }
        assert_eq!(parameter_sets(&record), [sps, pps]);
        for cut in 0..record.len() {
            assert!(parameter_sets(&record[..cut]).len() < 2);
        }
    }
}
