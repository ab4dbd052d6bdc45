//! After a change of the configuration: closes the sessions on this node that it touches, and nobody else's.
//! What somebody may do is judged by the auth crate, how a session ends is its own business.

use super::Changed;
use crate::node::state::{Parts, State};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;
use weft_auth::{Action, still_allowed};
use weft_config::Config;
use weft_wire::{CloseReason, SessionId, StreamName};

/// Sessions judged before the others of this thread get their turn.
const AT_ONCE: usize = 64;

/// Closes who may not stay. Sessions that began after the change was told were let in under it.
pub(crate) async fn sweep(state: Arc<State>, change: Changed) {
    let Some(parts) = state.parts() else { return };
    let (publishers, of_publishers) = publishers(parts, &change).await;
    let (readers, of_readers) = readers(parts, &change).await;
    if publishers + readers > 0 {
        tracing::info!(
            publishers,
            readers,
            of_publishers,
            of_readers,
            "sessions closed that the new configuration does not allow"
        );
    }
}

async fn publishers(parts: &Parts, change: &Changed) -> (usize, usize) {
    let Some(ingest) = &parts.ingest else {
        return (0, 0);
    };
    let sessions = ingest.sessions().await;
    let since = change
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let mut close = HashSet::new();
    for (number, session) in sessions.iter().enumerate() {
        let ip = whereabouts(session.pulled, session.client, session.remote);
        let old = if session.created.0 >= since {
            &change.new
        } else {
            &change.old
        };
        if !stays(
            old,
            &change.new,
            &session.principal,
            Action::Publish,
            &session.stream,
            ip,
        ) {
            close.insert(session.id);
        }
        breathe(number).await;
    }
    (
        ingest.close_all(&close, CloseReason::NotAllowed).await,
        sessions.len(),
    )
}

async fn readers(parts: &Parts, change: &Changed) -> (usize, usize) {
    let Some(egress) = &parts.egress else {
        return (0, 0);
    };
    let (mut closed, mut all) = (0, 0);
    for hub in egress.hubs() {
        for reader in &hub.readers {
            let old = if reader.since >= change.at {
                &change.new
            } else {
                &change.old
            };
            let ip = Some(reader.peer.ip());
            if !stays(old, &change.new, &reader.principal, Action::Read, &hub.stream, ip) {
                let id = SessionId(*reader.id.as_bytes());
                closed += usize::from(egress.close_reader(id, CloseReason::NotAllowed));
            }
            breathe(all).await;
            all += 1;
        }
    }
    (closed, all)
}

async fn breathe(number: usize) {
    if number % AT_ONCE == AT_ONCE - 1 {
        tokio::task::yield_now().await;
    }
}

/// Where a publisher is, for users and address lists; `None` for a source that is pulled: it was not let in by them, and its
/// path alone decides about it.
fn whereabouts(pulled: bool, client: Option<IpAddr>, remote: Option<SocketAddr>) -> Option<IpAddr> {
    let remote = remote.map(|remote| remote.ip());
    client.or(remote).filter(|_| !pulled)
}

/// Whether a session may stay: its path is there and has the same source, and whoever it is still may do this from there.
fn stays(
    old: &Config,
    new: &Config,
    principal: &str,
    action: Action,
    stream: &StreamName,
    ip: Option<IpAddr>,
) -> bool {
    let Some(now) = new.paths.find(stream) else {
        return false;
    };
    let before = old.paths.find(stream);
    // A path of the same source under another name is the same stream.
    let same = before.is_none_or(|before| {
        before.conf.source == now.conf.source
            && (before.groups == now.groups || !has_groups(&now.conf.source))
    });
    // Of a session whose address is not known nothing is said by users and address lists.
    let ip = ip.map(|ip| ip.to_canonical());
    same && ip.is_none_or(|ip| still_allowed(old, new, principal, action, stream.as_str(), ip))
}

/// True for a source that is made of the groups of the path's expression.
fn has_groups(source: &weft_config::Source) -> bool {
    match source {
        weft_config::Source::Publisher => false,
        weft_config::Source::Pull(url) | weft_config::Source::Redirect(url) => url.contains('$'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_config::{PathConf, Paths, Pattern, Source};

    fn with(paths: Vec<PathConf>) -> Config {
        Config {
            paths: Paths::new(paths),
            ..Config::default()
        }
    }

    fn stays_here(old: &Config, new: &Config) -> bool {
        let stream = StreamName::new("cam/1").unwrap();
        let ip = Some("127.0.0.1".parse().unwrap());
        stays(old, new, "", Action::Publish, &stream, ip)
    }

    fn pattern(text: &str) -> PathConf {
        PathConf {
            pattern: Some(Pattern::new(&text[1..]).unwrap()),
            ..PathConf::named(text)
        }
    }

    #[test]
    fn who_has_no_path_any_more_goes() {
        let all = with(vec![PathConf::named("all_others")]);
        assert!(stays_here(&all, &all));
        assert!(!stays_here(&all, &with(vec![PathConf::named("cam/2")])));
    }

    #[test]
    fn a_path_of_another_name_with_the_same_source_touches_nobody() {
        let all = with(vec![PathConf::named("all_others")]);
        let own = with(vec![PathConf::named("all_others"), PathConf::named("cam/1")]);
        let expression = with(vec![pattern("~^cam/(.)$")]);
        for (old, new) in [
            (&all, &own),
            (&own, &all),
            (&all, &expression),
            (&expression, &own),
        ] {
            assert!(stays_here(old, new));
        }
    }

    #[test]
    fn a_path_whose_source_is_another_closes_its_sessions() {
        let all = with(vec![PathConf::named("all_others")]);
        let pull = |url: &str| {
            with(vec![PathConf {
                source: Source::Pull(url.to_owned()),
                ..PathConf::named("cam/1")
            }])
        };
        assert!(!stays_here(&all, &pull("rtsp://a/")));
        assert!(!stays_here(&pull("rtsp://a/"), &pull("rtsp://b/")));
        assert!(stays_here(&pull("rtsp://a/"), &pull("rtsp://a/")));
    }

    #[test]
    fn a_source_that_is_pulled_is_no_users_and_goes_with_its_path_alone() {
        use weft_config::{AuthMethod, Password, Secret, User};
        let mut old = with(vec![PathConf::named("cam/1")]);
        old.auth.method = AuthMethod::Internal;
        old.auth.users = vec![User {
            name: Some(Password::Plain(Secret::new("operator"))),
            password: Password::Plain(Secret::new("secret")),
            ips: Vec::new(),
            permissions: Vec::new(),
        }];
        let new = old.clone();
        let stream = StreamName::new("cam/1").unwrap();
        let remote = Some("192.0.2.1:554".parse().unwrap());
        let stays = |pulled| {
            let ip = whereabouts(pulled, None, remote);
            stays(&old, &new, "", Action::Publish, &stream, ip)
        };
        assert!(stays(true));
        assert!(!stays(false), "nobody of no name may publish here");
    }
}
