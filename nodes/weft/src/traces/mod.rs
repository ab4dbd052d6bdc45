//! Traces for whoever keeps them (`fabric.otlpEndpoint`): spans of a stream's beginning, taken from the log's own events and
//! handed on. A trace is a publisher's session and has its id, on every node; what goes over the wire is in `otlp`, sending
//! in `export`.

mod export;
mod otlp;
#[cfg(test)]
mod tests;

pub(crate) use export::{Exporter, counters};

use otlp::Span;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Target of the events that are spans. Each has `name`, `session`, `took_us` (it ends now and has lasted so long), perhaps
/// `root` (it is the trace's first), and what else there is to know of it.
const TARGET: &str = "span";

/// Spans that wait to be sent.
const QUEUE: usize = 2_048;

/// Takes spans from events, without waiting.
pub(crate) struct Spans(mpsc::Sender<Span>);

impl Spans {
    /// The source of spans, and what sends them to a collector once it is run.
    pub(crate) fn to(endpoint: &str, role: &'static str) -> (Self, Exporter) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), Exporter::new(endpoint, role, receiver))
    }

    /// Hears nothing but what is meant for it.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(self) -> impl Layer<S> {
        self.with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(span) = fields.span(SystemTime::now()) else {
            return;
        };
        // overflow: dropped and counted; a collector that is away is no reason to keep anything.
        if self.0.try_send(span).is_err() {
            export::COUNTS.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// What an event says.
#[derive(Default)]
struct Fields {
    name: String,
    session: String,
    root: bool,
    took: Duration,
    rest: Vec<(&'static str, serde_json::Value)>,
}

impl Fields {
    /// `None` when it is of no session.
    fn span(self, now: SystemTime) -> Option<Span> {
        let trace = self.session.parse::<uuid::Uuid>().ok()?.into_bytes();
        // By construction: every node knows the id of the publisher's span without being told.
        let first: [u8; 8] = trace[..8].try_into().ok()?;
        let (id, parent) = match self.root {
            true => (first, None),
            false => (rand::random(), Some(first)),
        };
        Some(Span {
            trace,
            id,
            parent,
            name: self.name,
            start: now.checked_sub(self.took).unwrap_or(now),
            end: now,
            attributes: self.rest,
        })
    }

    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "name" => self.name = text,
            "session" => self.session = text,
            name => self.rest.push((name, text.into())),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "took_us" => self.took = Duration::from_micros(value),
            name => self.rest.push((name, value.into())),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "root" => self.root = value,
            name => self.rest.push((name, value.into())),
        }
    }
}
