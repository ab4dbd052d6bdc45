//! Two publishers fight for one name on two nodes, over and over: readers see one publisher at a time and each takeover at a
//! key unit; one session is left alive each round, and the losers are told why. A fifth of the rounds unless `--full`.

mod contender;
mod readers;

use anyhow::{Context, Result, ensure};
use contender::Contender;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use readers::Witness;
pub(crate) use readers::connect;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::time::sleep;
use weft_bus::Registry;
use weft_bus::testing::NatsServer;
use weft_ingest::IngestConfig;
use weft_ingest::synthetic::SyntheticNode;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::{figure, full, until};
use weft_wire::{Epoch, Incarnation, NodeName, StreamName};

/// From the answers to the end of a round: a claim takes milliseconds, what is more is the machine's noise.
const SETTLED: Duration = Duration::from_secs(5);

/// Runs a test inside an actix system on a multi-threaded runtime, as the program runs.
pub(crate) fn in_system(test: impl Future<Output = Result<()>>) -> Result<()> {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    system.block_on(test)
}

pub(crate) async fn synthetic_node(nats: &NatsServer, name: &str) -> Result<SyntheticNode> {
    let (bus, registry) = connect(nats, "ingest", name).await?;
    let name = NodeName::new(name)?;
    Ok(SyntheticNode::start(
        IngestConfig::default(),
        bus,
        registry,
        name,
        Incarnation(1),
    ))
}

/// The rounds of a fight, and what is checked after each.
struct Fight {
    champion: Option<Contender>,
    witnesses: Vec<Witness>,
    next_mark: u64,
    /// The claims of those that can be asked.
    epochs: HashMap<u64, Epoch>,
    dice: StdRng,
}

impl Fight {
    /// The champion, whose mark is 1, has the name, and two readers on two egress nodes get its pictures.
    async fn begin(nats: &NatsServer, stream: &StreamName, champion: Contender, seed: u64) -> Result<Self> {
        let (_, registry) = connect(nats, "egress", "look").await?;
        claimed(&*registry, stream).await?;
        Ok(Self {
            champion: Some(champion),
            witnesses: vec![
                Witness::join(nats, "left", stream).await?,
                Witness::join(nats, "right", stream).await?,
            ],
            next_mark: 1,
            epochs: HashMap::new(),
            dice: StdRng::seed_from_u64(seed),
        })
    }

    fn mark(&mut self) -> u64 {
        self.next_mark += 1;
        self.next_mark
    }

    /// Everybody's fate after a round: one lives, whose pictures all readers get; the others know that they were taken over.
    async fn settle(&mut self, mut everybody: Vec<Contender>) -> Result<()> {
        let old = self.champion.take().context("a champion")?;
        let old_mark = old.mark();
        everybody.push(old);
        let winner = until("one session left", SETTLED, || async {
            let mut alive = Vec::new();
            for (place, contender) in everybody.iter().enumerate() {
                match contender.fate().await {
                    Ok(None) => alive.push(place),
                    Ok(Some(reason)) if reason == "taken-over" => {}
                    other => return Some(Err(anyhow::anyhow!("closed otherwise: {other:?}"))),
                }
            }
            (alive.len() == 1).then(|| Ok(alive[0]))
        });
        let winner = winner.await??;
        self.epochs
            .extend(everybody.iter().filter_map(|c| Some((c.mark(), c.epoch()?))));
        let winner = everybody.swap_remove(winner);
        ensure!(
            winner.mark() != old_mark,
            "the old publisher has outlived the newcomers"
        );
        for witness in &self.witnesses {
            witness.sees(winner.mark()).await?;
            ensure!(
                witness.closed().is_none(),
                "a reader was closed: {:?}",
                witness.closed()
            );
        }
        ensure!(winner.fate().await?.is_none(), "the winner is gone");
        self.champion = Some(winner);
        everybody.into_iter().for_each(Contender::kill);
        Ok(())
    }

    /// What the readers have noted over all rounds. `longest` is the longest gap that a takeover may leave.
    fn judge(&self, rounds: usize, longest: Duration) -> Result<()> {
        for witness in &self.witnesses {
            let stretches = witness.stretches();
            let mut seen = std::collections::HashSet::new();
            for stretch in &stretches {
                ensure!(
                    seen.insert(stretch.mark),
                    "publisher {:x} came back",
                    stretch.mark
                );
                ensure!(stretch.key, "a takeover not at a key unit: {stretch:?}");
            }
            for pair in stretches.windows(2) {
                // As the hub said when the picture was taken: it may be ahead of the reader, never behind.
                ensure!(pair[0].epoch <= pair[1].epoch, "the hub's epoch falls: {pair:?}");
                let claims = [pair[0], pair[1]].map(|stretch| self.epochs.get(&stretch.mark));
                if let [Some(before), Some(after)] = claims {
                    ensure!(
                        before < after,
                        "claims do not rise: {before} before {after}: {pair:?}"
                    );
                }
            }
            ensure!(
                stretches.len() > rounds,
                "{} takeovers in {rounds} rounds",
                stretches.len() - 1
            );
            let mut gaps: Vec<Duration> = stretches[1..].iter().map(|stretch| stretch.gap).collect();
            gaps.sort_unstable();
            let (median, worst) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
            figure(format!(
                "{rounds} rounds, {} takeovers at a reader: gap median {median:.0?}, worst {worst:.0?}",
                gaps.len()
            ));
            ensure!(
                median <= longest,
                "the old media does not flow until the new is there: median gap {median:?}"
            );
        }
        Ok(())
    }
}

