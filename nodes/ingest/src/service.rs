//! What the ingest role answers when other nodes ask this one, and what it tells of itself: offers passed on, sessions
//! asked for at another node, what is here, the drain. How questions travel is the bus's business.

use crate::counters::get;
use crate::error::Error;
use crate::ingest::Ingest;
use crate::live::{Client, Live};
use crate::messages::{Drain, List, MoveUrl, Publish};
use crate::placement::Placed;
use std::net::SocketAddr;
use std::sync::Arc;
use uuid::Uuid;
use weft_bus::{Members, StreamOwner};
use weft_wire::{
    DemandReply, DemandRequest, Guest, NodeName, OfferReply, OfferRequest, PublisherReport, ResourceReply,
    ResourceRequest, SessionDetail, SessionSecret,
};

impl Ingest {
    /// Takes a publisher whose offer another node passes on, or says why not. It is never passed on again.
    pub async fn offer(&self, request: OfferRequest) -> OfferReply {
        let (stream, from) = (request.stream.clone(), request.node.clone());
        let peer = request.client.clone();
        match self.taken(request).await {
            Ok(placed) => {
                crate::counters::add(&self.state.counters.offers_taken, 1);
                tracing::info!(%stream, session = %placed.session, peer, other = %from, "publisher taken from another node");
                OfferReply {
                    status: 201,
                    body: placed.answer,
                    session: Some(placed.session),
                    secret: Some(SessionSecret(placed.secret.into_bytes())),
                }
            }
            Err(error) => {
                self.state
                    .refusals
                    .note(&self.state.counters, stream.as_str(), &error);
                OfferReply {
                    status: error.status().as_u16(),
                    body: error.to_string(),
                    session: None,
                    secret: None,
                }
            }
        }
    }

    async fn taken(&self, request: OfferRequest) -> Result<Placed, Error> {
        weft_sdp::offer::check(&request.offer)?;
        self.state.config.takes_publisher(&request.stream)?;
        let own = self.state.fabric.members.own();
        if own.draining {
            return Err(Error::Draining);
        }
        if !own.takes(Guest::Publisher) {
            return Err(Error::Full("it is at one of its limits"));
        }
        let publish = Publish {
            stream: request.stream,
            offer: request.offer,
            client: Client {
                principal: request.principal,
                ip: request
                    .client
                    .parse()
                    .ok()
                    .map(|client: SocketAddr| client.ip().to_canonical()),
                query: request.query,
                user_agent: request.user_agent,
            },
            // It reached the other node.
            reached_at: None,
            moves: request.moves,
        };
        self.state.place_here(publish).await
    }

    /// Does what a client asked of the URL of one of this node's sessions at another node.
    pub async fn resource(&self, request: ResourceRequest) -> ResourceReply {
        let secret = Uuid::from_bytes(request.secret.0);
        self.state
            .resource_here(secret, request.method, request.body)
            .await
    }

    /// Has a stream published that readers somewhere wait for or read, as its path says; or hears that none does any more.
    pub async fn demand(&self, request: DemandRequest) -> DemandReply {
        self.sources.demand(request).await
    }

    /// All publishers of this node, those without media yet included, oldest first. Not those that are over and wait only for
    /// the registry to take their record back, which lasts as long as it is away.
    pub async fn report(&self) -> Vec<PublisherReport> {
        let entries = self.state.sessions.send(List).await.unwrap_or_default();
        let mut reports: Vec<_> = entries
            .iter()
            .filter(|entry| entry.live.status().ended.is_none())
            .map(|entry| PublisherReport {
                stream: entry.live.stream.clone(),
                info: entry.live.owner(),
                created: entry.live.created_utc.0,
                detail: detail(&entry.live),
            })
            .collect();
        reports.sort_by_key(|report| (report.created, report.info.session));
        reports
    }

    /// How many publishers there are, offers being answered included: for the node's load, at the price of a lock.
    #[must_use]
    pub fn publishers(&self) -> usize {
        *self.open.borrow()
    }

    /// How many clients listen on events channels here, to sessions of whichever node.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.state.channels.count()
    }

    /// Takes nobody new from now on, and tells every publisher to move: to another node where there is one, else to
    /// whichever its URL reaches. Who stays is not closed.
    pub async fn drain(&self) {
        let members = self.state.fabric.members.clone();
        let node = self.state.node.clone();
        let url: MoveUrl = Arc::new(move |live: &Live, secret: Uuid| move_url(&members, &node, live, secret));
        // Fails only when it is over already.
        self.state.sessions.send(Drain { url }).await.ok();
    }
}

/// What lists call it where it is no WHIP publisher.
fn source_type(live: &Live) -> String {
    match live.source_type() {
        "webRTCSession" => String::new(),
        other => other.to_owned(),
    }
}

/// What lists show of a publisher; its query with its secrets, which whoever reports leaves out.
fn detail(live: &Live) -> SessionDetail {
    let counters = &live.counters;
    let client = &live.client;
    let (transport, local) = {
        let status = live.status();
        (status.transport.to_ascii_uppercase(), status.local)
    };
    SessionDetail {
        transport,
        query: client.query.clone(),
        user: client.principal.clone(),
        user_agent: client.user_agent.clone(),
        local: local.map(|local| local.to_string()).unwrap_or_default(),
        jitter_us: get(&counters.jitter_us),
        rtcp_received: get(&counters.rtcp_packets),
        kind: source_type(live),
        pictures: get(&counters.pictures),
        ..SessionDetail::default()
    }
}

/// Where a publisher of this node is sent. The old session's URL goes along: a move is no conflict with it.
fn move_url(members: &Members, node: &NodeName, live: &Live, secret: Uuid) -> String {
    let chosen = members.choose(Guest::Publisher, &[]);
    let other = chosen.iter().map(|(_, record)| &record.addresses.webrtc);
    let host = other
        .filter(|address| !address.is_empty())
        .map(|address| format!("http://{address}"));
    let host = host.take(1).next().unwrap_or_default();
    format!("{host}/{}/whip?moves={node}.{secret}", live.stream)
}
