//! Fifty streams whose pictures are fetched once a second from a node that also serves a reader: what it costs that node, and
//! that the reader does not notice. The publishers are this process, with the pictures of a real encoder; the rest is real.

use super::CAMERA;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::join_all;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, StreamOwner, UnitsAnswer};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::watch::{Picture, Watcher};
use weft_testkit::{figure, fixture, http, stamp, units, until};
use weft_wire::*;

const STREAMS: usize = 50;
/// How often each picture is fetched in a phase, once a second.
const ROUNDS: u32 = 8;
const PHASE: Duration = Duration::from_secs(ROUNDS as u64);
/// The bound, in parts of a core.
const MOST: f64 = 0.20;

/// One publisher: the clip again and again, as the owner of its stream.
struct Projector {
    session: SessionId,
    started: Instant,
    tracks: Vec<TrackInfo>,
    /// The running group of pictures.
    group: Mutex<Vec<AccessUnit>>,
    next: std::sync::atomic::AtomicU64,
}

const EPOCH: Epoch = Epoch {
    generation: 1,
    revision: 1,
};

/// A picture of the clip: its NAL units behind their lengths.
struct Frame {
    data: Bytes,
    key: bool,
}

fn frames() -> Result<Vec<Frame>> {
    let raw = std::fs::read(fixture::clip(CAMERA)?.raw)?;
    let frame = |nals: Vec<&[u8]>| Frame {
        key: units::is_key(&nals),
        data: units::length_prefix(&nals).into(),
    };
    Ok(units::pictures(&raw).into_iter().map(frame).collect())
}

impl Projector {
    fn unit(&self, number: u64, frame: &Frame) -> AccessUnit {
        // When it is due, for the reader that measures.
        let sei = stamp::nal(stamp::now());
        let stamped = [&(sei.len() as u32).to_be_bytes()[..], &sei, &frame.data].concat();
        let time = MediaTime(number as i64 * i64::from(90_000 / CAMERA.rate));
        AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(number),
            gop: GopSeq(number / u64::from(CAMERA.gop)),
            pts: time,
            dts: time,
            capture: CaptureTime(stamp::now() as i64),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime::from_elapsed(self.started.elapsed()),
            flags: if frame.key {
                UnitFlags::KEY
            } else {
                UnitFlags::default()
            },
            data: stamped.into(),
        }
    }

    async fn run(
        bus: Arc<dyn Bus>,
        stream: StreamName,
        number: usize,
        frames: Arc<Vec<Frame>>,
    ) -> Result<()> {
        let owner = Arc::new(Self {
            session: SessionId([number as u8 + 1; 16]),
            started: Instant::now(),
            tracks: vec![TrackInfo {
                id: TrackId(0),
                codec: Codec::H264,
                clock_rate: ClockRate::VIDEO,
                channels: 0,
                parameter_sets: (nal_units(&frames[0].data).take(2))
                    .map(Bytes::copy_from_slice)
                    .collect(),
                width: CAMERA.size.0,
                height: CAMERA.size.1,
            }],
            group: Mutex::default(),
            next: 0.into(),
        });
        let mut publication = bus.publish(stream, owner.clone()).await?;
        // Not all key units at once.
        sleep(Duration::from_millis(40 * number as u64)).await;
        let mut ticks = interval(Duration::from_secs(1) / CAMERA.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u64.. {
            ticks.tick().await;
            let unit = owner.unit(number, &frames[number as usize % frames.len()]);
            {
                let mut group = owner.group.lock().unwrap_or_else(PoisonError::into_inner);
                if unit.is_key() {
                    group.clear();
                }
                group.push(unit.clone());
                owner.next.store(number + 1, std::sync::atomic::Ordering::Relaxed);
            }
            let class = if unit.is_key() {
                MediaClass::Key
            } else {
                MediaClass::Delta
            };
            let batch = UnitBatch {
                session: owner.session,
                epoch: EPOCH,
                units: vec![unit],
            };
            let _counted_by_the_bus = publication.send(class, batch);
        }
        Ok(())
    }
}

impl StreamOwner for Projector {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = |unit: &&AccessUnit| match request.from {
            UnitsFrom::NewestGop => unit.is_key() || !request.key_only,
            UnitsFrom::Seq(seq) => unit.seq >= seq && request.until.is_none_or(|until| unit.seq <= until),
            _ => false,
        };
        let units: Vec<AccessUnit> = group.iter().filter(asked).cloned().collect();
        let batches = units.into_iter().map(|unit| UnitBatch {
            session: self.session,
            epoch: EPOCH,
            units: vec![unit],
        });
        let sent = SentTime::from_elapsed(self.started.elapsed());
        let key = group.first().map_or(0, |unit| unit.sent.0);
        UnitsAnswer {
            batches: batches.collect(),
            end: UnitsEnd {
                session: self.session,
                epoch: EPOCH,
                next: UnitSeq(self.next.load(std::sync::atomic::Ordering::Relaxed)),
                gone: group.is_empty(),
                sent,
                tracks: self.tracks.clone(),
                key_age_ms: ((sent.0 - key) / 1000) as u32,
            },
        }
    }

    // The clip has its key units where they are.
    fn keyframe(&self, _: KeyframeRequest) {}

    fn owner(&self) -> OwnerInfo {
        OwnerInfo {
            node: NodeName::new("projector").unwrap_or_else(|_| unreachable!("a good name")),
            incarnation: Incarnation(1),
            session: self.session,
            epoch: EPOCH,
            state: StreamState::Live,
            since: 0,
            tracks: self.tracks.clone(),
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: 0,
            media_age_ms: 0,
            remote: String::new(),
        }
    }

    fn kick(&self, _: Kick) {}
}

