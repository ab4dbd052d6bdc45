//! What the commands do: run a node until it is told to end, with or without the built-in publisher.
//! Reading the command line is `cli`'s business.

use crate::cli::Publish;
use crate::demo::follower::FollowOptions;
use crate::demo::journal::Happened;
use crate::demo::publisher::Options;
use crate::demo::{Clip, ClipLoop, Follower, Publisher, StampedLoop};
use crate::node::{Node, Role};
use crate::traces::{Exporter, Spans};
use crate::{logging, signals};
use anyhow::Context;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use weft_config::{Base, Layers};

/// The stream that the built-in publisher publishes.
const DEMO_STREAM: &str = "demo";

/// Runs a node until a signal comes.
pub(crate) fn serve(
    base: Base,
    layers: Layers,
    role: Role,
    demo: bool,
) -> Result<ExitCode, weft_config::Error> {
    let config = layers.config()?;
    let endpoint = config.fabric.otlp_endpoint.as_deref();
    let (spans, exporter) = endpoint.map(|to| Spans::to(to, role.as_str())).unzip();
    let _log = logging::start(config.log_level, &config.log, spans);
    if let Some(name) = &config.fabric.node_name {
        logging::set_node(name.as_str());
    }
    match &base.file {
        Some(file) => tracing::info!(file = %file.display(), "configuration read"),
        None => tracing::info!("no configuration file is named or found; the defaults hold"),
    }
    for notice in config.notices() {
        tracing::warn!("{notice}");
    }
    // Arbiters keep their own threads; everything else shares this runtime.
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("weft")
            .build()
            .expect("a process that cannot have threads cannot serve")
    });
    let monitor = config.fabric.nats.monitor;
    Ok(
        match system.block_on(run((base, layers), monitor, role, demo, exporter)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                if let Some(file) = logging::only_file() {
                    complain(&error, &file);
                }
                ExitCode::FAILURE
            }
        },
    )
}

/// A node that ends at once must not do so without a word to whoever has started it.
#[allow(clippy::print_stderr)] // the log goes elsewhere
fn complain(error: &anyhow::Error, log: &Path) {
    eprintln!("weft: {error}\n  the log is in {}", log.display());
}

async fn run(
    (base, layers): (Base, Layers),
    monitor: Vec<String>,
    role: Role,
    demo: bool,
    exporter: Option<Exporter>,
) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    tokio::spawn(crate::check::watch(monitor));
    signals::listen(shutdown.clone())?;
    signals::hear_hangup(shutdown.clone())?;
    let node = Box::pin(Node::build_from(base, layers, role)).await?;
    logging::set_node(node.name().as_str());
    let end = CancellationToken::new();
    let traces = exporter.map(|exporter| tokio::spawn(exporter.run(node.name().to_string(), end.clone())));
    say(&(node.greeting(demo.then_some(DEMO_STREAM)) + "\n"));
    let whip = node.whip_url(DEMO_STREAM).filter(|_| demo);
    let publisher = whip.map(|url| tokio::spawn(play(url, shutdown.clone())));
    let ended = node.run(shutdown.clone()).await;
    // The spans of the sessions that have just ended.
    end.cancel();
    if let Some(traces) = traces {
        traces.await?;
    }
    ended?;
    if let Some(publisher) = publisher {
        publisher.await?;
    }
    Ok(())
}

/// Publishes the clip until the node ends or somebody else takes the stream over.
async fn play(url: String, shutdown: CancellationToken) {
    let options = Options {
        obey_keyframes: false,
        ..Options::default()
    };
    let publisher = match Publisher::start(&url, ClipLoop::new(Clip::demo()), options).await {
        Ok(publisher) => publisher,
        Err(error) => {
            tracing::error!(%error, "the demo publisher could not start");
            return;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = publisher.ended() => tracing::info!("the demo publisher's session has ended"),
    }
    publisher.close().await;
}

/// Publishes to running nodes until a signal comes, or until another publisher or an operator ends it (exit code 1).
pub(crate) fn publish(publish: &Publish, urls: Vec<String>) -> ExitCode {
    // What happens is told on standard output.
    let _log = logging::start_command();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a process that cannot have threads cannot publish");
    match runtime.block_on(follow(publish, urls)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when it ended by order.
async fn follow(publish: &Publish, urls: Vec<String>) -> anyhow::Result<bool> {
    let shutdown = CancellationToken::new();
    signals::listen(shutdown.clone())?;
    let clip = match &publish.clip {
        None => Clip::demo(),
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Clip::parse(bytes.into()).with_context(|| path.display().to_string())?
        }
    };
    let mut options = FollowOptions {
        find_local_ip: true,
        ..FollowOptions::default()
    };
    options.publisher.obey_keyframes = true;
    options.publisher.token.clone_from(&publish.token);
    let source = move || StampedLoop::new(ClipLoop::new(clip.clone()));
    let follower = Follower::start(urls, source, options);
    let mut seen = 0;
    let ordered = loop {
        let entries = tokio::select! {
            () = shutdown.cancelled() => break true,
            entries = follower.after(seen) => entries,
        };
        seen += entries.len();
        for entry in &entries {
            say(&format!("{} {}\n", now(), entry.what));
        }
        if entries
            .iter()
            .any(|entry| matches!(entry.what, Happened::Ended(_)))
        {
            break false;
        }
    };
    let units = follower.units();
    if ordered {
        follower.stop().await;
    }
    say(&format!("{} ended; {units} access units sent\n", now()));
    Ok(ordered)
}

/// The time of day as in the log.
fn now() -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// Tells whoever reads standard output, a person or a pipe; a pipe whose reader has left is no reason to end.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
