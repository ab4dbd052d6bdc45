//! The few lines a person sees when a node starts: where to publish, where to read, where to look.
//! Everything later goes to the log.

use super::Node;
use std::fmt::Write;
use std::net::SocketAddr;
use weft_config::LogDestination;

/// What stands for a stream's name in the lines.
const ANY_STREAM: &str = "STREAM";

fn host(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// With TLS where that is what the address speaks.
fn url(scheme: &str, address: SocketAddr, secure: Option<SocketAddr>) -> String {
    let s = if secure == Some(address) { "s" } else { "" };
    format!("{scheme}{s}://{}", host(address))
}

impl Node {
    /// Lines for the terminal; `playing` is the stream that the built-in publisher publishes.
    #[must_use]
    pub fn greeting(&self, playing: Option<&str>) -> String {
        let a = &self.addresses;
        let identity = &self.identity;
        let stream = playing.unwrap_or(ANY_STREAM);
        let mut text = format!(
            "weft {}, {} node '{}'\n",
            identity.version, identity.role, identity.name
        );
        // Writing to a string does not fail.
        let publishers = self.ingest.is_some();
        if let Some(address) = a.webrtc.filter(|_| publishers) {
            let base = format!("{}/{ANY_STREAM}", url("http", address, a.webrtc_tls));
            _ = writeln!(text, "  publish   {base}/publish   (browser)");
            _ = writeln!(text, "            {base}/whip      (WHIP: FFmpeg, OBS)");
        }
        if let Some(address) = a
            .webrtc_tls
            .filter(|secure| publishers && a.webrtc != Some(*secure))
        {
            _ = writeln!(text, "            https://{}/{ANY_STREAM}/publish", host(address));
        }
        let mut word = "read";
        for (scheme, address) in [("rtsp", a.rtsp), ("rtsps", a.rtsps)] {
            if let Some(address) = address {
                let word = std::mem::take(&mut word);
                _ = writeln!(text, "  {word:<9} {scheme}://{}/{stream}", host(address));
            }
        }
        if let Some(address) = a.hls {
            let word = std::mem::take(&mut word);
            let base = url("http", address, a.hls_tls);
            _ = writeln!(text, "  {word:<9} {base}/{stream}/index.m3u8   (HLS)");
        }
        if let Some(address) = a.api {
            _ = writeln!(
                text,
                "  look      {}/v3/paths/list",
                url("http", address, a.api_tls)
            );
        }
        if let Some(address) = a.metrics {
            _ = writeln!(
                text,
                "            {}/metrics",
                url("http", address, a.metrics_tls)
            );
        }
        if self.config.log.destinations.contains(&LogDestination::File) {
            _ = writeln!(text, "  log       {}", self.config.log.file.display());
        }
        if !self.config.fabric.nats.servers.is_empty() {
            _ = writeln!(text, "  bus       {}", self.config.fabric.nats.servers.join(", "));
        }
        text
    }
}
