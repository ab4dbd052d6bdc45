//! SIGTERM and SIGINT: the first asks for a clean end, the second ends the process at once.
//! What a clean end is, the node knows.

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
        std::process::exit(IMPATIENT);
    });
    Ok(())
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}
