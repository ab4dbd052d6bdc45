//! Which node takes a publisher: this one, or another that this one asks with the offer because it is full, draining or
//! much fuller. What is wrong with an offer, and conflicts, are told before anybody is asked.

use crate::counters::add;
use crate::error::Error;
use crate::http::State;
use crate::messages::Publish;
use crate::opening;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;
use weft_bus::{Better, NodeReply, NodeRequest, RequestError};
use weft_wire::{Guest, NodeName, NodeRecord, OfferReply, OfferRequest, SessionId};

/// Nodes asked at most for one offer.
const TRIES: usize = 3;
/// The time they get in all.
const PATIENCE: Duration = Duration::from_millis(500);

const FULL: &str = "this node is full";
const DRAINING: &str = "this node is draining";

/// A publisher that has found its place.
pub(crate) struct Placed {
    pub(crate) node: NodeName,
    pub(crate) secret: Uuid,
    pub(crate) session: SessionId,
    /// The SDP answer.
    pub(crate) answer: String,
}

impl State {
    /// Finds a place for a publisher whose offer can be answered, here or on another node. `client` is its address.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when there is none, [`Error::Elsewhere`] with what another node has against it, else as here.
    pub(crate) async fn place(&self, publish: Publish, client: String) -> Result<Placed, Error> {
        self.config.takes_publisher(&publish.stream)?;
        let members = &self.fabric.members;
        let mut search = Search::new(self, &publish, client);
        if let Better::Offer { candidates, must } = members.better(Guest::Publisher, &[]) {
            if let Some(placed) = search.ask(candidates).await? {
                return Ok(placed);
            }
            if must {
                let draining = members.own().draining;
                return Err(search.no_room(if draining { DRAINING } else { FULL }.to_owned()));
            }
        }
        let why = match self.place_here(publish).await {
            // It has filled up since, or by a limit that its record does not show.
            Err(Error::Full(limit)) => format!("{FULL}: {limit}"),
            Err(Error::Draining) => DRAINING.to_owned(),
            placed => return placed,
        };
        while search.asked.len() < TRIES {
            let candidates = members.choose(Guest::Publisher, &search.asked);
            if candidates.is_empty() || search.is_late() {
                break;
            }
            if let Some(placed) = search.ask(candidates).await? {
                return Ok(placed);
            }
        }
        Err(search.no_room(why))
    }

    /// Takes a publisher on this node or not at all.
    pub(crate) async fn place_here(&self, publish: Publish) -> Result<Placed, Error> {
        let published = self.sessions.send(publish).await;
        let published =
            published.map_err(|_| Error::Unavailable("this node is shutting down".to_owned()))??;
        Ok(Placed {
            node: self.node.clone(),
            secret: published.secret,
            session: published.live.id,
            answer: published.answer,
        })
    }
}

/// A client's address for another node, which counts by it: where a trusted proxy names another one than the connection's,
/// that one, of which no port is known.
fn known(connected: String, ip: Option<IpAddr>) -> String {
    let same = |ip: IpAddr| {
        let address: Option<SocketAddr> = connected.parse().ok();
        address.is_some_and(|address| address.ip().to_canonical() == ip.to_canonical())
    };
    match ip {
        Some(ip) if !same(ip) => SocketAddr::new(ip, 0).to_string(),
        _ => connected,
    }
}

/// The other nodes asked for one offer.
struct Search<'a> {
    state: &'a State,
    offer: OfferRequest,
    asked: Vec<NodeName>,
    /// Since the first was asked.
    until: Option<Instant>,
}

impl<'a> Search<'a> {
    fn new(state: &'a State, publish: &Publish, client: String) -> Self {
        let offer = OfferRequest {
            node: state.node.clone(),
            stream: publish.stream.clone(),
            principal: publish.client.principal.clone(),
            client: known(client, publish.client.ip),
            // Whatever stands there may be a credential, and the client has been authenticated: it stays here.
            query: String::new(),
            user_agent: publish.client.user_agent.clone(),
            offer: publish.offer.clone(),
            moves: publish.moves,
        };
        Self {
            state,
            offer,
            asked: Vec::new(),
            until: None,
        }
    }

    fn no_room(&self, why: String) -> Error {
        let asked = self.asked.len();
        Error::NoRoom { why, asked }
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Asks these nodes in their order until one takes it; none if none does in time.
    async fn ask(&mut self, candidates: Vec<(NodeName, NodeRecord)>) -> Result<Option<Placed>, Error> {
        for (node, _) in candidates {
            if self.asked.is_empty() {
                let Self { state, offer, .. } = self;
                opening::refuse_conflict(&state.fabric, &offer.stream, offer.moves).await?;
            }
            let until = *self.until.get_or_insert_with(|| Instant::now() + PATIENCE);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.asked.len() >= TRIES {
                break;
            }
            self.asked.push(node.clone());
            // One that hangs must leave time for the next.
            let patience = if self.asked.len() < TRIES { left / 2 } else { left };
            if let Some(placed) = self.try_node(node, patience).await? {
                return Ok(Some(placed));
            }
        }
        Ok(None)
    }

    async fn try_node(&self, node: NodeName, patience: Duration) -> Result<Option<Placed>, Error> {
        let request = NodeRequest::Offer(self.offer.clone());
        let bus = &self.state.fabric.bus;
        let reply = timeout(patience, bus.ask(node.clone(), request, patience)).await;
        let (stream, counters) = (&self.offer.stream, &self.state.counters);
        let refused = match reply {
            Ok(Ok(NodeReply::Offer(OfferReply {
                status: 201,
                body: answer,
                session: Some(session),
                secret: Some(secret),
            }))) => {
                add(&counters.offers_passed_on, 1);
                tracing::info!(%stream, %session, other = %node, "publisher passed on");
                return Ok(Some(Placed {
                    node,
                    secret: Uuid::from_bytes(secret.0),
                    session,
                    answer,
                }));
            }
            Ok(Ok(NodeReply::Offer(reply))) if matches!(reply.status, 400 | 406 | 409 | 429) => {
                return Err(Error::Elsewhere {
                    status: reply.status,
                    words: reply.body,
                });
            }
            Ok(Ok(NodeReply::Offer(reply))) => reply.body,
            Ok(Ok(_)) => "it answered something else".to_owned(),
            // Says nothing about that node, nor will the next question get further.
            Ok(Err(RequestError::Bus(error))) => return Err(Error::Unavailable(error.to_string())),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer came in time".to_owned(),
        };
        add(&counters.offers_not_taken, 1);
        self.state.fabric.members.refused(&node);
        tracing::debug!(%stream, other = %node, refused, "offer not taken by another node");
        Ok(None)
    }
}
