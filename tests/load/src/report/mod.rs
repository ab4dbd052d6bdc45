//! What was measured, as numbers with names: the one form from which table, JSON and picture are made. Whether they are good is
//! not said here.

mod plot;
mod table;

pub use plot::plot;
pub use table::table;

use crate::cli::{Arguments, Transport};
use crate::clip::Kind;
use crate::count::{Published, Quantiles, Times};
use crate::read::Outcome;
use crate::sample::{Machine, Process, Sample};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reasons shown of those that there were.
const REASONS: usize = 5;

/// Everything of one call.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Seconds since 1970.
    pub when: u64,
    /// How this program was built: `release` or `debug`.
    pub profile: &'static str,
    /// What was published.
    pub clip: Kind,
    /// How it was read.
    pub transport: Transport,
    /// Per cent that the relay lost.
    pub loss_percent: f64,
    /// Each measurement.
    pub steps: Vec<Step>,
}

/// One measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    /// Publishers.
    pub publishers: usize,
    /// Readers of each stream.
    pub readers: usize,
    /// How long it was measured, s.
    pub seconds: f64,
    /// Pictures sent in that time.
    pub published: u64,
    /// RTP and RTCP packets sent in that time.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pictures that readers got whole, in their whole lives.
    pub units_read: u64,
    /// That never came.
    pub units_lost: u64,
    /// That came with something missing.
    pub units_damaged: u64,
    /// That came twice or out of order.
    pub units_repeated: u64,
    /// RTP packets missing at readers.
    pub packets_lost: u64,
    /// RTP packets that the server asked publishers for again.
    pub packets_asked_again: u64,
    /// RTP packets that the publishers' sockets did not take.
    pub packets_unsent: u64,
    /// Pictures that left more than a second late; more than 0 means that this machine is too busy for this load.
    pub stalls: u64,
    /// Publishers' sessions that ended before they should.
    pub publishers_dropped: usize,
    /// Readers' sessions that ended before they should.
    pub readers_dropped: usize,
    /// Why, of the first few.
    pub reasons: Vec<String>,
    /// Sessions that the server did not know any more at their DELETE.
    pub unknown_sessions: usize,
    /// Publish to reader: a picture's first packet sent to its last one read, ms.
    pub latency_ms: Option<Quantiles>,
    /// Connect to first whole key picture, of the readers that stay, ms.
    pub first_picture_ms: Option<Quantiles>,
    /// The same of those that came while it was measured.
    pub join_ms: Option<Quantiles>,
    /// Joiners that never had a picture.
    pub joins_failed: usize,
    /// The server's processes.
    pub processes: Vec<Cost>,
    /// This program.
    pub own: Cost,
    /// Per cent of a core, of all the server's processes.
    pub cpu_percent: f64,
    /// The same for each stream.
    pub cpu_percent_per_stream: f64,
    /// The same for each reader; 0 without readers.
    pub cpu_percent_per_reader: f64,
    /// This program's, for each stream.
    pub own_cpu_percent_per_stream: f64,
    /// KiB of memory that came with each publisher.
    pub rss_kib_per_publisher: f64,
    /// KiB of memory that came with each reader.
    pub rss_kib_per_reader: f64,
    /// Second by second.
    pub ticks: Vec<Tick>,
}

/// What one process used while it was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    /// Its name.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// Seconds of CPU, user and system.
    pub cpu_seconds: f64,
    /// Per cent of a core.
    pub cpu_percent: f64,
    /// Resident memory before anybody came, with publishers alone, at the start and at the end, KiB.
    pub rss_kib: [u64; 4],
    /// Growth of it while it was measured, KiB a minute, by the line through all samples.
    pub rss_kib_per_minute: f64,
    /// Threads at the end.
    pub threads: u64,
    /// Context switches a second because a thread waited.
    pub waits_per_second: f64,
    /// Context switches a second because another's turn had come.
    pub preemptions_per_second: f64,
}

/// All processes at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Tick {
    /// Since the start, s.
    pub at: f64,
    /// In the order of the processes, this program last.
    pub samples: Vec<Sample>,
}

impl Tick {
    pub(crate) fn new(at: Duration, samples: Vec<Sample>) -> Self {
        Self {
            at: at.as_secs_f64(),
            samples,
        }
    }
}

impl Report {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(arguments: &Arguments) -> Self {
        Self {
            machine: Machine::here(),
            when: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            clip: arguments.clip,
            transport: arguments.transport,
            loss_percent: arguments.loss,
            steps: Vec::new(),
        }
    }
}

