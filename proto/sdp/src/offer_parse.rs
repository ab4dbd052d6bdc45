//! Reads the lines of a WebRTC session description (RFC 8866) into an `Offer`, within fixed bounds.
//! Only what WebRTC media needs is looked at; unknown attributes are skipped, broken known ones are errors.

use crate::offer::{
    Direction, MAX_CANDIDATES, MAX_LINE_BYTES, MAX_LINES, MAX_MEDIA_LINES, Offer, OfferError, OfferedCodec,
    OfferedMedia, Setup,
};

/// Most sources kept of one media line; simulcast with retransmission needs six.
const MAX_SSRCS: usize = 16;
/// Most header extensions kept of one media line.
const MAX_EXTENSIONS: usize = 64;

#[derive(Default)]
struct Parser {
    setup: Option<Setup>,
    ufrag: String,
    pwd: String,
    fingerprint: String,
    candidates: Vec<String>,
    direction: Direction,
    media: Vec<OfferedMedia>,
    /// `rtcp-fb` lines of the current media line that name every payload type.
    for_all: Vec<String>,
}

/// Lines with their numbers, checked against the bounds.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Result<(usize, &str), OfferError>> {
    text.split('\n').enumerate().map(|(i, line)| {
        if i >= MAX_LINES {
            return Err(OfferError::TooLarge {
                what: "lines",
                limit: MAX_LINES,
            });
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(OfferError::TooLarge {
                what: "bytes in a line",
                limit: MAX_LINE_BYTES,
            });
        }
        Ok((i + 1, line.trim_end_matches('\r')))
    })
}

pub(crate) fn parse(sdp: &str) -> Result<Offer, OfferError> {
    let mut p = Parser::default();
    let mut first = true;
    for line in lines(sdp) {
        let (number, line) = line?;
        if line.is_empty() {
            continue;
        }
        let bad = |what| OfferError::Malformed { line: number, what };
        if std::mem::take(&mut first) && line != "v=0" {
            return Err(bad("an SDP begins with v=0"));
        }
        match line.split_once('=') {
            Some(("m", rest)) => p.media_line(rest).map_err(bad)?,
            Some(("a", rest)) => {
                let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
                p.attribute(name, value).map_err(bad)?;
            }
            Some((key, _)) if key.len() == 1 => {}
            _ => return Err(bad("not of the form letter=value")),
        }
        if p.media.len() > MAX_MEDIA_LINES {
            return Err(OfferError::TooLarge {
                what: "media lines",
                limit: MAX_MEDIA_LINES,
            });
        }
    }
    if first {
        return Err(OfferError::Malformed {
            line: 1,
            what: "it is empty",
        });
    }
    p.end_media();
    p.finish()
}

impl Parser {
    fn media_line(&mut self, rest: &str) -> Result<(), &'static str> {
        self.end_media();
        let mut words = rest.split_ascii_whitespace();
        let media = words.next().ok_or("a media line needs a type")?;
        let port = words.next().ok_or("a media line needs a port")?;
        // "port/count" is allowed by the grammar and means nothing here.
        let port = port.split('/').next().unwrap_or(port);
        let port = port.parse().map_err(|_| "a media line needs a port")?;
        words.next().ok_or("a media line needs a protocol")?;
        let is_rtp = matches!(media, "audio" | "video");
        let mut codecs = Vec::new();
        for format in words.take(if is_rtp { 128 } else { 0 }) {
            let payload_type = format
                .parse::<u8>()
                .ok()
                .filter(|pt| *pt < 128)
                .ok_or("a payload type is a number below 128")?;
            codecs.push(OfferedCodec {
                name: String::new(),
                payload_type,
                clock_rate: 0,
                channels: 1,
                fmtp: String::new(),
                feedback: Vec::new(),
            });
        }
        self.media.push(OfferedMedia {
            media: media.to_owned(),
            port,
            mid: String::new(),
            codecs,
            direction: self.direction,
            ssrcs: Vec::new(),
            retransmission: Vec::new(),
            extensions: Vec::new(),
        });
        Ok(())
    }

    fn end_media(&mut self) {
        let for_all = std::mem::take(&mut self.for_all);
        if let Some(media) = self.media.last_mut() {
            for codec in &mut media.codecs {
                codec.feedback.extend(for_all.iter().cloned());
            }
            media.codecs.retain(|c| !c.name.is_empty());
        }
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "setup" => {
                self.setup = Some(match value {
                    "active" => Setup::Active,
                    "passive" => Setup::Passive,
                    "actpass" => Setup::ActPass,
                    _ => return Err("setup is active, passive or actpass"),
                });
            }
            "ice-ufrag" if self.ufrag.is_empty() => value.clone_into(&mut self.ufrag),
            "ice-pwd" if self.pwd.is_empty() => value.clone_into(&mut self.pwd),
            "fingerprint" if self.fingerprint.is_empty() => value.clone_into(&mut self.fingerprint),
            "candidate" if self.candidates.len() < MAX_CANDIDATES => {
                self.candidates.push(format!("candidate:{value}"));
            }
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => self.set_direction(name),
            _ => {
                if let Some(media) = self.media.last_mut() {
                    media_attribute(media, &mut self.for_all, name, value)?;
                }
            }
        }
        Ok(())
    }

    fn set_direction(&mut self, name: &str) {
        let direction = match name {
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => Direction::SendRecv,
        };
        match self.media.last_mut() {
            Some(media) => media.direction = direction,
            None => self.direction = direction,
        }
    }

    fn finish(self) -> Result<Offer, OfferError> {
        for (name, value) in [
            ("ice-ufrag", &self.ufrag),
            ("ice-pwd", &self.pwd),
            ("fingerprint", &self.fingerprint),
        ] {
            // An SDP without media says so in its own words, so its missing keys are not the news.
            if value.is_empty() && !self.media.is_empty() {
                return Err(OfferError::Missing(name));
            }
        }
        Ok(Offer {
            setup: self.setup.unwrap_or(Setup::ActPass),
            media: self.media,
            ice_ufrag: self.ufrag,
            ice_pwd: self.pwd,
            fingerprint: self.fingerprint,
            candidates: self.candidates,
        })
    }
}

