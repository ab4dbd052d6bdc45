//! What the configuration's paths say to publishers: whether a name is one, whether it takes publishers, and whether a
//! newcomer may take it over. Who somebody is, and what they may do, is decided before.

use crate::IngestConfig;
use crate::error::Error;
use std::time::SystemTime;
use weft_config::{Found, PathConf, Source};
use weft_rtc::IceServer;
use weft_wire::StreamName;

/// One client address may have this part of the publishers without media yet: nobody alone keeps all others out.
const WAITING_SHARE: usize = 2;
/// And always as many as this: a household's worth that comes back at once.
const WAITING_LEAST: usize = 4;

/// How many publishers there may be; `usize::MAX`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// In all.
    pub(crate) publishers: usize,
    /// Without media yet.
    pub(crate) waiting: usize,
    /// Without media yet, of one client address.
    pub(crate) waiting_of_address: usize,
    /// Publishers and readers of one client address; 0: no limit.
    pub(crate) of_address: usize,
}

impl IngestConfig {
    /// The path that a stream comes under.
    ///
    /// # Errors
    /// [`Error::NotConfigured`].
    pub(crate) fn path(&self, stream: &StreamName) -> Result<Found, Error> {
        let found = self.settings.now().paths.find(stream);
        found.ok_or_else(|| Error::NotConfigured(stream.clone()))
    }

    /// Ok: somebody may publish it.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::NotForPublishers`].
    pub(crate) fn takes_publisher(&self, stream: &StreamName) -> Result<(), Error> {
        match self.path(stream)?.conf.source {
            Source::Publisher => Ok(()),
            Source::Pull(_) => Err(Error::NotForPublishers(stream.clone(), "another server")),
            Source::Redirect(_) => Err(Error::NotForPublishers(stream.clone(), "redirect")),
        }
    }

    /// How many there may be as the configuration is now.
    pub(crate) fn bounds(&self) -> Bounds {
        let live = self.settings.now().fabric.limits;
        let lower = |fixed: usize, live: usize| {
            let some = |limit: usize| if limit == 0 { usize::MAX } else { limit };
            some(fixed).min(some(live))
        };
        let waiting = lower(self.max_waiting, live.pending_publishers);
        Bounds {
            publishers: lower(self.max_publishers, live.publishers),
            waiting,
            waiting_of_address: match waiting {
                usize::MAX => usize::MAX,
                waiting => (waiting / WAITING_SHARE).max(WAITING_LEAST),
            },
            of_address: live.sessions_per_address,
        }
    }

    /// The ICE servers that a publisher is told of now, with a login of its own where they want one.
    pub(crate) fn told_ice_servers(&self) -> Vec<IceServer> {
        let told = IceServer::told(&self.settings.now().ice_servers, SystemTime::now());
        self.ice_servers.iter().cloned().chain(told).collect()
    }

    /// Whether an authorised newcomer takes the stream over: the fabric's setting and the path's must both allow it. A
    /// pulled source replaces nobody: two nodes that pull the same would do so in turns.
    pub(crate) fn overrides(&self, stream: &StreamName) -> bool {
        let fabric = self.override_publisher && self.settings.now().fabric.override_publisher;
        let allows = |conf: &PathConf| conf.override_publisher && conf.source == Source::Publisher;
        fabric && self.path(stream).is_ok_and(|found| allows(&found.conf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stream;
    use weft_config::{Config, Live, Paths};

    fn config(paths: Vec<PathConf>) -> IngestConfig {
        IngestConfig {
            settings: Live::fixed(Config {
                paths: Paths::new(paths),
                ..Config::default()
            }),
            ..IngestConfig::default()
        }
    }

    #[test]
    fn a_name_without_a_path_and_one_with_a_source_of_its_own_take_no_publishers() {
        let config = config(vec![
            PathConf::named("plain"),
            PathConf {
                source: Source::Pull("rtsp://user:secret@camera/1".to_owned()),
                ..PathConf::named("camera")
            },
            PathConf {
                source: Source::Redirect("rtsp://elsewhere/".to_owned()),
                ..PathConf::named("moved")
            },
        ]);
        let said = |name| {
            let refused = config.takes_publisher(&stream(name)).err();
            refused.map(|error| (error.status().as_u16(), error.to_string()))
        };
        assert_eq!(said("plain"), None);
        for (name, words) in [
            ("other", "path 'other' is not configured"),
            (
                "camera",
                "path 'camera' takes no publishers: its source is another server",
            ),
            (
                "moved",
                "path 'moved' takes no publishers: its source is redirect",
            ),
        ] {
            assert_eq!(said(name), Some((400, words.to_owned())));
        }
    }

    #[test]
    fn a_name_is_taken_over_only_where_the_fabric_and_the_path_allow_it() {
        for (fabric, path) in [(true, true), (true, false), (false, true), (false, false)] {
            let config = IngestConfig {
                override_publisher: fabric,
                ..config(vec![PathConf {
                    override_publisher: path,
                    ..PathConf::named("all_others")
                }])
            };
            assert_eq!(config.overrides(&stream("x")), fabric && path);
        }
    }
}
