//! Sends spans to a collector in batches, beside everything else: a collector that is slow or away costs spans, nothing more.
//! What a span is is decided elsewhere.

use super::otlp::{self, Span};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Spans of one request.
const BATCH: usize = 256;
/// How long the first span of a batch waits for others.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a request may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Pauses before a batch that was not taken is sent again; then it is dropped.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// What the last batch may take when the process ends.
const LAST: Duration = Duration::from_millis(500);

/// What was done with spans.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) dropped: AtomicU64,
}

pub(super) static COUNTS: Counts = Counts {
    sent: AtomicU64::new(0),
    dropped: AtomicU64::new(0),
};

/// Each counter: metric name, help, value.
pub(crate) fn counters(visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
    visit(
        "weft_trace_spans_sent_total",
        "Spans that the collector took.",
        COUNTS.sent.load(Relaxed),
    );
    visit(
        "weft_trace_spans_dropped_total",
        "Spans dropped: the collector was away or too slow.",
        COUNTS.dropped.load(Relaxed),
    );
}

/// The way to one collector.
pub(crate) struct Exporter {
    url: String,
    node: String,
    role: &'static str,
    spans: mpsc::Receiver<Span>,
    /// That the collector does not take them has been said.
    said: bool,
    /// What the last batch may take; longer where a test is not about it.
    pub(super) last: Duration,
}

impl Exporter {
    pub(super) fn new(endpoint: &str, role: &'static str, spans: mpsc::Receiver<Span>) -> Self {
        let endpoint = endpoint.trim_end_matches('/');
        let url = match endpoint.ends_with("/v1/traces") {
            true => endpoint.to_owned(),
            false => format!("{endpoint}/v1/traces"),
        };
        Self {
            url,
            node: String::new(),
            role,
            spans,
            said: false,
            last: LAST,
        }
    }

    /// Sends what this node has to tell until `end`, and then what is there.
    pub(crate) async fn run(mut self, node: String, end: CancellationToken) {
        self.node = node;
        // Fails where another part has chosen one, which serves as well.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = match reqwest::Client::builder().timeout(LIMIT).build() {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "traces cannot be sent"),
        };
        // Kept here, so that the end finds what was being gathered or sent.
        let mut batch = Vec::new();
        let work = async {
            while self.gather(&mut batch).await {
                self.send(&client, &batch).await;
                batch.clear();
            }
        };
        // In this order: what has ended begins no request that would be cut off and made again.
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = work => {}
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
        }
        let until = Instant::now() + self.last;
        for batch in batch.chunks(BATCH) {
            if !matches!(timeout_at(until, self.post(&client, batch)).await, Ok(Ok(()))) {
                lost(batch);
            }
        }
    }

    /// The next spans; false when there will be none.
    async fn gather(&mut self, batch: &mut Vec<Span>) -> bool {
        batch.extend(self.spans.recv().await);
        let until = Instant::now() + PATIENCE;
        while !batch.is_empty() && batch.len() < BATCH {
            let Ok(Some(span)) = timeout_at(until, self.spans.recv()).await else {
                break;
            };
            batch.push(span);
        }
        !batch.is_empty()
    }

    async fn send(&mut self, client: &reqwest::Client, batch: &[Span]) {
        let mut pauses = AGAIN.iter();
        loop {
            let why = match self.post(client, batch).await {
                Ok(()) => {
                    if std::mem::take(&mut self.said) {
                        tracing::info!("the collector takes traces again");
                    }
                    return;
                }
                Err(why) => why,
            };
            let pause = pauses.next().filter(|_| why.again);
            if let Some(pause) = pause {
                tokio::time::sleep(*pause).await;
                continue;
            }
            if !std::mem::replace(&mut self.said, true) {
                tracing::warn!(
                    why = why.text,
                    "the collector does not take traces; they are dropped"
                );
            }
            return lost(batch);
        }
    }

    async fn post(&self, client: &reqwest::Client, batch: &[Span]) -> Result<(), Failure> {
        let body = otlp::body(&self.node, self.role, batch);
        let answer = client.post(&self.url).json(&body).send().await;
        // The URL may hold a key.
        let answer = answer.map_err(|error| Failure {
            again: true,
            text: error.without_url().to_string(),
        })?;
        let status = answer.status();
        if status.is_success() {
            COUNTS.sent.fetch_add(batch.len() as u64, Relaxed);
            return Ok(());
        }
        Err(Failure {
            // As the protocol has it.
            again: matches!(status.as_u16(), 429 | 502 | 503 | 504),
            text: status.to_string(),
        })
    }
}

fn lost(batch: &[Span]) {
    COUNTS.dropped.fetch_add(batch.len() as u64, Relaxed);
}

/// Why a batch was not taken.
struct Failure {
    /// It may be taken later.
    again: bool,
    text: String,
}
