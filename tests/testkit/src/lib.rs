//! What the end-to-end tests stand on: real nodes, real publishers and readers as child processes, a
//! lossy relay, and an independent RTSP reader that judges what arrives. No assertion about the product lives here.

pub mod account;
pub mod fixture;
pub mod hls_rules;
pub mod http;
pub mod node;
pub mod oracle;
pub mod process;
pub mod publish;
pub mod read;
pub mod relay;
pub mod rtsp;
pub mod stamp;
pub mod tools;
pub mod units;
pub mod watch;
pub mod whip_proxy;

use std::future::Future;
use std::io::Write;
use std::time::{Duration, Instant};

/// Asks again every 20 ms until `question` has an answer; fails with `what` when `limit` is over.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut question: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = question().await {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Shows a measured figure in the test's output even when it passes: libtest captures only the print macros.
pub fn figure(text: impl std::fmt::Display) {
    // A closed standard error is no reason to fail a test.
    drop(writeln!(std::io::stderr(), "    {text}"));
}

/// The middle value of some durations; zero for none.
pub fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Whether the long sizes were asked for (`tests/run --full`).
pub fn full() -> bool {
    std::env::var_os("WEFT_FULL").is_some()
}
