//! For how long a bucket has had the leader it has: a leader new in office may show things as gone that are not.
//! What is put off because of that is decided by the registry's users.

use async_nats::jetstream::stream::Info;
use std::time::Duration;
use tokio::time::Instant;

/// A leader's time in office as the server tells it: compared for equality only, since it is by another host's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reign {
    bucket_made: i128,
    leader: String,
    began: Option<i128>,
}

/// The leader of a bucket as seen from here.
#[derive(Debug, Default)]
pub(super) struct Leader {
    seen: Option<(Reign, Instant)>,
}

impl Leader {
    /// Takes note of an answer got just now, if it is the first.
    pub(super) fn first(&mut self, now: Instant, info: &Info) {
        if self.seen.is_none() {
            self.note(now, info);
        }
    }

    /// Takes note of an answer got just now. How long the leader in it has been seen here without another in between;
    /// `Duration::MAX` for a server that stands alone and `None` while there is no leader.
    pub(super) fn note(&mut self, now: Instant, info: &Info) -> Option<Duration> {
        // A server that stands alone names itself as leader, and no cluster.
        let Some(cluster) = info.cluster.as_ref().filter(|cluster| cluster.name.is_some()) else {
            return Some(Duration::MAX);
        };
        let Some(leader) = cluster.leader.clone().filter(|leader| !leader.is_empty()) else {
            self.seen = None;
            return None;
        };
        let reign = Reign {
            bucket_made: info.created.unix_timestamp_nanos(),
            leader,
            began: cluster.leader_since.map(|since| since.unix_timestamp_nanos()),
        };
        // One just elected does not say at first since when.
        if let Some((seen, _)) = &mut self.seen
            && seen.began.is_none()
        {
            seen.began = reign.began;
        }
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != reign) {
            self.seen = Some((reign, now));
        }
        self.seen.as_ref().map(|(_, since)| now - *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(made: &str, cluster: &str) -> Info {
        let text = format!(
            r#"{{"config": {{"name": "KV_x", "subjects": [], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
                "max_bytes": -1, "discard": "new", "max_age": 0, "storage": "file", "num_replicas": 3}},
                "created": "{made}", "state": {{"messages": 0, "bytes": 0, "first_seq": 0,
                "first_ts": "2026-01-01T00:00:00Z", "last_seq": 0, "last_ts": "2026-01-01T00:00:00Z",
                "consumer_count": 0}}{cluster}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn led(by: &str, since: &str) -> Info {
        let cluster = format!(r#", "cluster": {{"name": "c", "leader": "{by}", "leader_since": "{since}"}}"#);
        info("2026-01-01T00:00:00Z", &cluster)
    }

    const EARLY: &str = "2026-01-01T10:00:00Z";
    const LATE: &str = "2026-01-01T11:00:00Z";

    #[test]
    fn time_runs_from_when_a_leader_was_first_seen_and_anew_with_each_change() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut leader = Leader::default();
        leader.first(at(0), &led("a", EARLY));
        leader.first(at(5), &led("b", EARLY));
        assert_eq!(
            leader.note(at(40), &led("a", EARLY)),
            Some(Duration::from_secs(40))
        );
        assert_eq!(leader.note(at(50), &led("b", LATE)), Some(Duration::ZERO));
        assert_eq!(
            leader.note(at(60), &led("b", LATE)),
            Some(Duration::from_secs(10))
        );
        let again = "2026-01-01T12:00:00Z";
        assert_eq!(
            leader.note(at(70), &led("b", again)),
            Some(Duration::ZERO),
            "elected again"
        );
        assert_eq!(leader.note(at(80), &led("", again)), None);
        assert_eq!(
            leader.note(at(90), &led("b", again)),
            Some(Duration::ZERO),
            "it had gone"
        );
    }

    #[test]
    fn a_bucket_made_anew_begins_a_reign_and_a_server_alone_has_none() {
        let now = Instant::now();
        let mut leader = Leader::default();
        leader.note(now, &led("a", EARLY));
        let cluster = r#", "cluster": {"name": "c", "leader": "a"}"#;
        assert_eq!(
            leader.note(now, &info("2026-01-01T00:00:00Z", cluster)),
            Some(Duration::ZERO)
        );
        let cluster = format!(r#", "cluster": {{"name": "c", "leader": "a", "leader_since": "{EARLY}"}}"#);
        let later = now + Duration::from_secs(9);
        assert_eq!(
            leader.note(later, &led("a", EARLY)),
            Some(Duration::from_secs(9)),
            "the same, said later"
        );
        assert_eq!(
            leader.note(later, &info("2026-02-01T00:00:00Z", &cluster)),
            Some(Duration::ZERO)
        );
        assert_eq!(
            leader.note(later, &info("2026-02-01T00:00:00Z", "")),
            Some(Duration::MAX)
        );
    }
}
