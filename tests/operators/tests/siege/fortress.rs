//! A node with a live stream and a reader that watches it through everything; descriptors, memory and log are measured.
//! What happens meanwhile is the attack's matter.

use super::certificate::Certificate;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan};
use weft_testkit::oracle::{self, Over, ReadUnit, Reader};
use weft_testkit::process::{Process, Usage};
use weft_testkit::publish;

/// Lines that a siege may add to the log.
const LOG_LINES: usize = 120;
/// Memory that it may leave behind: about 6 KiB for each of its 10,000 connections, which the allocator keeps for the next ones.
const RSS_KIB: u64 = 64 * 1024;

pub(super) struct Fortress {
    pub(super) node: Node,
    clip: Clip,
    publisher: Process,
    reader: JoinHandle<Result<Vec<ReadUnit>>>,
    enough: oneshot::Sender<()>,
    before: Usage,
    lines: usize,
}

/// TLS on a port of its own for RTSP.
pub(super) fn with_rtsps(plan: Plan, certificate: &Certificate) -> Plan {
    plan.with("rtspEncryption: optional")
        .with("rtspsAddress: 127.0.0.1:0")
        .with(&format!(
            "rtspServerCert: {}",
            certificate.certificate().display()
        ))
        .with(&format!("rtspServerKey: {}", certificate.key().display()))
}

impl Fortress {
    pub(super) async fn start(plan: &Plan) -> Result<Self> {
        let mut node = plan.start().await?;
        let clip = fixture::clip(MINUTE)?;
        let publisher = publish::ffmpeg_copy(&node.whip("witness")?, &clip)?;
        node.wait_for("witness", Duration::from_secs(20))
            .await
            .with_context(|| publisher.last_lines())?;
        let reader = oracle::open(&node.rtsp("witness")?, Over::Tcp).await?;
        let reader = reader.play().await?;
        let (enough, stop) = oneshot::channel();
        let reader = tokio::spawn(read_until(reader, stop));
        // What every node has after its first second: threads, caches.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, lines) = (node.usage()?, node.process().log().lines().count());
        Ok(Fortress {
            node,
            clip,
            publisher,
            reader,
            enough,
            before,
            lines,
        })
    }

    /// The judgement: every picture of the live stream came, exact; nothing grew and stayed.
    pub(super) async fn stands(mut self) -> Result<()> {
        let before = self.before.descriptors;
        let node = &self.node;
        weft_testkit::until("descriptors as before", Duration::from_secs(10), || async {
            let now = node.usage().ok()?.descriptors;
            (now <= before + 4).then_some(())
        })
        .await
        .with_context(|| format!("{} -> {:?}", before, node.usage()))?;
        ensure!(
            self.publisher.running(),
            "the publisher ended: {}",
            self.publisher.last_lines()
        );
        self.enough.send(()).ok().context("the reader stopped before")?;
        let units = self.reader.await?.context("the live stream's reader")?;
        oracle::exact(&self.clip.units, &units).context("the live stream")?;
        let after = self.node.usage()?;
        let log = self.node.process().log();
        let said = log.lines().count() - self.lines;
        weft_testkit::figure(format!(
            "{} units exact beside it; memory {} -> {} KiB, descriptors {} -> {}, {said} log lines",
            units.len(),
            self.before.rss_kib,
            after.rss_kib,
            before,
            after.descriptors
        ));
        ensure!(
            !log.contains("panicked"),
            "a panic:\n{}",
            self.node.process().last_lines()
        );
        ensure!(
            after.rss_kib <= self.before.rss_kib + RSS_KIB,
            "memory: {:?} -> {after:?}",
            self.before
        );
        ensure!(
            said <= LOG_LINES,
            "{said} log lines:\n{}",
            self.node.process().last_lines()
        );
        Ok(())
    }
}

async fn read_until(mut reader: Reader, mut stop: oneshot::Receiver<()>) -> Result<Vec<ReadUnit>> {
    let mut units = Vec::new();
    loop {
        tokio::select! {
            _ = &mut stop => return Ok(units),
            unit = reader.next() => units.push(unit?.context("the session ended")?),
        }
    }
}
