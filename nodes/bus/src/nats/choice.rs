//! Which server of a cluster a connection goes to next: the one with the fewest failures, and of equal ones not the one whose
//! connection was just lost. How long it waits before that is `config`'s business.

use async_nats::{ReconnectToServer, Server, ServerAddr};
use rand::Rng;
use std::sync::{Mutex, PoisonError};

/// Remembers where the last attempt went. The client would choose by failures and chance alone; a server that hangs takes
/// connections, so one time in three the client went back to it and waited a second more for its first word.
#[derive(Debug, Default)]
pub(super) struct Choice {
    last: Mutex<Option<ServerAddr>>,
}

impl Choice {
    /// The server to go to now; `None` only if there are none.
    pub(super) fn next(&self, servers: &[Server]) -> Option<ReconnectToServer> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = servers.iter().min_by_key(|server| {
            let again = last.as_ref() == Some(&server.addr);
            (server.failed_attempts, again, rand::rng().random::<u32>())
        })?;
        *last = Some(next.addr.clone());
        Some(ReconnectToServer {
            addr: next.addr.clone(),
            delay: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(port: u16, failed_attempts: usize) -> Server {
        Server {
            addr: format!("nats://127.0.0.1:{port}").parse().unwrap(),
            failed_attempts,
            did_connect: true,
            is_discovered: false,
            last_error: None,
        }
    }

    #[test]
    fn a_server_whose_connection_was_lost_is_not_the_next_one() {
        let choice = Choice::default();
        let servers = [server(1, 0), server(2, 0), server(3, 0)];
        let mut last = choice.next(&servers).unwrap().addr;
        for _ in 0..100 {
            let next = choice.next(&servers).unwrap().addr;
            assert_ne!(next, last);
            last = next;
        }
    }

    #[test]
    fn fewer_failures_count_more_and_the_only_one_is_taken_again() {
        let choice = Choice::default();
        for _ in 0..10 {
            assert_eq!(
                choice.next(&[server(1, 1), server(2, 0)]).unwrap().addr,
                server(2, 0).addr
            );
        }
        assert!(choice.next(&[]).is_none());
    }
}
