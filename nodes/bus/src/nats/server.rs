//! What a NATS server must be for Weft: its version, JetStream, and the size of messages it takes.
//! Settings a client cannot see are checked elsewhere, by file or by the server's monitoring port.

use async_nats::ServerInfo;

/// Below this limit a unit of the largest size would need more parts than a message can number.
const MIN_MAX_PAYLOAD: usize = 64 * 1024;
/// Older servers lack message expiry by marker, which the registry's buckets stand on.
const MIN_VERSION: (u64, u64) = (2, 11);

/// What is wrong with a server, and what to do about it; or whether JetStream must be asked for.
pub(super) fn check(info: &ServerInfo) -> Result<JetStream, String> {
    let at = format!("nats-server {} at {}:{}", info.version, info.host, info.port);
    if version(&info.version).is_none_or(|version| version < MIN_VERSION) {
        let (major, minor) = MIN_VERSION;
        return Err(format!(
            "{at} is too old: Weft needs {major}.{minor} or newer, so upgrade it"
        ));
    }
    if info.max_payload < MIN_MAX_PAYLOAD {
        return Err(format!(
            "{at} takes messages of {} bytes only: set `max_payload: 4MB` in its configuration (64 KB is the least)",
            info.max_payload
        ));
    }
    if info.jetstream {
        Ok(JetStream::On)
    } else {
        Ok(JetStream::Ask)
    }
}

/// The sentence for a server without JetStream.
pub(super) fn no_jetstream(info: &ServerInfo) -> String {
    format!(
        "nats-server {} at {}:{} has no JetStream, which keeps the table of names: start it with `-js`, or put a \
         `jetstream {{}}` block into its configuration",
        info.version, info.host, info.port
    )
}

/// Whether JetStream is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JetStream {
    /// The server says so itself.
    On,
    /// Not on this server; another one of its cluster may have it.
    Ask,
}

fn version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.trim_start_matches('v').split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: &str, max_payload: usize, jetstream: bool) -> ServerInfo {
        ServerInfo {
            version: version.into(),
            host: "h".into(),
            port: 4222,
            max_payload,
            jetstream,
            ..ServerInfo::default()
        }
    }

    #[test]
    fn a_server_too_old_or_too_small_is_refused_with_what_to_do() {
        assert!(
            check(&info("2.10.29", 1 << 20, true))
                .unwrap_err()
                .contains("upgrade")
        );
        assert!(check(&info("1.4.1", 1 << 20, true)).is_err());
        assert!(check(&info("", 1 << 20, true)).is_err());
        assert!(
            check(&info("2.15.1", 1024, true))
                .unwrap_err()
                .contains("max_payload: 4MB")
        );
        assert_eq!(check(&info("2.11.0-beta.2", 1 << 20, true)), Ok(JetStream::On));
        assert_eq!(check(&info("v3.0.0", 1 << 20, true)), Ok(JetStream::On));
        assert_eq!(check(&info("2.15.1", 1 << 20, false)), Ok(JetStream::Ask));
        assert!(no_jetstream(&info("2.15.1", 1 << 20, false)).contains("`-js`"));
    }
}