fn media_attribute(
    media: &mut OfferedMedia,
    for_all: &mut Vec<String>,
    name: &str,
    value: &str,
) -> Result<(), &'static str> {
    match name {
        "mid" => value.clone_into(&mut media.mid),
        "rtpmap" => {
            let (pt, encoding) = value.split_once(' ').ok_or("rtpmap needs an encoding")?;
            let mut parts = encoding.trim().split('/');
            let encoding = parts.next().unwrap_or_default();
            let clock_rate = parts
                .next()
                .and_then(|r| r.parse().ok())
                .ok_or("rtpmap needs a clock rate")?;
            let channels = parts.next().and_then(|c| c.parse().ok()).unwrap_or(1);
            if let Some(codec) = codec(media, pt) {
                encoding.clone_into(&mut codec.name);
                (codec.clock_rate, codec.channels) = (clock_rate, channels);
            }
        }
        "fmtp" => {
            if let Some((pt, parameters)) = value.split_once(' ')
                && let Some(codec) = codec(media, pt)
            {
                parameters.trim().clone_into(&mut codec.fmtp);
            }
        }
        "rtcp-fb" => match value.split_once(' ') {
            Some(("*", feedback)) if for_all.len() < 16 => for_all.push(feedback.trim().to_owned()),
            Some((pt, feedback)) => {
                if let Some(codec) = codec(media, pt)
                    && codec.feedback.len() < 16
                {
                    codec.feedback.push(feedback.trim().to_owned());
                }
            }
            None => {}
        },
        "extmap" if media.extensions.len() < MAX_EXTENSIONS => {
            let mut words = value.split_ascii_whitespace();
            // "id/direction" is allowed (RFC 8285 §5).
            let id = words.next().and_then(|w| w.split('/').next()?.parse().ok());
            if let (Some(id), Some(uri)) = (id, words.next()) {
                media.extensions.push((id, uri.to_owned()));
            }
        }
        "ssrc" => {
            let ssrc = value.split(' ').next().and_then(|s| s.parse().ok());
            announce(media, ssrc.ok_or("ssrc needs a number")?);
        }
        "ssrc-group" => {
            let mut words = value.split_ascii_whitespace();
            if words.next() == Some("FID") && media.retransmission.len() < MAX_SSRCS {
                let mut ssrc = || words.next().and_then(|s| s.parse().ok());
                if let (Some(primary), Some(repair)) = (ssrc(), ssrc()) {
                    media.retransmission.push((primary, repair));
                    // FFmpeg names the source of its retransmissions nowhere else.
                    announce(media, primary);
                    announce(media, repair);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn announce(media: &mut OfferedMedia, ssrc: u32) {
    if !media.ssrcs.contains(&ssrc) && media.ssrcs.len() < MAX_SSRCS {
        media.ssrcs.push(ssrc);
    }
}

fn codec<'a>(media: &'a mut OfferedMedia, payload_type: &str) -> Option<&'a mut OfferedCodec> {
    let pt: u8 = payload_type.trim().parse().ok()?;
    media.codecs.iter_mut().find(|c| c.payload_type == pt)
}
