//! The little of RTSP (RFC 2326) that a reader needs: requests, answers, and the tracks of a description. It reads bytes and
//! writes bytes; connections are not its business.

use anyhow::{Context, Result, bail};

/// An answer, without what its body holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    /// The value of a header, in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The session's id, without its timeout.
    pub(super) fn session(&self) -> Option<&str> {
        self.header("session")?.split(';').next()
    }

    /// The port from which the server sends RTP.
    pub(super) fn server_port(&self) -> Option<u16> {
        let (_, ports) = self.header("transport")?.split_once("server_port=")?;
        ports.split(['-', ';']).next()?.parse().ok()
    }
}

/// The answer at the front and its length; `None` while it is not all there.
pub(super) fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        if bytes.len() > 64 * 1024 {
            bail!("no end of an answer's head");
        }
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if !head.starts_with("RTSP/") {
        bail!(
            "not an RTSP server: it says {:?}",
            head.lines().next().unwrap_or_default()
        );
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut reply = Reply {
        status: status.context("an answer without a status")?,
        head,
        body: String::new(),
    };
    let length = reply
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let Some(body) = bytes.get(end + 4..end + 4 + length) else {
        return Ok(None);
    };
    reply.body = String::from_utf8_lossy(body).into_owned();
    Ok(Some((reply, end + 4 + length)))
}

/// A request.
pub(super) fn request(method: &str, url: &str, sequence: u32, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {sequence}\r\nUser-Agent: weft-load\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

/// A track of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) video: bool,
    /// Where it is set up.
    pub(super) url: String,
}

/// H.264 and sound of a description, whose base is that URL.
pub(super) fn tracks(reply: &Reply, asked: &str) -> Result<Vec<Track>> {
    let base = reply.header("content-base").unwrap_or(asked);
    let mut tracks: Vec<Track> = Vec::new();
    for line in reply.body.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            tracks.push(Track {
                video: media.starts_with("video"),
                url: String::new(),
            });
        } else if let (Some(control), Some(track)) = (line.strip_prefix("a=control:"), tracks.last_mut()) {
            track.url = join(base, control.trim());
        }
    }
    if !reply.body.contains("H264/90000") {
        bail!("{asked} offers no H.264");
    }
    if tracks.iter().any(|track| track.url.is_empty()) {
        bail!("{asked} offers a track without a=control");
    }
    Ok(tracks)
}

/// Appendix C.1.1 of RFC 2326, as the clients in use read it: what is no URL of its own comes behind the base and a slash.
fn join(base: &str, control: &str) -> String {
    if control.contains("://") {
        control.to_owned()
    } else if control == "*" {
        base.to_owned()
    } else {
        format!("{}/{control}", base.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
        m=audio 0 RTP/AVP 97\r\na=control:rtsp://h/s/trackID=1\r\n";

    #[test]
    fn an_answer_is_read_when_it_is_all_there() {
        let text = format!(
            "RTSP/1.0 200 OK\r\nContent-Length: {}\r\nSession: a;timeout=60\r\n\r\n{SDP}",
            SDP.len()
        );
        for end in 0..text.len() {
            assert_eq!(reply(&text.as_bytes()[..end]).unwrap(), None);
        }
        let (reply, length) = reply(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (reply.status, length, reply.session()),
            (200, text.len(), Some("a"))
        );
        let tracks = tracks(&reply, "rtsp://h/s").unwrap();
        assert_eq!(tracks[0].url, "rtsp://h/s/trackID=0");
        assert!(tracks[0].video && !tracks[1].video);
        assert_eq!(tracks[1].url, "rtsp://h/s/trackID=1");
    }

    #[test]
    fn another_protocol_is_named() {
        let error = reply(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("HTTP/1.1 400"), "{error}");
    }

    #[test]
    fn the_servers_port_is_found() {
        let text =
            "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;client_port=2-3;server_port=8000-8001\r\n\r\n";
        assert_eq!(
            reply(text.as_bytes()).unwrap().unwrap().0.server_port(),
            Some(8000)
        );
    }
}
