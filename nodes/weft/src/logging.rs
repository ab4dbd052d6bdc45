//! Sets up the log: one line per event on standard error, as much as `logLevel` asks for.
//! What is logged is each part's business.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use weft_config::LogLevel;

/// Starts logging. `WEFT_LOG` replaces the filter, in the form of tracing's `EnvFilter`.
pub(crate) fn start(level: LogLevel) {
    // The stack below WebRTC warns about every bad packet, the HTTP stack about every bad request: which is for an attacker
    // to decide.
    let quiet = weft_rtc::QUIET;
    let default = format!(
        "{},{quiet},async_nats=off,actix_server=warn,actix_http=off",
        level.as_str()
    );
    let filter = EnvFilter::try_from_env("WEFT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_target(true);
    // Fails only when a test has set another log up, which is then the right one.
    drop(log.try_init());
}
