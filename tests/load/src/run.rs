//! One measurement: publishers come, readers come, time passes between two looks at the counters, all leave. What is made of the
//! counters is the report's business.

use crate::cli::{Arguments, Transport};
use crate::clip::Clip;
use crate::count::Window;
use crate::progress::Progress;
use crate::publish::Publishers;
use crate::read::{Plan, Readers};
use crate::report::{Step, Tick};
use crate::sample::{Process, Sample};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use weft_testkit::relay::{Relay, Weather};

/// Publishers must be up, and readers have a picture, this long after the last one came.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at what goes on.
const LOOK: Duration = Duration::from_millis(50);
/// Between two samples of the processes.
const TICK: Duration = Duration::from_secs(1);
/// What is on its way when publishers fall silent arrives within this.
const DRAIN: Duration = Duration::from_millis(800);

/// Everything that lasts longer than one measurement.
pub struct Run {
    arguments: Arguments,
    clip: Arc<Clip>,
    slices: Arc<Vec<u32>>,
    runtime: tokio::runtime::Handle,
    stop: Arc<AtomicBool>,
    relays: HashMap<SocketAddr, Relay>,
}

/// All samples of one moment, in the order of the arguments, this process's last.
type Samples = Vec<Sample>;

impl Run {
    /// Gets the clip ready and looks whether the processes are there. Relays run on `runtime`; `stop` ends everything early.
    ///
    /// # Errors
    /// When the clip cannot be made or a process is not there.
    pub fn new(arguments: Arguments, runtime: tokio::runtime::Handle, stop: Arc<AtomicBool>) -> Result<Self> {
        for process in &arguments.pid {
            process.sample()?;
        }
        let clip = Arc::new(Clip::load(arguments.clip, !arguments.no_audio)?);
        Ok(Self {
            slices: Arc::new(clip.slices.clone()),
            clip,
            arguments,
            runtime,
            stop,
            relays: HashMap::new(),
        })
    }

    fn processes(&self) -> Vec<Process> {
        self.arguments
            .pid
            .iter()
            .cloned()
            .chain([Process::own()])
            .collect()
    }

    fn samples(&self) -> Result<Samples> {
        self.processes().iter().map(Process::sample).collect()
    }

