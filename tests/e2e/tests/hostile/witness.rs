//! A node with a live stream and a reader that watches it while something bad happens. What happens is the attack's matter.

use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over, ReadUnit, Reader};
use weft_testkit::process::{Process, Usage};
use weft_testkit::publish;
use weft_testkit::relay::Relay;
use weft_testkit::whip_proxy::WhipProxy;

/// Lines that an attack may add to the log.
const LOG_LINES: usize = 50;

pub(super) struct Witness {
    pub(super) node: Node,
    /// Between the publisher and the node, fair.
    pub(super) relay: Relay,
    pub(super) clip: Clip,
    publisher: Process,
    reader: JoinHandle<Result<Vec<ReadUnit>>>,
    enough: oneshot::Sender<()>,
    before: Option<(Usage, usize)>,
}

impl Witness {
    pub(super) async fn start() -> Result<Self> {
        let node = Plan::new(Role::Standalone)
            .with("readTimeout: 2s")
            .start()
            .await?;
        let relay = Relay::start(node.address("ice")?.parse()?, 7).await?;
        let proxy = WhipProxy::start(node.address("webrtc")?.to_owned(), &relay).await?;
        let clip = fixture::clip(MINUTE)?;
        let publisher = publish::ffmpeg_copy(&proxy.whip("witness"), &clip)?;
        node.wait_for("witness", Duration::from_secs(20))
            .await
            .with_context(|| publisher.last_lines())?;
        let reader = oracle::open(&node.rtsp("witness")?, Over::Tcp)
            .await?
            .play()
            .await?;
        let (enough, stop) = oneshot::channel();
        let reader = tokio::spawn(read_until(reader, stop));
        Ok(Witness {
            node,
            relay,
            clip,
            publisher,
            reader,
            enough,
            before: None,
        })
    }

    /// Memory and log are measured from here; what came before was warming up.
    pub(super) fn measure(&mut self) -> Result<()> {
        self.before = Some((self.node.usage()?, self.node.process().log().lines().count()));
        Ok(())
    }

    /// The judgement.
    pub(super) async fn undisturbed(mut self) -> Result<()> {
        // A moment of ordinary streaming after the attack has to be exact too.
        tokio::time::sleep(Duration::from_secs(1)).await;
        ensure!(
            self.publisher.running(),
            "the publisher ended: {}",
            self.publisher.last_lines()
        );
        self.enough.send(()).ok().context("the reader stopped before")?;
        let units = self.reader.await?.context("the live stream's reader")?;
        oracle::exact(&self.clip.units, &units).context("the live stream")?;
        let (before, lines) = self.before.context("the attack did not measure")?;
        let after = self.node.usage()?;
        let log = self.node.process().log();
        let said = log.lines().count() - lines;
        weft_testkit::figure(format!(
            "{} units exact beside it; memory {} -> {} KiB, {said} log lines",
            units.len(),
            before.rss_kib,
            after.rss_kib
        ));
        ensure!(
            !log.contains("panicked"),
            "a panic:\n{}",
            self.node.process().last_lines()
        );
        ensure!(
            after.rss_kib <= before.rss_kib + 20 * 1024,
            "memory: {before:?} -> {after:?}"
        );
        ensure!(
            said <= LOG_LINES,
            "{said} log lines, the last:\n{}",
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
