//! The way in for media that comes by no offer: a ticket that nobody else knows stands in an offer's place, and whoever drew
//! it gets the receiver. Everything else about the session is as with a WHIP publisher.

use crate::error::Error;
use crate::live::lock;
use crate::steer::{Answerer, MakeReceiver};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use uuid::Uuid;
use weft_wire::CloseReason;

/// A ticket that was handed in: its holder makes the receiver on its own thread and says how that went.
pub(crate) struct Order {
    pub(crate) make: MakeReceiver,
    pub(crate) reply: oneshot::Sender<Result<(), CloseReason>>,
}

/// Answers tickets itself and offers by somebody else.
pub(crate) struct Tickets {
    offers: Arc<dyn Answerer>,
    // One per source that is being opened.
    drawn: Mutex<HashMap<String, oneshot::Sender<Order>>>,
}

impl Tickets {
    pub(crate) fn new(offers: Arc<dyn Answerer>) -> Arc<Self> {
        let drawn = Mutex::default();
        Arc::new(Self { offers, drawn })
    }

    /// A ticket, and what comes when it is handed in.
    pub(crate) fn draw(&self) -> (String, oneshot::Receiver<Order>) {
        let (order, ordered) = oneshot::channel();
        let ticket = format!("ticket {}", Uuid::new_v4());
        let mut drawn = lock(&self.drawn);
        // Whoever was let go while it waited could not tear its own.
        drawn.retain(|_, order| !order.is_closed());
        drawn.insert(ticket.clone(), order);
        drop(drawn);
        (ticket, ordered)
    }

    /// It will not be handed in any more.
    pub(crate) fn tear(&self, ticket: &str) {
        lock(&self.drawn).remove(ticket);
    }
}

impl Answerer for Tickets {
    fn answer(
        &self,
        offer: String,
        reached_at: Option<IpAddr>,
        make: MakeReceiver,
    ) -> BoxFuture<'static, Result<String, Error>> {
        let Some(holder) = lock(&self.drawn).remove(&offer) else {
            return self.offers.answer(offer, reached_at, make);
        };
        async move {
            let (reply, made) = oneshot::channel();
            let gone = || Error::Internal("the source has been given up".to_owned());
            holder.send(Order { make, reply }).map_err(|_| gone())?;
            made.await.map_err(|_| gone())?.map_err(Error::Closed)?;
            Ok(String::new())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeAnswerer;

    #[test]
    fn tickets_of_pulls_that_were_given_up_while_they_waited_are_not_kept() {
        let tickets = Tickets::new(Arc::new(FakeAnswerer(Vec::new())));
        for _ in 0..100 {
            drop(tickets.draw());
        }
        let (_waits, _order) = tickets.draw();
        let (_waits_too, _order_too) = tickets.draw();
        assert_eq!(lock(&tickets.drawn).len(), 2);
    }
}
