//! Nodes, streams and readers on one NATS or on a cluster of it, as the faults find them, and what it means that all is well.
//! Which node breaks is the tests' doing.

use super::live::{FRAME, Live, clip};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::time::{Duration, Instant};
use weft_testkit::account::{Account, account};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::until;
use weft_testkit::watch::Watcher;

/// What of a fabric is to be.
pub(super) struct Shape<'a> {
    pub(super) nats: &'a str,
    pub(super) replicas: usize,
    pub(super) ingests: usize,
    pub(super) streams: usize,
}

/// A running fabric.
pub(super) struct Fabric {
    nats: String,
    replicas: usize,
    started: usize,
    pub(super) ingests: Vec<Member>,
    pub(super) egresses: Vec<Member>,
    pub(super) streams: Vec<Live>,
}

/// A node and the name it has in the fabric.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) node: Node,
    plan: Plan,
}

/// One reader's account.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Place of its stream.
    pub(super) stream: usize,
    /// Place of the egress node it was at home on.
    pub(super) egress: usize,
    pub(super) account: Account,
    /// Where its sessions were that ended, and why they did.
    pub(super) ends: Vec<(String, String)>,
}

impl Fabric {
    /// Starts everything and waits until every reader sees its stream.
    pub(super) async fn start(shape: Shape<'_>) -> Result<Self> {
        let mut fabric = Fabric {
            nats: shape.nats.to_owned(),
            replicas: shape.replicas,
            started: 0,
            ingests: Vec::new(),
            egresses: Vec::new(),
            streams: Vec::new(),
        };
        for _ in 0..shape.ingests {
            let member = fabric.node(Role::Ingest).await?;
            fabric.ingests.push(member);
        }
        for _ in 0..2 {
            let member = fabric.node(Role::Egress).await?;
            fabric.egresses.push(member);
        }
        let clip = clip()?;
        fabric.streams = (0..shape.streams)
            .map(|place| Live::new(format!("stream{place}"), clip.clone()))
            .collect();
        for ingest in 0..shape.ingests {
            fabric.publish_at(ingest).await?;
        }
        for egress in 0..2 {
            fabric.read_at(egress)?;
        }
        fabric.settled().await.context("at the beginning")?;
        Ok(fabric)
    }

    async fn node(&mut self, role: Role) -> Result<Member> {
        let name = self.name(role);
        let plan = Plan::new(role)
            .nats(&self.nats)
            .replicas(self.replicas)
            .named(&name)
            .fixed()?;
        let node = plan.start().await.with_context(|| name.clone())?;
        Ok(Member { name, node, plan })
    }

    fn name(&mut self, role: Role) -> String {
        self.started += 1;
        format!("{role:?}-{}", self.started).to_lowercase()
    }

    fn member(&mut self, role: Role, place: usize) -> &mut Member {
        match role {
            Role::Egress => &mut self.egresses[place],
            _ => &mut self.ingests[place],
        }
    }

    /// Starts a killed node again on its ports. Its name is new: the lease of the killed one holds the old name for 20 s.
    pub(super) async fn revive(&mut self, role: Role, place: usize) -> Result<()> {
        let name = self.name(role);
        let member = self.member(role, place);
        member.plan = member.plan.clone().named(&name);
        member.name = name;
        member.node = member.plan.start().await.with_context(|| member.name.clone())?;
        Ok(())
    }

    /// Ends a node in good order, which must give exit code 0, and starts it again under its name and on its ports.
    pub(super) async fn restart(&mut self, role: Role, place: usize) -> Result<()> {
        let member = self.member(role, place);
        let code = member.node.terminate(Duration::from_secs(15)).await;
        let code = code.with_context(|| member.name.clone())?;
        ensure!(code == Some(0), "{}: exit code {code:?}", member.name);
        member.node = member
            .plan
            .start()
            .await
            .with_context(|| format!("{} again", member.name))?;
        Ok(())
    }

    /// The streams that are published at an ingest node when all is well.
    pub(super) fn streams_of(&self, ingest: usize) -> Vec<usize> {
        let count = self.ingests.len();
        (0..self.streams.len())
            .filter(|place| place % count == ingest)
            .collect()
    }

