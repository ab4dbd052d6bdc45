//! The bus over NATS: one connection for media and the questions about it, one for the registry and what must not wait.
//! Which stream is read or repaired when is decided by hubs and sessions.

mod answer;
mod bucket;
mod choice;
mod config;
mod feed;
mod follow;
mod hint;
mod leases;
mod link;
mod nodes;
mod past;
mod publish;
mod registry;
mod reign;
mod request;
mod roll;
mod server;
mod settings;

pub use config::{Credentials, NatsConfig, Tls};
pub(crate) use feed::Feed;

use crate::{
    Bus, BusState, Counters, Error, Leases, MediaFilter, NodeReply, NodeRequest, NodeService, Publication,
    PublisherEvents, Registry, RequestError, Serving, SettingsStore, StreamOwner, Subscription, UnitsAnswer,
};
use config::Purpose;
use futures::FutureExt;
use futures::future::BoxFuture;
use link::{Health, Link};
use publish::{NatsPublication, Publishers};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weft_wire::{
    KeyframeRequest, Kick, NodeName, OwnerInfo, OwnerRequest, PublisherEvent, SessionId, StreamName, Subject,
    UnitsRequest,
};

/// How long [`NatsBus::connect`] waits for a server's first word. One that is there has long spoken; one that is not is
/// waited for in the background.
const FIRST_WORD: Duration = Duration::from_millis(1500);

/// The bus over NATS.
pub struct NatsBus {
    node: NodeName,
    media: Arc<Link>,
    control: Arc<Link>,
    publishers: Arc<Publishers>,
    state: watch::Sender<BusState>,
    counters: Arc<Counters>,
    tasks: Vec<JoinHandle<()>>,
}

/// Everything a node has of the fabric.
#[allow(missing_docs)] // named by their types
pub struct Ends {
    pub bus: Arc<dyn Bus>,
    pub registry: Arc<dyn Registry>,
    pub leases: Arc<dyn Leases>,
    pub settings: Arc<dyn SettingsStore>,
}

impl NatsBus {
    /// Connects a node. If no server answers, the node is given its bus in the state [`BusState::Away`] and goes on waiting
    /// for one, saying so in the log.
    ///
    /// # Errors
    /// [`Error::Refused`] if the configuration, the credentials or the server cannot work; the sentence says what to do.
    pub async fn connect(
        config: NatsConfig,
    ) -> Result<(Arc<dyn Bus>, Arc<dyn Registry>, Arc<dyn Leases>), Error> {
        let (bus, registry, leases) = Self::join(&config).await?;
        Ok((bus, registry, leases))
    }

