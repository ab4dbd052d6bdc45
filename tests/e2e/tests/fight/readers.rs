//! Readers that write down whose pictures they get: one per egress, each with a NATS connection of its own.
//! What their notes must look like is said in the tests.

use anyhow::{Context, Result, bail};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, Members, Registry};
use weft_egress::{Egress, EgressConfig};
use weft_ingest::synthetic::mark_of;
use weft_rtsp_server::{DescribeRequest, PlayHandler, ReaderEvent, ReaderSpec};
use weft_testkit::until;
use weft_wire::{Epoch, NodeName, StreamName, TrackId};

/// A stretch of one publisher's pictures at a reader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// Whose.
    pub(crate) mark: u64,
    /// The hub's epoch at its first picture.
    pub(crate) epoch: Epoch,
    /// Whether it began with a key unit.
    pub(crate) key: bool,
    /// Time since the last picture of the one before.
    pub(crate) gap: Duration,
    /// Pictures in it.
    pub(crate) pictures: u64,
}

#[derive(Debug, Default)]
struct Notes {
    stretches: Vec<Stretch>,
    last: Option<Instant>,
    closed: Option<String>,
}

/// A reader that takes notes.
pub(crate) struct Witness {
    notes: Arc<Mutex<Notes>>,
    task: JoinHandle<()>,
}

/// Connects a node of ours to the bus.
pub(crate) async fn connect(
    nats: &NatsServer,
    role: &str,
    name: &str,
) -> Result<(Arc<dyn Bus>, Arc<dyn Registry>)> {
    let config = NatsConfig::new(vec![nats.url()], role, NodeName::new(name)?);
    let (bus, registry, _) = NatsBus::connect(config).await?;
    Ok((bus, registry))
}

impl Witness {
    /// Joins a stream on an egress of its own; the stream must be there.
    pub(crate) async fn join(nats: &NatsServer, name: &str, stream: &StreamName) -> Result<Self> {
        let (bus, _) = connect(nats, "egress", name).await?;
        let egress = Egress::start(EgressConfig::default(), bus, Members::alone(NodeName::new(name)?));
        let request = DescribeRequest {
            stream: stream.clone(),
            query: None,
            peer: "127.0.0.1:1".parse()?,
            user_agent: None,
            principal: String::new(),
        };
        let Ok(source) = egress.describe(request).await else {
            bail!("{stream} cannot be described")
        };
        let spec = ReaderSpec {
            id: uuid::Uuid::new_v4(),
            peer: "127.0.0.1:1".parse()?,
            transport: "TCP",
            secure: false,
            tracks: vec![TrackId(0)],
            query: String::new(),
            user_agent: String::new(),
            principal: String::new(),
        };
        let Ok(joined) = source.join(spec).await else {
            bail!("{stream} cannot be joined")
        };
        let notes = Arc::new(Mutex::new(Notes::default()));
        let (shared, stream) = (notes.clone(), stream.clone());
        let mut reader = joined.reader;
        let task = tokio::spawn(async move {
            loop {
                match reader.next().await {
                    ReaderEvent::Block(block) => {
                        let epoch = egress.hub(&stream).map(|hub| hub.epoch).unwrap_or_default();
                        note(&mut lock(&shared), mark_of(&block.bytes), block.key, epoch);
                    }
                    ReaderEvent::Report(..) => {}
                    ReaderEvent::Closed(reason) => {
                        lock(&shared).closed = Some(reason.token().to_owned());
                        return;
                    }
                }
            }
        });
        Ok(Self { notes, task })
    }

    /// Whose pictures it has got, in order.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        lock(&self.notes).stretches.clone()
    }

    /// Why it was closed, if it was.
    pub(crate) fn closed(&self) -> Option<String> {
        lock(&self.notes).closed.clone()
    }

    /// Waits until it gets this publisher's pictures.
    pub(crate) async fn sees(&self, mark: u64) -> Result<()> {
        until("the winner's pictures", Duration::from_secs(5), || {
            let last = lock(&self.notes).stretches.last().copied();
            std::future::ready(
                last.filter(|stretch| stretch.mark == mark && stretch.pictures > 3)
                    .map(drop),
            )
        })
        .await
        .with_context(|| {
            format!(
                "publisher {mark:x}; seen last: {:?}",
                lock(&self.notes).stretches.last()
            )
        })
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(notes: &mut Notes, mark: Option<u64>, key: bool, epoch: Epoch) {
    let now = Instant::now();
    // A picture without a mark would show as a publisher of its own.
    let mark = mark.unwrap_or(u64::MAX);
    let gap = notes.last.replace(now).map_or(Duration::ZERO, |last| now - last);
    match notes.stretches.last_mut() {
        Some(last) if last.mark == mark => last.pictures += 1,
        _ => notes.stretches.push(Stretch {
            mark,
            epoch,
            key,
            gap,
            pictures: 1,
        }),
    }
}

fn lock(notes: &Mutex<Notes>) -> std::sync::MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}