    /// Publishes the streams of an ingest node there, with the other one to fall back on; what published them before goes on
    /// until it is taken over from.
    pub(super) async fn publish_at(&mut self, ingest: usize) -> Result<()> {
        let places = self.streams_of(ingest);
        let count = self.ingests.len();
        let nodes: Vec<&Node> = (0..count)
            .map(|step| &self.ingests[(ingest + step) % count].node)
            .collect();
        let mine = self
            .streams
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| places.contains(place));
        try_join_all(mine.map(|(_, stream)| {
            let whips: Result<Vec<String>> = nodes.iter().map(|node| node.whip(&stream.name)).collect();
            async move { stream.publish(whips?).await }
        }))
        .await?;
        Ok(())
    }

    /// A new reader of each stream at home on this egress node, in the place of the one before.
    pub(super) fn read_at(&mut self, egress: usize) -> Result<()> {
        for stream in &mut self.streams {
            let homes = [egress, 1 - egress].map(|place| self.egresses[place].node.rtsp(&stream.name));
            let watcher = Watcher::start(homes.into_iter().collect::<Result<_>>()?);
            if stream.watchers.len() > egress {
                stream.watchers[egress] = watcher;
            } else {
                stream.watchers.push(watcher);
            }
        }
        Ok(())
    }

    /// What every reader saw from one moment to another.
    pub(super) fn readings(&self, from: Instant, to: Instant) -> Vec<Reading> {
        let mut readings = Vec::new();
        for (stream, live) in self.streams.iter().enumerate() {
            for (egress, watcher) in live.watchers.iter().enumerate() {
                let notes = watcher.notes();
                let ends = notes.ends.iter().filter(|end| end.at >= from && end.at < to);
                readings.push(Reading {
                    stream,
                    egress,
                    account: account(&notes, from, to, FRAME),
                    ends: ends.map(|end| (end.url.clone(), end.why.clone())).collect(),
                });
            }
        }
        readings
    }

    /// How many sessions of publishers of these streams have been lost since a moment.
    pub(super) fn lost(&self, since: Instant, of: impl Fn(usize) -> bool) -> usize {
        let streams = self.streams.iter().enumerate().filter(|(place, _)| of(*place));
        streams.map(|(_, stream)| stream.lost(since)).sum()
    }

    /// From a moment to each reader's first picture after it that is not late.
    pub(super) fn resumed(
        &self,
        moment: Instant,
        mine: impl Fn(usize, usize) -> bool,
    ) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for (place, stream) in self.streams.iter().enumerate() {
            for (egress, watcher) in stream
                .watchers
                .iter()
                .enumerate()
                .filter(|(egress, _)| mine(place, *egress))
            {
                let notes = watcher.notes();
                let mut pictures = notes.pictures.iter();
                let first = pictures
                    .find(|picture| picture.arrival >= moment && picture.age < Duration::from_secs(1));
                let first =
                    first.with_context(|| format!("{} at egress {egress} did not resume", stream.name))?;
                times.push(first.arrival - moment);
            }
        }
        Ok(times)
    }

    /// Waits until for 1.5 s every reader has had a picture each 300 ms, none of them late, and every stream is ready at its
    /// ingest node.
    pub(super) async fn settled(&mut self) -> Result<()> {
        const QUIET: Duration = Duration::from_millis(1500);
        let begun = Instant::now();
        let mut worst = None;
        let waiting = until(
            "all readers see pictures in time",
            Duration::from_secs(20),
            || {
                let now = Instant::now();
                let bad = self
                    .readings(now.checked_sub(QUIET).unwrap_or(now), now)
                    .into_iter()
                    .find(|reading| {
                        let account = reading.account;
                        account.gap > Duration::from_millis(300)
                            || account.stale + account.ends > 0
                            || account.pictures < 20
                    });
                let quiet = bad.is_none() && begun.elapsed() > QUIET;
                worst = bad;
                std::future::ready(quiet.then_some(()))
            },
        );
        let settled = waiting.await;
        if settled.is_err() {
            let stories: String = self.streams.iter().map(Live::story).collect();
            let logs = stories + &self.logs();
            return settled.with_context(|| format!("{worst:?}\n{logs}"));
        }
        for member in self.ingests.iter_mut().chain(&mut self.egresses) {
            ensure!(member.node.process().running(), "{} has ended", member.name);
        }
        for stream in &self.streams {
            for (egress, watcher) in stream.watchers.iter().enumerate() {
                let home = self.egresses[egress].node.rtsp(&stream.name)?;
                ensure!(
                    watcher.notes().at.as_ref() == Some(&home),
                    "a reader of {} is not at home",
                    stream.name
                );
            }
        }
        for ingest in 0..self.ingests.len() {
            for place in self.streams_of(ingest) {
                let name = &self.streams[place].name;
                let there = self.ingests[ingest].node.has(name).await;
                ensure!(there, "{name} is not ready at {}", self.ingests[ingest].name);
            }
        }
        Ok(())
    }

    /// The ends of all nodes' logs.
    pub(super) fn logs(&mut self) -> String {
        let members = self.ingests.iter_mut().chain(&mut self.egresses);
        members
            .map(|member| format!("--- {}\n{}\n", member.name, member.node.process().last_lines()))
            .collect()
    }
}