impl Step {
    /// Adds what the processes used. `before`: without anybody, with publishers alone.
    pub(crate) fn costs(&mut self, processes: &[Process], before: &[Vec<Sample>; 2], ticks: &[Tick]) {
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
            return;
        };
        let seconds = last.at - first.at;
        let cost = |(number, process): (usize, &Process)| {
            let (from, to) = (first.samples[number], last.samples[number]);
            let cpu = to.cpu - from.cpu;
            // Threads that have ended took their counts with them.
            let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
            Cost {
                name: process.name.clone(),
                pid: process.pid,
                cpu_seconds: cpu,
                cpu_percent: cpu * 100.0 / seconds,
                rss_kib: [
                    before[0][number].rss_kib,
                    before[1][number].rss_kib,
                    from.rss_kib,
                    to.rss_kib,
                ],
                rss_kib_per_minute: slope(ticks, number) * 60.0,
                threads: to.threads,
                waits_per_second: rate(from.waits, to.waits),
                preemptions_per_second: rate(from.preemptions, to.preemptions),
            }
        };
        let mut costs: Vec<Cost> = processes.iter().enumerate().map(cost).collect();
        self.own = costs.pop().unwrap_or_default();
        self.processes = costs;
        self.cpu_percent = self.processes.iter().map(|cost| cost.cpu_percent).sum();
        let (streams, readers) = (self.publishers as f64, (self.publishers * self.readers) as f64);
        let growth = |from: usize, to: usize| -> f64 {
            let grown = |cost: &Cost| cost.rss_kib[to] as f64 - cost.rss_kib[from] as f64;
            self.processes.iter().map(grown).sum()
        };
        self.cpu_percent_per_stream = self.cpu_percent / streams;
        self.own_cpu_percent_per_stream = self.own.cpu_percent / streams;
        self.rss_kib_per_publisher = growth(0, 1) / streams;
        if readers > 0.0 {
            self.cpu_percent_per_reader = self.cpu_percent / readers;
            self.rss_kib_per_reader = growth(1, 2) / readers;
        }
        self.ticks = ticks.to_vec();
    }

    /// Adds what publishers say.
    pub(crate) fn publishing(&mut self, counts: &[Arc<Published>]) {
        for publisher in counts {
            self.packets_asked_again += publisher.asked_again.load(Relaxed);
            self.packets_unsent += publisher.unsent.load(Relaxed);
            self.stalls += publisher.stalls.load(Relaxed);
            self.publishers_dropped += usize::from(publisher.dropped.load(Relaxed));
            self.reasons.extend(publisher.why());
        }
        self.reasons.truncate(REASONS);
    }

    /// Adds what readers say; what they should have seen last is known from the publishers.
    pub(crate) fn reading(&mut self, seen: Outcome, counts: &[Arc<Published>]) {
        let (mut first, mut joins) = (Times::default(), Times::default());
        for reader in seen.readers {
            self.units_read += reader.units;
            self.units_damaged += reader.damaged;
            self.units_repeated += reader.repeated;
            self.packets_lost += reader.packets_lost;
            self.units_lost += reader.lost;
            let times = if reader.joining { &mut joins } else { &mut first };
            match reader.first_picture {
                Some(took) => times.record(took),
                None => self.joins_failed += usize::from(reader.joining),
            }
            let next = counts
                .get(reader.stream as usize)
                .map(|counts| counts.next_unit.load(Relaxed));
            if let (false, Some(last), Some(next), None) =
                (reader.joining, reader.last_unit, next, &reader.dropped)
            {
                self.units_lost += u64::from(next.wrapping_sub(1).wrapping_sub(last));
            }
            self.readers_dropped += usize::from(reader.dropped.is_some());
            self.reasons.extend(reader.dropped);
        }
        self.reasons.truncate(REASONS);
        self.latency_ms = seen.latency.summary();
        self.first_picture_ms = first.summary();
        self.join_ms = joins.summary();
    }
}

/// KiB a second of a process's memory, by least squares.
fn slope(ticks: &[Tick], number: usize) -> f64 {
    let points = || {
        ticks
            .iter()
            .map(|tick| (tick.at, tick.samples[number].rss_kib as f64))
    };
    let count = ticks.len() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| {
        (x + point.0 / count, y + point.1 / count)
    });
    let (over, under) = points().fold((0.0, 0.0), |(over, under), point| {
        let dx = point.0 - x;
        (over + dx * (point.1 - y), under + dx * dx)
    });
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    /// A report of two steps with all that there can be.
    pub(crate) fn example() -> Report {
        let line = "weft-load --whip http://h/{name}/whip --rtsp rtsp://h/{name} --pid weft=1";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let mut report = Report::new(&arguments);
        for publishers in [10, 30] {
            let mut times = Times::default();
            (1..100).for_each(|ms| times.record(ms * 100_000));
            let mut step = Step {
                publishers,
                readers: 1,
                latency_ms: times.summary(),
                join_ms: times.summary(),
                ..Step::default()
            };
            let sample = |cpu: f64, rss_kib: u64| Sample {
                cpu,
                rss_kib,
                threads: 3,
                waits: 10,
                preemptions: 1,
            };
            let at = |second: u64| {
                let samples = vec![sample(second as f64 * 0.05, 1000 + 60 * second), sample(0.0, 5)];
                Tick::new(Duration::from_secs(second), samples)
            };
            let before = [
                vec![sample(0.0, 500), sample(0.0, 5)],
                vec![sample(0.0, 700), sample(0.0, 5)],
            ];
            let processes = ["weft=1", "weft-load=2"].map(|text| text.parse().unwrap());
            step.costs(&processes, &before, &[at(0), at(1), at(2)]);
            report.steps.push(step);
        }
        report
    }

    #[test]
    fn costs_are_shares_of_a_core_and_growth_is_the_line_through_the_samples() {
        let report = example();
        let step = &report.steps[0];
        assert!((step.cpu_percent - 5.0).abs() < 1e-6);
        assert!((step.cpu_percent_per_stream - 0.5).abs() < 1e-6);
        assert!((step.processes[0].rss_kib_per_minute - 3600.0).abs() < 1e-6);
        assert!((step.rss_kib_per_publisher - 20.0).abs() < 1e-6);
        assert!((step.rss_kib_per_reader - 30.0).abs() < 1e-6);
    }

    #[test]
    fn what_a_reader_did_not_see_at_the_end_is_lost() {
        let counts = vec![Arc::new(Published::default())];
        counts[0].next_unit.store(10, Relaxed);
        let reader = |last_unit, joining| crate::count::ReaderTally {
            last_unit,
            joining,
            ..Default::default()
        };
        let mut step = Step::default();
        let readers = vec![
            reader(Some(9), false),
            reader(Some(7), false),
            reader(Some(1), true),
        ];
        step.reading(
            Outcome {
                readers,
                ..Outcome::default()
            },
            &counts,
        );
        assert_eq!((step.units_lost, step.joins_failed), (2, 1));
    }
}
