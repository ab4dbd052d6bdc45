//! One round of questions: every node's report, page by page, and the registry's names where a node does not answer.
//! A node that hangs costs the round its patience and nobody else's answer.

use super::snapshot::{NodeState, Snapshot};
use super::{Fabric, PATIENCE};
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use weft_bus::{Bus, NodeReply, NodeRequest, NodeService, Registered, RequestError};
use weft_wire::{NodeName, NodeReport, ReportRequest, StreamEvent, StreamName};

/// Nodes asked at once: a large fabric must not flood the bus with answers.
const ASKED_AT_ONCE: usize = 32;

/// How long one that is asked takes up a place.
const MAKES_ROOM: Duration = Duration::from_millis(50);

/// Pages taken of one node at most; a node whose report never ends is cut there.
const PAGES: usize = 10_000;

/// When a node has not answered by then, the registry is asked as well, beside it.
const SLOW: Duration = Duration::from_millis(250);

/// What the last rounds brought, for the time in which nothing can be brought.
#[derive(Default)]
pub(super) struct Known {
    reports: BTreeMap<NodeName, (Arc<NodeReport>, Instant)>,
    records: Option<(Arc<Vec<Registered>>, Instant)>,
    /// Who did not answer last time: asked last, so that they keep nobody waiting.
    silent: BTreeSet<NodeName>,
}

/// The means to ask.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) own: NodeName,
    pub(super) service: Arc<dyn NodeService>,
    pub(super) bus: Arc<dyn Bus>,
}

impl Asker {
    /// One question; this node is asked in memory.
    pub(super) async fn ask(
        &self,
        node: &NodeName,
        request: NodeRequest,
        deadline: Instant,
    ) -> Result<NodeReply, RequestError> {
        let answer = async {
            if *node == self.own {
                return Ok(self.service.answer(request).await);
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            self.bus.ask(node.clone(), request, patience).await
        };
        timeout_at(deadline, answer)
            .await
            .unwrap_or(Err(RequestError::Timeout))
    }

    /// All pages of a node's report; `None` when one of them did not come.
    pub(super) async fn report(&self, node: &NodeName, deadline: Instant) -> Option<NodeReport> {
        let mut whole = NodeReport::default();
        let mut from = 0;
        for _ in 0..PAGES {
            let request = NodeRequest::Report(ReportRequest {
                from,
                ..ReportRequest::default()
            });
            let NodeReply::Report(page) = self.ask(node, request, deadline).await.ok()? else {
                return None;
            };
            whole.publishers.extend(page.publishers);
            whole.hubs.extend(page.hubs);
            whole.idle.extend(page.idle);
            whole.connections.extend(page.connections);
            whole.muxers.extend(page.muxers);
            whole.cpu_ms = whole.cpu_ms.max(page.cpu_ms);
            match page.next {
                Some(next) if next > from => from = next,
                _ => break,
            }
        }
        Some(whole)
    }

    /// What has happened to a stream on each of these nodes; `None` for those that do not answer.
    pub(super) async fn events(
        &self,
        nodes: Vec<NodeName>,
        stream: &StreamName,
    ) -> Vec<(NodeName, Option<Vec<StreamEvent>>)> {
        let deadline = Instant::now() + PATIENCE;
        let ask = |node: NodeName| async move {
            let request = NodeRequest::Report(ReportRequest {
                events_of: Some(stream.clone()),
                ..ReportRequest::default()
            });
            let events = match self.ask(&node, request, deadline).await {
                Ok(NodeReply::Report(report)) => Some(report.events),
                _ => None,
            };
            (node, events)
        };
        at_once(nodes, ask).await
    }

    /// The same question to many; no answer, no entry.
    pub(super) async fn all(&self, nodes: Vec<NodeName>, request: &NodeRequest) -> Vec<NodeReply> {
        let deadline = Instant::now() + PATIENCE;
        let ask = |node| async move { self.ask(&node, request.clone(), deadline).await.ok() };
        at_once(nodes, ask).await.into_iter().flatten().collect()
    }

    /// Every node's report; `None` for those who gave none.
    async fn reports(
        &self,
        nodes: Vec<NodeName>,
        deadline: Instant,
    ) -> BTreeMap<NodeName, Option<NodeReport>> {
        let ask = |node| async move {
            let report = self.report(&node, deadline).await;
            (node, report)
        };
        at_once(nodes, ask).await.into_iter().collect()
    }
}

/// Asks all of them, [`ASKED_AT_ONCE`] at a time; one that is slow makes room for the next and is still waited for, so that
/// many that hang do not keep the others from being asked.
async fn at_once<T, F: Future<Output = T>>(nodes: Vec<NodeName>, ask: impl Fn(NodeName) -> F) -> Vec<T> {
    let places = Semaphore::new(ASKED_AT_ONCE);
    let places = &places;
    let answers: FuturesUnordered<_> = nodes
        .into_iter()
        .map(|node| {
            let answer = ask(node);
            async move {
                // Never closed.
                let place = places.acquire().await.ok();
                match select(pin!(answer), pin!(sleep(MAKES_ROOM))).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(((), answer)) => {
                        drop(place);
                        answer.await
                    }
                }
            }
        })
        .collect();
    answers.collect().await
}

