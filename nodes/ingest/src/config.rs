//! What an ingest node must be told, and the time limits of its sessions with their reasons.
//! Reading a file and checking it is the config crate's work.

use std::time::Duration;
use tokio::time::Instant;
use weft_rtc::IceServer;
use weft_wire::{Incarnation, NodeName};

/// After a close the session's URL tells the reason for this long.
pub(crate) const CLOSED_MEMORY: Duration = Duration::from_secs(60);
/// Limit of remembered closes; the oldest is forgotten first.
pub(crate) const CLOSED_MEMORY_MAX: usize = 10_000;
/// A reservation whose media does not come ends after this.
pub(crate) const FIRST_MEDIA_TIMEOUT: Duration = Duration::from_secs(10);
/// Without media for this long the stream is stalled. Browsers pause at most a second or two when a tab is hidden, and
/// ICE needs longer (15 s) to notice.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(4);
/// Without media for this long the session ends; twice ICE's own limit, so that a changed network can come back.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(30);
/// Media came but no unit a reader could start with: given up after this. Longer than the longest usual distance of key
/// frames (x264: 250 frames).
pub(crate) const FIRST_KEY_TIMEOUT: Duration = Duration::from_secs(30);
/// Video was agreed on but none comes: the stream begins with its audio after this.
pub(crate) const AUDIO_ALONE_AFTER: Duration = Duration::from_secs(2);
/// An owner whose media is silent for this long may be replaced.
pub(crate) const SILENT_OWNER: Duration = Duration::from_secs(2);
/// How often a session looks at its time limits.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name in the fabric.
    pub name: NodeName,
    /// This run of it.
    pub incarnation: Incarnation,
    /// When this run began: `sent` of units counts from here.
    pub started: Instant,
}

/// Settings of the ingest role.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// True: an authorised newcomer takes the name over. False: it is refused while the owner answers.
    pub override_publisher: bool,
    /// Most publishers at once on this node, those without media yet included, besides `fabric.limits.publishers` of the
    /// settings, which counts as it is now; 0: no other limit.
    pub max_publishers: usize,
    /// Most publishers at once whose media has not come yet: each holds some 200 kB until it is dropped. Besides
    /// `fabric.limits.pendingPublishers`, as above.
    pub max_waiting: usize,
    /// ICE servers named in `Link` headers.
    pub ice_servers: Vec<IceServer>,
    /// What each client address has of this node, readers included: `fabric.limits.sessionsPerAddress` of the settings
    /// is its bound.
    pub shares: weft_limits::Shares,
    /// Paths and whatever else may change while the node runs.
    pub settings: weft_config::Live,
    /// Who may publish.
    pub gate: weft_auth::Gate,
    /// What is told when a stream becomes available or ends.
    pub hooks: weft_hooks::Hooks,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            override_publisher: true,
            max_publishers: 0,
            max_waiting: 500,
            ice_servers: Vec::new(),
            shares: weft_limits::Shares::default(),
            settings: weft_config::Live::default(),
            gate: weft_auth::Gate::open(),
            hooks: weft_hooks::Hooks::none(),
        }
    }
}
