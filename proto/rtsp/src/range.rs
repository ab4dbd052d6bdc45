//! `Range` and `RTP-Info`, the headers that tell a reader where a live stream begins (RFC 2326 §12.29, §12.33).
//! The numbers come from whoever sends the first packets.

/// `Range` of every answer to PLAY: the stream is live and has no other part.
pub(crate) const NPT_NOW: &str = "npt=now-";

/// One track's element of `RTP-Info`. `url` is the one it was set up with, letter by letter: readers compare it with
/// their own. `seq` and `rtp_time` are those of its first packet.
pub(crate) fn format_rtp_info(url: &str, seq: u16, rtp_time: u32) -> String {
    format!("url={url};seq={seq};rtptime={rtp_time}")
}