/// Reports and, where somebody was silent, the registry's names: both within the deadline.
type Gathered = (BTreeMap<NodeName, Option<NodeReport>>, Option<Vec<Registered>>);

impl Fabric {
    /// One round.
    pub(super) async fn round(&self, known: &mut Known) -> Snapshot {
        self.counts.rounds.fetch_add(1, Relaxed);
        let view = self.members.view();
        let away = self.is_away();
        let own = self.own().clone();
        let mut others: Vec<NodeName> = view.nodes.keys().filter(|n| **n != own).cloned().collect();
        others.sort_by_key(|node| known.silent.contains(node));
        let asked = std::iter::once(own.clone()).chain(others.iter().filter(|_| !away).cloned());
        let (mut reports, records) = self.gather(asked.collect(), away).await;

        let now = Instant::now();
        let silent: BTreeSet<NodeName> = others
            .iter()
            .filter(|node| !matches!(reports.get(*node), Some(Some(_))))
            .cloned()
            .collect();
        let unanswered = u64::try_from(silent.len()).unwrap_or(u64::MAX);
        self.counts.unanswered.fetch_add(unanswered, Relaxed);
        // Nobody answers and the registry neither: it is this node that is cut off.
        let alone = away || (!others.is_empty() && silent.len() == others.len() && records.is_none());
        let mut age = self.blind();
        let mut older = |since: Instant| age = age.max(Some(now - since));

        known.reports.retain(|node, _| view.nodes.contains_key(node));
        let mut whole = Vec::new();
        let own_report = reports.remove(&own).flatten().unwrap_or_default();
        whole.push((own.clone(), Arc::new(own_report)));
        for (node, report) in reports {
            if let Some(report) = report {
                known.reports.insert(node, (Arc::new(report), now));
            }
        }
        for node in &others {
            match known.reports.get(node) {
                Some((report, since)) if alone || !silent.contains(node) => {
                    if alone {
                        older(*since);
                    }
                    whole.push((node.clone(), report.clone()));
                }
                _ => {}
            }
        }
        // The same order at every node.
        whole.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(records) = records {
            known.records = Some((Arc::new(records), now));
        } else if silent.is_empty() {
            // Reports say it all.
            known.records = None;
        } else if let Some((_, since)) = &known.records {
            older(*since);
        }
        if alone {
            older(view.as_of.unwrap_or(self.started));
        }
        let records = known.records.as_ref().map(|(records, _)| records.clone());
        known.silent = silent;

        let mut nodes: BTreeMap<NodeName, NodeState> = view
            .nodes
            .iter()
            .map(|(name, seen)| {
                let state = NodeState {
                    record: seen.record.clone(),
                    heard: now.saturating_duration_since(seen.heard),
                    answering: !known.silent.contains(name),
                    own: false,
                };
                (name.clone(), state)
            })
            .collect();
        let state = NodeState {
            record: self.members.own(),
            heard: Duration::ZERO,
            answering: true,
            own: true,
        };
        nodes.insert(own, state);
        Snapshot::new(nodes, whole, records, age)
    }

    async fn gather(&self, nodes: Vec<NodeName>, away: bool) -> Gathered {
        let deadline = Instant::now() + PATIENCE;
        let reports = pin!(self.asker.reports(nodes, deadline));
        let slow = pin!(sleep(SLOW));
        let names = async {
            match timeout_at(deadline, self.registry.list()).await {
                Ok(Ok(records)) => Some(records),
                Ok(Err(_)) | Err(_) => None,
            }
        };
        match select(reports, slow).await {
            Either::Left((reports, _)) if away || reports.values().all(Option::is_some) => (reports, None),
            Either::Left((reports, _)) => (reports, names.await),
            Either::Right(((), reports)) if away => (reports.await, None),
            Either::Right(((), reports)) => futures::join!(reports, names),
        }
    }
}