#[test]
fn two_synthetic_publishers_fight_for_a_name() -> Result<()> {
    in_system(async {
        let rounds = if full() { 180 } else { 36 };
        let seed = rand::random();
        figure(format!("seed {seed}"));
        let nats = NatsServer::start().await?;
        let nodes = [
            synthetic_node(&nats, "one").await?,
            synthetic_node(&nats, "two").await?,
        ];
        let stream = StreamName::new("fight")?;
        let champion = Contender::synthetic(&nodes[0], &stream, 1, Some(Duration::ZERO)).await?;
        let mut fight = Fight::begin(&nats, &stream, champion, seed).await?;
        let mut without_media = Vec::new();
        for round in 0..rounds {
            let marks = [fight.mark(), fight.mark()];
            let mut wait =
                |least: u64, most: u64| Duration::from_millis(fight.dice.random_range(least..=most));
            // A publisher that was stopped at the newcomer's POST would leave a gap of 200 ms and more.
            let (starts, firsts) = ([wait(0, 40), wait(0, 40)], [wait(200, 300), wait(200, 300)]);
            let begin = |i: usize| {
                let (node, stream) = (&nodes[i], &stream);
                async move {
                    sleep(starts[i]).await;
                    Contender::synthetic(node, stream, marks[i], Some(firsts[i])).await
                }
            };
            let (first, second) = tokio::try_join!(begin(0), begin(1))?;
            if round % 4 == 0 {
                // One whose media never comes: it must disturb nobody.
                let mark = fight.mark();
                without_media.push(Contender::synthetic(&nodes[round % 2], &stream, mark, None).await?);
            }
            fight
                .settle(vec![first, second])
                .await
                .with_context(|| format!("round {round}"))?;
        }
        for contender in &without_media {
            let fate = contender.fate().await?;
            ensure!(
                fate.is_none() || fate.as_deref() == Some("no-media"),
                "without media: {fate:?}"
            );
        }
        fight.judge(rounds, Duration::from_millis(100))?;
        let [one, two] = nodes;
        one.stop().await;
        two.stop().await;
        Ok(())
    })
}

async fn claimed(registry: &dyn Registry, stream: &StreamName) -> Result<()> {
    until("the first claim", SETTLED, || async {
        registry.lookup(stream.clone()).await.ok().flatten().map(drop)
    })
    .await
}

#[test]
fn two_real_publishers_fight_for_a_name() -> Result<()> {
    in_system(async {
        let rounds = if full() { 20 } else { 4 };
        let seed = rand::random();
        figure(format!("seed {seed}"));
        let nats = NatsServer::start().await?;
        let nodes: [Node; 2] = [
            Plan::new(Role::Ingest).nats(&nats.url()).start().await?,
            Plan::new(Role::Ingest).nats(&nats.url()).start().await?,
        ];
        let urls = [nodes[0].whip("fight")?, nodes[1].whip("fight")?];
        let stream = StreamName::new("fight")?;
        let champion = Contender::real(&urls[0], 1).await?;
        let mut fight = Fight::begin(&nats, &stream, champion, seed).await?;
        for round in 0..rounds {
            let marks = [fight.mark(), fight.mark()];
            let starts = [0, 1].map(|_| Duration::from_millis(fight.dice.random_range(0..=300)));
            if round % 2 == 0 {
                offer_in_vain(&nodes[round / 2 % 2], "fight").await?;
            }
            let begin = |i: usize| {
                let url = &urls[i];
                async move {
                    sleep(starts[i]).await;
                    Contender::real(url, marks[i]).await
                }
            };
            let (first, second) = tokio::try_join!(begin(0), begin(1))?;
            fight
                .settle(vec![first, second])
                .await
                .with_context(|| format!("round {round}"))?;
        }
        // Pictures come every 40 ms; three handshakes at once on two cores add the rest.
        fight.judge(rounds, Duration::from_millis(500))
    })
}

/// An offer whose ICE never completes.
async fn offer_in_vain(node: &Node, stream: &str) -> Result<()> {
    const OFFER: &str = concat!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n",
        "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:vain\r\na=ice-pwd:0123456789012345678901\r\n",
        "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
        "a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\na=ssrc:1234 cname:vain\r\n",
        "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    );
    let answer = weft_testkit::http::request(
        "POST",
        node.address("webrtc")?,
        &format!("/{stream}/whip"),
        &[("Content-Type", "application/sdp")],
        OFFER.as_bytes(),
    )
    .await?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    Ok(())
}
