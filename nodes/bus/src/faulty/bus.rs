//! The faulty bus as its users see it: what is cut off fails or is dropped, everything else goes to the bus inside.
//! What is lost or late is decided beside this file.

use super::Faulty;
use super::delivery::pass_on;
use super::publication::{FaultyPublication, keep, keep_serving};
use crate::subscription::{Guard, QUEUE};
use crate::{
    Bus, BusState, Counters, Error, MediaFilter, NodeReply, NodeRequest, NodeService, Publication,
    PublisherEvents, RequestError, Serving, StreamOwner, Subscription, UnitsAnswer,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use weft_wire::{
    KeyframeRequest, Kick, NodeName, OwnerInfo, PublisherEvent, SessionId, StreamName, UnitsRequest,
};

impl Bus for Faulty {
    fn publish(
        &self,
        stream: StreamName,
        owner: Arc<dyn StreamOwner>,
    ) -> BoxFuture<'_, Result<Publication, Error>> {
        async move {
            self.shared.reachable()?;
            let cut = self.shared.cut.subscribe();
            let publication = self.inner.publish(stream.clone(), owner.clone()).await?;
            let inner = Arc::new(Mutex::new(Some(publication)));
            let keeper = tokio::spawn(keep(self.inner.clone(), cut, stream, owner, inner.clone()));
            Ok(Box::new(FaultyPublication {
                inner,
                shared: self.shared.clone(),
                keeper,
            }) as Publication)
        }
        .boxed()
    }

    fn subscribe(
        &self,
        stream: StreamName,
        filter: MediaFilter,
    ) -> BoxFuture<'_, Result<Subscription, Error>> {
        async move {
            self.shared.reachable()?;
            let source = self.inner.subscribe(stream, filter).await?;
            let number = self.shared.subscriptions.fetch_add(1, Ordering::Relaxed);
            let dice = StdRng::seed_from_u64(self.shared.faults().seed.wrapping_add(number));
            let (queue, receiver) = mpsc::channel(QUEUE);
            let task = tokio::spawn(pass_on(source, queue, self.shared.clone(), dice));
            Ok(Subscription::queue(receiver, Guard::new(move || task.abort())))
        }
        .boxed()
    }

    fn units(
        &self,
        stream: StreamName,
        request: UnitsRequest,
    ) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.units(stream, request).await
        }
        .boxed()
    }

    fn keyframe(
        &self,
        stream: StreamName,
        request: KeyframeRequest,
    ) -> BoxFuture<'_, Result<(), RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.keyframe(stream, request).await
        }
        .boxed()
    }

    fn owner(&self, stream: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.owner(stream).await
        }
        .boxed()
    }

    fn kick(&self, stream: StreamName, kick: Kick) -> BoxFuture<'_, Result<(), RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.kick(stream, kick).await
        }
        .boxed()
    }

    fn serve(&self, node: NodeName, service: Arc<dyn NodeService>) -> BoxFuture<'_, Result<Serving, Error>> {
        async move {
            self.shared.reachable()?;
            let cut = self.shared.cut.subscribe();
            let serving = self.inner.serve(node.clone(), service.clone()).await?;
            let keeper = tokio::spawn(keep_serving(self.inner.clone(), cut, node, service, serving));
            Ok(Serving {
                _guard: Guard::new(move || keeper.abort()),
            })
        }
        .boxed()
    }

    fn ask(
        &self,
        node: NodeName,
        request: NodeRequest,
        patience: Duration,
    ) -> BoxFuture<'_, Result<NodeReply, RequestError>> {
        async move {
            self.shared.reachable()?;
            self.inner.ask(node, request, patience).await
        }
        .boxed()
    }

    fn tell(&self, event: PublisherEvent) {
        if !self.shared.is_cut() {
            self.inner.tell(event);
        }
    }

    fn hear(&self, session: SessionId) -> BoxFuture<'_, Result<PublisherEvents, Error>> {
        async move {
            self.shared.reachable()?;
            let mut words = self.inner.hear(session).await?;
            let (queue, receiver) = mpsc::channel(PublisherEvents::QUEUE);
            let shared = self.shared.clone();
            let task = tokio::spawn(async move {
                while let Some(word) = words.recv().await {
                    // overflow: DROPS the newest, as the bus underneath does.
                    if !shared.is_cut() && queue.try_send(word).is_err() && queue.is_closed() {
                        return;
                    }
                }
            });
            Ok(PublisherEvents {
                receiver,
                _guard: Guard::new(move || task.abort()),
            })
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    fn counters(&self) -> Arc<Counters> {
        self.inner.counters()
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.inner.flush()
    }
}
