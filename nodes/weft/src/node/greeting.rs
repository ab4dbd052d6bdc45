//! The few lines a person sees when a node starts: where to publish, where to read, where to look.
//! Everything later goes to the log.

use super::Node;
use std::fmt::Write;
use std::net::SocketAddr;

/// What stands for a stream's name in the lines.
const ANY_STREAM: &str = "STREAM";

fn host(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
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
        if let Some(address) = a.webrtc {
            let base = format!("http://{}/{ANY_STREAM}", host(address));
            _ = writeln!(text, "  publish   {base}/publish   (browser)");
            _ = writeln!(text, "            {base}/whip      (WHIP: FFmpeg, OBS)");
        }
        if let Some(address) = a.rtsp {
            _ = writeln!(text, "  read      rtsp://{}/{stream}", host(address));
        }
        if let Some(address) = a.api {
            _ = writeln!(text, "  look      http://{}/v3/paths/list", host(address));
        }
        if let Some(address) = a.metrics {
            _ = writeln!(text, "            http://{}/metrics", host(address));
        }
        if !self.config.fabric.nats.servers.is_empty() {
            _ = writeln!(text, "  bus       {}", self.config.fabric.nats.servers.join(", "));
        }
        text
    }
}
