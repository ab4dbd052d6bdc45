//! SIGTERM and SIGINT: the first asks for a clean end, the second ends the process at once. SIGHUP has the log file opened anew.
//! What a clean end is, the node knows.

use std::io::IsTerminal;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code when a second signal came before the clean end.
const IMPATIENT: i32 = 130;

/// Cancels `shutdown` at the first signal.
///
/// # Errors
/// When the system does not let us hear signals.
pub(crate) fn listen(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("shutting down; a second signal ends the process at once");
        shutdown.cancel();
        either(&mut terminate, &mut interrupt).await;
        crate::logging::flush();
        std::process::exit(IMPATIENT);
    });
    Ok(())
}

/// Has the log file opened anew at each SIGHUP. Where there is none, and the log goes to a terminal, that terminal was closed:
/// then this is a clean end.
///
/// # Errors
/// When the system does not let us hear signals.
pub(crate) fn hear_hangup(shutdown: CancellationToken) -> std::io::Result<()> {
    // Looked at now: later it is gone.
    let terminal = std::io::stderr().is_terminal();
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if crate::logging::reopen() {
                tracing::info!("the log file is opened anew");
            } else if terminal {
                tracing::info!("the terminal was closed; shutting down");
                shutdown.cancel();
            }
        }
    });
    Ok(())
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}