    /// Sleeps until then unless it is to end.
    fn sleep_until(&self, until: Instant) -> Result<()> {
        while Instant::now() < until {
            ensure!(!self.stop.load(Relaxed), "interrupted; all sessions were ended");
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(LOOK));
        }
        Ok(())
    }

    /// Measures with so many publishers and readers of each.
    ///
    /// # Errors
    /// When a server is not there, refuses, or ends; the message names it.
    pub fn step(&mut self, publishers: usize, readers: usize, progress: &mut Progress) -> Result<Step> {
        let before = self.samples()?;
        let sources = self.publish(publishers, progress)?;
        self.settle()?;
        let published = self.samples()?;
        let window = Arc::new(Window::default());
        let sinks = self.read(publishers, readers, &window, progress)?;
        self.settle()?;

        let start = Instant::now();
        let (units, packets, bytes) = totals(&sources);
        let first = self.samples()?;
        window.open();
        let mut ticks = vec![Tick::new(Duration::ZERO, first.clone())];
        let duration = Duration::from_secs_f64(self.arguments.duration);
        while start.elapsed() < duration {
            self.sleep_until((start + TICK * ticks.len() as u32).min(start + duration))?;
            ticks.push(Tick::new(start.elapsed(), self.samples()?));
            progress.show(&format!(
                "{publishers} publishers, {readers} readers each: {:.0} of {:.0} s, {} pictures read, {} bad",
                start.elapsed().as_secs_f64(),
                duration.as_secs_f64(),
                sinks.seen.units.load(Relaxed),
                sinks.seen.bad.load(Relaxed)
            ));
        }
        window.close();
        let seconds = start.elapsed().as_secs_f64();
        let sent = totals(&sources);
        sources.silence();
        self.sleep_until(Instant::now() + DRAIN)?;
        let seen = sinks.end();
        let mut step = Step {
            publishers,
            readers,
            seconds,
            published: sent.0 - units,
            packets: sent.1 - packets,
            bytes: sent.2 - bytes,
            ..Step::default()
        };
        step.costs(&self.processes(), &[before, published], &ticks);
        step.publishing(&sources.counts);
        step.reading(seen, &sources.counts);
        step.unknown_sessions = sources.end();
        Ok(step)
    }

    fn weather(&self, weather: Option<Weather>) {
        for (relay, weather) in self.relays.values().zip(weather.into_iter().cycle()) {
            relay.set(weather);
        }
    }

    fn settle(&self) -> Result<()> {
        self.sleep_until(Instant::now() + Duration::from_secs_f64(self.arguments.settle))
    }

    fn name(&self, stream: usize) -> String {
        format!("{}{stream}", self.arguments.prefix)
    }

    /// When the one with this number of so many comes.
    fn ramp(&self, number: usize, of: usize) -> Duration {
        Duration::from_secs_f64(self.arguments.ramp * number as f64 / of.max(1) as f64)
    }

    fn publish(&mut self, count: usize, progress: &mut Progress) -> Result<Publishers> {
        let threads = self.arguments.publish_threads;
        let mut sources = Publishers::start(self.clip.clone(), threads, self.arguments.token.clone())?;
        let (weather, start) = (self.arguments.weather(), Instant::now());
        self.weather(weather.map(calm));
        for number in 0..count {
            self.sleep_until(start + self.ramp(number, count))?;
            let template = &self.arguments.whip[number % self.arguments.whip.len()];
            let target = template.target(&self.name(number))?;
            let (weather, runtime, relays) = (weather, &self.runtime, &mut self.relays);
            sources.add(&target, |address| match weather {
                None => Ok(address),
                Some(weather) => {
                    if let Some(relay) = relays.get(&address) {
                        return Ok(relay.address());
                    }
                    let relay = runtime.block_on(Relay::start(address, 1))?;
                    relay.set(calm(weather));
                    let way = relay.address();
                    relays.insert(address, relay);
                    Ok(way)
                }
            })?;
            progress.show(&format!("{} of {count} publishers", number + 1));
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let waiting = sources
                .counts
                .iter()
                .position(|counts| !counts.live.load(Relaxed));
            let Some(number) = waiting else {
                self.weather(weather);
                return Ok(sources);
            };
            if let Some(why) = sources.counts[number].why() {
                bail!("publisher of {} could not connect: {why}", self.name(number));
            }
            if Instant::now() > end {
                bail!(
                    "publisher of {} has no DTLS session after {PATIENCE:?}: is the server's UDP port for WebRTC reached?",
                    self.name(number)
                );
            }
            self.sleep_until(Instant::now() + LOOK)?;
        }
    }

    fn read(
        &self,
        publishers: usize,
        readers: usize,
        window: &Arc<Window>,
        progress: &mut Progress,
    ) -> Result<Readers> {
        let Arguments {
            rtsp,
            joins,
            read_threads,
            ..
        } = &self.arguments;
        let (all, start) = (publishers * readers, Instant::now());
        let mut plans = Vec::new();
        let mut plan = |number: usize, stream: usize, at: Instant, joining: bool| {
            plans.push(Plan {
                stream: u32::try_from(stream)?,
                target: rtsp[number % rtsp.len()].target(&self.name(stream))?,
                udp: self.arguments.transport == Transport::Udp,
                at,
                joining,
            });
            anyhow::Ok(())
        };
        for number in 0..all {
            // The stream changes with each reader, and the host with each round of streams.
            plan(
                number / publishers + number,
                number % publishers,
                start + self.ramp(number, all),
                false,
            )?;
        }
        // Joiners come while it is measured, but not in the last moment of it.
        let begin = self.arguments.ramp + self.arguments.settle + 0.5;
        for number in 0..*joins {
            let later = begin + rand::random_range(0.0..(self.arguments.duration - 0.9).max(0.1));
            plan(
                number,
                number % publishers,
                start + Duration::from_secs_f64(later),
                true,
            )?;
        }
        if let Some(first) = plans.first() {
            let address = first.target.address()?;
            std::net::TcpStream::connect_timeout(&address, PATIENCE)
                .with_context(|| format!("nobody listens at {address}: start the server, or mend --rtsp"))?;
        }
        let sinks = Readers::start(plans, *read_threads, &self.slices, window)?;
        let end = start + Duration::from_secs_f64(self.arguments.ramp) + PATIENCE;
        loop {
            let playing = sinks.seen.playing.load(Relaxed) as usize;
            if playing >= all {
                return Ok(sinks);
            }
            if Instant::now() > end || sinks.seen.dropped.load(Relaxed) > 0 {
                let why = sinks.end().readers.into_iter().find_map(|reader| reader.dropped);
                bail!(
                    "{playing} of {all} readers have a picture after {:.0} s: {}",
                    start.elapsed().as_secs_f64(),
                    why.unwrap_or_else(|| "the others wait for a whole key picture".to_owned())
                );
            }
            progress.show(&format!("{playing} of {all} readers have a picture"));
            self.sleep_until(Instant::now() + LOOK)?;
        }
    }
}

/// Pictures, packets and bytes of all publishers so far.
fn totals(sources: &Publishers) -> (u64, u64, u64) {
    sources
        .counts
        .iter()
        .fold((0, 0, 0), |(units, packets, bytes), counts| {
            (
                units + counts.units.load(Relaxed),
                packets + counts.packets.load(Relaxed),
                bytes + counts.bytes.load(Relaxed),
            )
        })
}

/// While publishers connect nothing is lost: a server that gives up a handshake is another matter than how it bears loss.
fn calm(weather: Weather) -> Weather {
    Weather {
        loss: 0.0,
        reorder: 0.0,
        ..weather
    }
}
