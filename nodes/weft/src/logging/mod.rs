//! The log: which lines there are (`logLevel`), where they go (`logDestinations`), and how they are told to go elsewhere while
//! the node runs. What a line looks like is in `line`, how it is written without anybody waiting in `sink`.

mod file;
mod line;
mod sink;
#[cfg(test)]
mod tests;

use crate::traces::Spans;
use line::{Line, Style};
use sink::Sink;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};
use weft_config::{Config, Live, LogDestination, LogLevel, LogSettings};

/// Replaces the filter, in the form of tracing's `EnvFilter`.
const FILTER: &str = "WEFT_LOG";

/// What the last lines of a process may take to be written.
const LAST_LINES: Duration = Duration::from_millis(500);

static LOG: OnceLock<Log> = OnceLock::new();
static LINES: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The log of this process.
struct Log {
    /// The node that the lines are of, once it has its name.
    node: OnceLock<String>,
    sinks: RwLock<(LogSettings, Vec<Sink>)>,
    /// `None`: the environment has said what is logged.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

/// Writes the last lines when it is dropped.
#[must_use]
pub(crate) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts the log, and the traces where there are any. A destination that cannot be written is said on standard
/// error and tried again; it stops nobody.
pub(crate) fn start(level: LogLevel, settings: &LogSettings, spans: Option<Spans>) -> Guard {
    let (filter, fixed) = match EnvFilter::try_from_env(FILTER) {
        Ok(filter) => (filter, true),
        Err(_) => (EnvFilter::new(filter(level)), false),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let log = Log {
        node: OnceLock::new(),
        sinks: RwLock::new((settings.clone(), open(settings))),
        filter: (!fixed).then_some(handle),
    };
    if LOG.set(log).is_ok() {
        let layers = Registry::default()
            .with(Lines.with_filter(filter))
            .with(spans.map(Spans::layer));
        // Fails only when a test has set another log up, which is then the right one.
        drop(layers.try_init());
        say_panics();
    }
    Guard(())
}

/// Starts the log of a command that is no node: warnings, on standard error.
pub(crate) fn start_command() -> Guard {
    start(LogLevel::Warn, &Config::default().log, None)
}

/// From now on each line says that it is this node's; the first name counts.
pub(crate) fn set_node(node: &str) {
    if let Some(log) = LOG.get() {
        log.node.set(node.to_owned()).ok();
    }
}

/// From now on as much is logged as this asks for, unless the environment has said what is.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = LOG.get().and_then(|log| log.filter.as_ref()) {
        // Fails only when the subscriber is gone, and the process with it.
        handle.reload(EnvFilter::new(filter(level))).ok();
    }
}

/// Follows the configuration: its level and its destinations.
pub(crate) async fn follow(mut live: Live) {
    let mut level = live.now().log_level;
    while let Some(config) = live.changed().await {
        if std::mem::replace(&mut level, config.log_level) != config.log_level {
            set_level(config.log_level);
            tracing::info!(now = config.log_level.as_str(), "log level changed");
        }
        set_destinations(&config.log);
    }
}

/// From now on lines go there; what is queued for the old destinations is still written.
pub(crate) fn set_destinations(settings: &LogSettings) {
    let Some(log) = LOG.get() else { return };
    if log.sinks.read().unwrap_or_else(PoisonError::into_inner).0 != *settings {
        let sinks = open(settings);
        *log.sinks.write().unwrap_or_else(PoisonError::into_inner) = (settings.clone(), sinks);
    }
}

/// The log file, where it is all there is: then nothing of the log is seen where the program was started.
pub(crate) fn only_file() -> Option<PathBuf> {
    let sinks = LOG.get()?.sinks.read().unwrap_or_else(PoisonError::into_inner);
    is_only_file(&sinks.0).then(|| sinks.0.file.clone())
}

fn is_only_file(settings: &LogSettings) -> bool {
    settings.destinations.iter().all(|to| *to == LogDestination::File)
}

/// Opens the log file anew; false when there is none.
pub(crate) fn reopen() -> bool {
    let Some(log) = LOG.get() else { return false };
    let sinks = log.sinks.read().unwrap_or_else(PoisonError::into_inner);
    sinks.1.iter().filter(|sink| sink.reopen()).count() > 0
}

/// Waits for the lines so far to be written, but not for long.
pub(crate) fn flush() {
    let Some(log) = LOG.get() else { return };
    let sinks = log.sinks.read().unwrap_or_else(PoisonError::into_inner);
    for sink in &sinks.1 {
        sink.flush(LAST_LINES);
    }
}

/// Each counter: metric name, help, value.
pub(crate) fn counters(visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
    visit(
        "weft_log_lines_total",
        "Lines logged, counted at each destination.",
        LINES.load(Relaxed),
    );
    visit(
        "weft_log_lines_dropped_total",
        "Log lines dropped: a destination was too slow, or could not be written.",
        DROPPED.load(Relaxed),
    );
}

/// What is logged at a level: ours by that level, of others' code what is wrong. The stack below WebRTC warns about every
/// bad packet, the HTTP stack about every bad request: which is for an attacker to decide.
fn filter(level: LogLevel) -> String {
    let others = match level {
        LogLevel::Error => "error",
        _ => "warn",
    };
    let (level, quiet) = (level.as_str(), weft_rtc::QUIET);
    format!("{others},weft={level},{quiet},async_nats=off,actix_server=warn,actix_http=off")
}

fn open(settings: &LogSettings) -> Vec<Sink> {
    let mut seen = Vec::new();
    let mut sinks = Vec::new();
    for destination in &settings.destinations {
        if seen.contains(&destination) {
            continue;
        }
        seen.push(destination);
        let style = |terminal: bool| match (settings.structured, terminal) {
            (true, _) => Style::Json,
            (false, true) => Style::Coloured,
            (false, false) => Style::Plain,
        };
        sinks.push(match destination {
            LogDestination::Stdout => Sink::stdout(style(std::io::stdout().is_terminal())),
            LogDestination::Stderr => Sink::stderr(style(std::io::stderr().is_terminal())),
            LogDestination::File => Sink::file(settings.file.clone(), style(false)),
        });
    }
    sinks
}

/// Panics go to the log: standard error may be a pipe that nobody reads, and whoever writes there waits.
fn say_panics() {
    let standard = std::panic::take_hook();
    let traced = std::env::var_os("RUST_BACKTRACE").is_some_and(|wish| wish != "0");
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let (thread, place) = (thread.name().unwrap_or_default(), info.location());
        let why = info.payload_as_str().unwrap_or_default();
        tracing::error!(
            thread,
            place = place.map(tracing::field::display),
            why,
            "panicked"
        );
        if traced {
            standard(info);
        }
    }));
}

/// Hands each event to every destination.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(log) = LOG.get() else { return };
        let sinks = log.sinks.read().unwrap_or_else(PoisonError::into_inner);
        let line = Line::of(event, log.node.get().map_or("", String::as_str));
        for sink in &sinks.1 {
            sink.take(&line);
        }
    }
}