fn name(number: usize) -> String {
    format!("class/{number}")
}

/// Seconds of processor time that a process has had (proc(5): fields 14 and 15, in hundredths).
fn processor_time(node: &mut Node) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.process().pid()))?;
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    Ok(ticks.map(str::parse::<f64>).sum::<Result<f64, _>>()? / 100.0)
}

/// What a phase has shown.
struct Phase {
    cores: f64,
    /// Ages of the reader's pictures, sorted.
    ages: Vec<Duration>,
}

impl Phase {
    fn worst_but(&self, of_hundred: usize) -> Duration {
        let at = self.ages.len() * (100 - of_hundred) / 100;
        self.ages[at.min(self.ages.len() - 1)]
    }
}

/// Processor time of the node and the reader's pictures while something goes on.
async fn phase<T>(
    node: &mut Node,
    reader: &Watcher,
    work: impl Future<Output = Result<T>>,
) -> Result<(Phase, T)> {
    let (before, begun, seen) = (
        processor_time(node)?,
        Instant::now(),
        reader.notes().pictures.len(),
    );
    let done = work.await?;
    let cores = (processor_time(node)? - before) / begun.elapsed().as_secs_f64();
    let pictures: Vec<Picture> = reader.notes().pictures[seen..].to_vec();
    let expected = begun.elapsed().as_secs_f64() * f64::from(CAMERA.rate);
    ensure!(
        pictures.len() as f64 >= expected * 0.95 && pictures.iter().all(|picture| picture.loss == 0),
        "{} pictures of {expected:.0} at the reader",
        pictures.len()
    );
    let mut ages: Vec<Duration> = pictures.iter().map(|picture| picture.age).collect();
    ages.sort_unstable();
    Ok((Phase { cores, ages }, done))
}

/// Fetches every stream's picture once a second; how many different ones each gave.
async fn wall(address: &str, query: &str, rounds: u32) -> Result<Vec<usize>> {
    let mut tags = vec![HashSet::new(); STREAMS];
    let begun = Instant::now();
    let each = Duration::from_secs(1) / STREAMS as u32;
    for round in 0..rounds {
        let fetched = (0..STREAMS).map(|number| async move {
            let due = Duration::from_secs(1) * round + each * number as u32;
            sleep(due.saturating_sub(begun.elapsed())).await;
            http::get(address, &format!("/{}/snapshot.jpg{query}", name(number))).await
        });
        for (answer, tags) in join_all(fetched).await.into_iter().zip(&mut tags) {
            let answer = answer?;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
            tags.insert(answer.header("ETag").context("a tag")?.to_owned());
        }
    }
    sleep((Duration::from_secs(1) * rounds).saturating_sub(begun.elapsed())).await;
    Ok(tags.iter().map(HashSet::len).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_pictures_a_second_cost_a_fifth_of_a_core_at_most_and_delay_no_reader() -> Result<()> {
    let nats = NatsServer::start().await?;
    let own = NodeName::new("projector")?;
    let (bus, _, _) = NatsBus::connect(NatsConfig::new(vec![nats.url()], "ingest", own)).await?;
    let frames = Arc::new(frames()?);
    let publishers: Vec<JoinHandle<Result<()>>> = (0..STREAMS)
        .map(|number| {
            let stream = StreamName::new(name(number))?;
            let run = Projector::run(bus.clone(), stream, number, frames.clone());
            Ok(tokio::spawn(run))
        })
        .collect::<Result<_>>()?;
    let mut node = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    let address = node.address("webrtc")?.to_owned();
    let reader = Watcher::start(vec![node.rtsp(&name(0))?]);
    until("the reader's first picture", Duration::from_secs(10), || async {
        reader.last()
    })
    .await?;
    sleep(Duration::from_secs(1)).await;

    let (quiet, ()) = phase(&mut node, &reader, async {
        sleep(PHASE).await;
        Ok(())
    })
    .await?;
    for (query, what) in [("?width=480", "480 wide"), ("", "1280x720")] {
        // The first of each is made at once.
        wall(&address, query, 1).await?;
        let (busy, tags) = phase(&mut node, &reader, wall(&address, query, ROUNDS)).await?;
        let cost = busy.cores - quiet.cores;
        let (fewest, pictures) = (
            tags.iter().min().copied().unwrap_or(0),
            tags.iter().sum::<usize>(),
        );
        figure(format!(
            "{STREAMS} snapshots a second, {what}: {:.1} % of a core ({:.1} % with, {:.1} % without); {pictures} different ones, \
             {fewest} of each stream at least; 95 % of a reader's pictures within {:.1?} ({:.1?} without)",
            cost * 100.0,
            busy.cores * 100.0,
            quiet.cores * 100.0,
            busy.worst_but(5),
            quiet.worst_but(5),
        ));
        ensure!(cost <= MOST, "{:.1} % of a core", cost * 100.0);
        // What the first of each cost is earned again before any is made anew, which takes a slow machine longer than the phase.
        let mut moves = pictures > STREAMS;
        for _ in 0..4 {
            if moves {
                break;
            }
            let tags = wall(&address, query, ROUNDS).await?;
            moves = tags.iter().sum::<usize>() > STREAMS;
        }
        ensure!(moves, "pictures stand still");
        let frame = Duration::from_secs(1) / CAMERA.rate;
        ensure!(
            busy.worst_but(5) <= quiet.worst_but(5) + frame / 2,
            "the reader is delayed: {:?} against {:?}",
            busy.worst_but(5),
            quiet.worst_but(5)
        );
    }
    for publisher in publishers {
        publisher.abort();
    }
    Ok(())
}
