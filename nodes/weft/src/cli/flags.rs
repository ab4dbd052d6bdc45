//! Where the configuration comes from: the file that is named or found, the environment, and flags above both.
//! What stands in it is the configuration crate's business.

use clap::Args;
use std::path::{Path, PathBuf};
use weft_config::{Base, Config, Error, Faces, Flag, Layers, ListenAddress};

/// Where a configuration is looked for when none is named; the last is where containers of MediaMTX have theirs.
const PLACES: [&str; 3] = ["weft.yml", "mediamtx.yml", "/mediamtx.yml"];

/// Flags stand above the configuration file; they are taken before a subcommand and after it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    /// YAML file with MediaMTX's key names; config/weft.yml lists all. The same as FILE.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Servers of one NATS cluster, separated by commas (fabric.nats.servers).
    #[arg(long, global = true, value_name = "URL,...")]
    nats: Option<String>,
    /// This node's name, unique in the fabric (fabric.nodeName).
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
    /// HTTP for WebRTC publishers and readers (webrtcAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    webrtc: Option<ListenAddress>,
    /// UDP for WebRTC media (webrtcLocalUDPAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    ice: Option<ListenAddress>,
    /// TCP for WebRTC media, where UDP is blocked (webrtcLocalTCPAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    ice_tcp: Option<ListenAddress>,
    /// RTSP (rtspAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtsp: Option<ListenAddress>,
    /// HLS (hlsAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    hls: Option<ListenAddress>,
    /// RTP over UDP (rtpAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtp: Option<ListenAddress>,
    /// RTCP over UDP (rtcpAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtcp: Option<ListenAddress>,
    /// Control API (apiAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    api: Option<ListenAddress>,
    /// Metrics (metricsAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    metrics: Option<ListenAddress>,
}

impl Flags {
    /// What a node's own layer is read from, again at each reload.
    pub(crate) fn base(&self, faces: Faces) -> Base {
        self.base_in(faces, &PLACES, std::env::vars_os())
    }

    fn base_in(
        &self,
        faces: Faces,
        places: &[&str],
        environment: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Base {
        let found = || places.iter().map(PathBuf::from).find(|place| place.is_file());
        // A variable that is no text is none of ours.
        let texts = environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Base {
            file: self.config.clone().or_else(found),
            environment: texts.collect(),
            flags: self.flags(),
            faces,
        }
    }

    fn flags(&self) -> Vec<Flag> {
        let text = |address: &Option<ListenAddress>| address.map(|address| address.to_string());
        let all = [
            ("--nats", "fabric.nats.servers", self.nats.clone()),
            ("--name", "fabric.nodeName", self.name.clone()),
            ("--webrtc", "webrtcAddress", text(&self.webrtc)),
            ("--ice", "webrtcLocalUDPAddress", text(&self.ice)),
            ("--ice-tcp", "webrtcLocalTCPAddress", text(&self.ice_tcp)),
            ("--rtsp", "rtspAddress", text(&self.rtsp)),
            ("--hls", "hlsAddress", text(&self.hls)),
            ("--rtp", "rtpAddress", text(&self.rtp)),
            ("--rtcp", "rtcpAddress", text(&self.rtcp)),
            ("--api", "apiAddress", text(&self.api)),
            ("--metrics", "metricsAddress", text(&self.metrics)),
        ];
        let given = all.into_iter().filter_map(|(name, key, value)| {
            let value = value?;
            Some(Flag { name, key, value })
        });
        given.collect()
    }

    /// The node's own layer, known to be a configuration.
    pub(crate) fn layers(&self, faces: Faces) -> Result<(Base, Layers), Error> {
        let base = self.base(faces);
        let layers = base.read()?;
        Ok((base, layers))
    }

    /// The configuration as it is before anything was set by the API.
    pub(crate) fn configuration(&self, faces: Faces) -> Result<Config, Error> {
        self.layers(faces)?.1.config()
    }

    /// Takes over a file that was named without `--config`.
    ///
    /// # Errors
    /// A sentence, when both name one, or when what looks like a command is none.
    pub(crate) fn take(&mut self, file: Option<PathBuf>, commands: &[String]) -> Result<(), String> {
        let Some(file) = file else { return Ok(()) };
        if let Some(other) = self.config.as_ref().filter(|other| **other != file) {
            return Err(format!(
                "two configuration files: {} and, by --config, {}",
                file.display(),
                other.display()
            ));
        }
        if is_word(&file) && !file.exists() {
            return Err(format!(
                "'{}' is neither a command ({}) nor a configuration file that is there",
                file.display(),
                commands.join(", ")
            ));
        }
        self.config = Some(file);
        Ok(())
    }
}

/// True for what may be a mistyped command.
fn is_word(file: &Path) -> bool {
    file.to_str()
        .is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
