//! `weft-load`: reads the command line, measures step by step, prints. What is measured is the library's business.

use anyhow::{Context as _, Result};
use clap::Parser as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use weft_load::cli::Arguments;
use weft_load::progress::Progress;
use weft_load::report::{self, Report};
use weft_load::run::Run;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match work(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("weft-load: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// To standard error; one that is closed is no reason to fail.
fn tell(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}

fn work(arguments: &Arguments) -> Result<()> {
    arguments.validate()?;
    if arguments.check {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let stop = Arc::new(AtomicBool::new(false));
    runtime.spawn(interrupted(stop.clone()));
    let mut run = Run::new(arguments.clone(), runtime.handle().clone(), stop)?;
    let mut report = Report::new(arguments);
    let mut progress = Progress::new();
    for (publishers, readers) in arguments.steps() {
        let step = run.step(publishers, readers, &mut progress);
        progress.clear();
        report.steps.push(step?);
    }
    let table = report::table(&report);
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    };
    let to_output = arguments.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report)?;
        if to_output {
            std::io::stdout().write_all(json.as_bytes())?;
        } else {
            write(path, &json)?;
        }
    }
    if let Some(path) = &arguments.plot {
        write(path, &report::plot(&report))?;
    }
    if to_output {
        tell(&table);
    } else {
        std::io::stdout().write_all(table.as_bytes())?;
    }
    Ok(())
}

/// Sets the flag at the first SIGINT or SIGTERM; sessions are then ended as always.
async fn interrupted(stop: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    stop.store(true, Relaxed);
}
