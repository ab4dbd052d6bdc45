//! `weft gateway`: the exam gateway in front of another server, from its start to a signal.
//! What it serves is `weft-gateway`'s business.

use crate::node::{Port, StartError};
use crate::{command, logging, signals};
use anyhow::Context;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use weft_config::ListenAddress;
use weft_gateway::Settings;

/// Runs it until a signal comes.
pub(crate) fn run(listen: ListenAddress, settings: Settings) -> ExitCode {
    let _log = logging::start_command();
    match actix_rt::System::new().block_on(serve(listen, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(listen: ListenAddress, settings: Settings) -> anyhow::Result<()> {
    let end = CancellationToken::new();
    signals::listen(end.clone())?;
    let port = Port::bind(listen, "--listen", "--listen").map_err(|error| match error {
        StartError::Bind { address, source, .. } => {
            anyhow::anyhow!(
                "cannot listen on TCP {address}: {source}; choose another port with --listen :PORT"
            )
        }
        other => other.into(),
    })?;
    let address = shown(port.address);
    command::say(&format!(
        "weft {}, exam gateway in front of {}\n  publish   http://{address}/api/webrtc/whip?examId=EXAM&participantId=PARTICIPANT\n  health    http://{address}/api/webrtc/health\n",
        env!("CARGO_PKG_VERSION"),
        settings.whip,
    ));
    weft_gateway::serve(port.listener, settings, end.cancelled_owned())
        .await
        .context("the gateway ended")
}

/// How somebody on this host writes it.
fn shown(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}
