//! What a case runs on: two ends of one bus and of one registry. Over NATS each end has connections of its own.
//! The cases know nothing of what is underneath.

use std::sync::Arc;
use std::time::Duration;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_bus::{Bus, BusState, Registry};
use weft_wire::NodeName;

/// Two nodes on one bus.
pub(crate) struct Fixture {
    /// The node that publishes.
    pub(crate) publisher: Arc<dyn Bus>,
    /// The node that reads.
    pub(crate) reader: Arc<dyn Bus>,
    /// Each node's view of the registry.
    pub(crate) registries: [Arc<dyn Registry>; 2],
    /// Ended with the fixture.
    #[allow(dead_code, reason = "most cases only keep it alive")]
    pub(crate) server: Option<NatsServer>,
}

/// One node's ends.
pub(crate) async fn node(server: &NatsServer, name: &str) -> (Arc<dyn Bus>, Arc<dyn Registry>) {
    let config = NatsConfig::new(vec![server.url()], "standalone", NodeName::new(name).unwrap());
    let (bus, registry, _) = NatsBus::connect(config).await.unwrap();
    (bus, registry)
}

/// Waits until a bus is connected for the `number`th time.
pub(crate) async fn connected(bus: &Arc<dyn Bus>, number: u64) {
    let mut state = bus.state();
    let wait = state.wait_for(|state| matches!(state, BusState::Connected(n) if *n >= number));
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("connected within 10 s")
        .unwrap();
}

impl Fixture {
    /// Inside one process.
    pub(crate) async fn memory() -> Self {
        let bus = Arc::new(MemoryBus::new());
        Self {
            publisher: bus.clone(),
            reader: bus.clone(),
            registries: [bus.clone(), bus],
            server: None,
        }
    }

    /// Over a real server with the shipped settings.
    pub(crate) async fn nats() -> Self {
        Self::nats_with(NatsServerOptions::default()).await
    }

    /// Over a server that takes messages of 1 MB, as one without any settings does.
    pub(crate) async fn nats_of_1_mb() -> Self {
        Self::nats_with(NatsServerOptions {
            max_payload: Some(1 << 20),
            ..NatsServerOptions::default()
        })
        .await
    }

    async fn nats_with(options: NatsServerOptions) -> Self {
        let server = NatsServer::start_with(options).await.unwrap();
        let (publisher, first) = node(&server, "publisher").await;
        let (reader, second) = node(&server, "reader").await;
        connected(&publisher, 1).await;
        connected(&reader, 1).await;
        Self {
            publisher,
            reader,
            registries: [first, second],
            server: Some(server),
        }
    }

    /// The reader's end late by 5 to 15 ms.
    pub(crate) async fn late(self) -> Self {
        self.faulty(Faults {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(10),
            ..Faults::default()
        })
    }

    /// The reader's end with faults; its registry behind the same switch.
    pub(crate) fn faulty(self, faults: Faults) -> Self {
        let faulty = Faulty::wrap(self.reader.clone(), faults);
        let [first, second] = self.registries;
        Self {
            publisher: self.publisher,
            registries: [first, faulty.registry(second)],
            reader: faulty,
            server: self.server,
        }
    }
}