    /// The same with the settings of the whole fabric, which are followed from now on.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_with_settings(config: NatsConfig) -> Result<Ends, Error> {
        let (bus, registry, leases) = Self::join(&config).await?;
        let settings = Arc::new(settings::NatsSettings::new(bus.control.clone(), &config));
        Ok(Ends {
            bus,
            registry,
            leases,
            settings,
        })
    }

    async fn join(
        config: &NatsConfig,
    ) -> Result<(Arc<Self>, Arc<registry::NatsRegistry>, Arc<leases::NatsLeases>), Error> {
        let counters = Arc::new(Counters::default());
        let media = Link::open(config, Purpose::Media, counters.clone()).await?;
        let control = Link::open(config, Purpose::Control, counters.clone()).await?;
        let publishers = Arc::new(Publishers::new(&media));
        let state = watch::Sender::new(BusState::Away);
        let bus = Arc::new(Self {
            node: config.node.clone(),
            tasks: vec![
                tokio::spawn(publishers.clone().hear_refusals(media.clone())),
                tokio::spawn(tell(media.health(), state.clone())),
                tokio::spawn(media.clone().watch()),
                tokio::spawn(control.clone().watch()),
            ],
            media,
            control,
            publishers,
            state,
            counters,
        });
        bus.first_word().await?;
        let registry = registry::NatsRegistry::new(bus.control.clone(), config);
        let leases = leases::NatsLeases::new(bus.control.clone(), config);
        Ok((bus, Arc::new(registry), Arc::new(leases)))
    }

    /// Waits for what the server says first; silence is no error.
    async fn first_word(&self) -> Result<(), Error> {
        let spoken = async {
            for link in [&self.media, &self.control] {
                let mut health = link.health();
                // The sender lives as long as the link.
                let word = health.wait_for(|health| *health != Health::Away).await;
                if let Ok(Health::Unfit(why)) = word.as_deref() {
                    return Err(Error::Refused(why.clone()));
                }
            }
            Ok(())
        };
        timeout(FIRST_WORD, spoken).await.unwrap_or(Ok(()))
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Tells the state of the media connection to those who use the bus.
async fn tell(mut health: watch::Receiver<Health>, state: watch::Sender<BusState>) {
    loop {
        let now = match &*health.borrow_and_update() {
            Health::Up(number) => BusState::Connected(*number),
            Health::Away | Health::Unfit(_) => BusState::Away,
        };
        state.send_if_modified(|old| std::mem::replace(old, now) != now);
        if health.changed().await.is_err() {
            return;
        }
    }
}

impl Bus for NatsBus {
    fn publish(
        &self,
        stream: StreamName,
        owner: Arc<dyn StreamOwner>,
    ) -> BoxFuture<'_, Result<Publication, Error>> {
        async move {
            let subject = Subject::AllStream(stream.clone()).to_string();
            let questions = self.media.subscribe(subject).await?;
            self.media.round_trip().await;
            let link = self.media.clone();
            let publication = NatsPublication::new(
                self.media.clone(),
                self.publishers.clone(),
                stream,
                move |publisher| tokio::spawn(answer::answer(questions, owner, publisher, link)),
            );
            Ok(Box::new(publication) as Publication)
        }
        .boxed()
    }

    fn subscribe(
        &self,
        stream: StreamName,
        filter: MediaFilter,
    ) -> BoxFuture<'_, Result<Subscription, Error>> {
        async move {
            let subject = match filter {
                MediaFilter::All => Subject::AllMedia(stream),
                MediaFilter::Keys => Subject::KeyMedia(stream),
            };
            let subscriber = self.media.subscribe(subject.to_string()).await?;
            self.media.round_trip().await;
            Ok(Subscription::nats(Feed::new(subscriber, self.counters.clone())))
        }
        .boxed()
    }

    fn units(
        &self,
        stream: StreamName,
        request: UnitsRequest,
    ) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        past::units(&self.media, stream, request).boxed()
    }

    fn keyframe(
        &self,
        stream: StreamName,
        request: KeyframeRequest,
    ) -> BoxFuture<'_, Result<(), RequestError>> {
        request::keyframe(&self.control, stream, request).boxed()
    }

    fn owner(&self, stream: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        let node = self.node.clone();
        request::owner(&self.control, stream, OwnerRequest { node }).boxed()
    }

    fn kick(&self, stream: StreamName, kick: Kick) -> BoxFuture<'_, Result<(), RequestError>> {
        request::kick(&self.control, stream, kick).boxed()
    }

    fn serve(&self, node: NodeName, service: Arc<dyn NodeService>) -> BoxFuture<'_, Result<Serving, Error>> {
        nodes::serve(self.control.clone(), node, service).boxed()
    }

    fn ask(
        &self,
        node: NodeName,
        request: NodeRequest,
        patience: Duration,
    ) -> BoxFuture<'_, Result<NodeReply, RequestError>> {
        nodes::ask(&self.control, node, request, patience).boxed()
    }

    fn tell(&self, event: PublisherEvent) {
        nodes::tell(&self.control, &event);
    }

    fn hear(&self, session: SessionId) -> BoxFuture<'_, Result<PublisherEvents, Error>> {
        nodes::hear(self.control.clone(), session).boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.state.subscribe()
    }

    fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        async move {
            tokio::join!(self.media.round_trip(), self.control.round_trip());
        }
        .boxed()
    }
}
