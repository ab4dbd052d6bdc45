//! The command line: what is asked for, and whether it makes sense before anything is started.

use crate::clip::Kind;
use crate::sample::Process;
use crate::template::Template;
use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use weft_testkit::relay::Weather;

/// How readers get their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// By UDP.
    Udp,
}

/// Publishes by WHIP, reads by RTSP, and tells how long pictures took, what was lost, and what it cost the server.
#[derive(Debug, Clone, Parser)]
#[command(name = "weft-load", version)]
pub struct Arguments {
    /// Where publishers post their offers, with {name} for the stream; several are taken in turn.
    #[arg(long, required = true, value_name = "URL", num_args = 1..)]
    pub whip: Vec<Template>,
    /// Where readers read, with {name} for the stream; several are taken in turn.
    #[arg(long, value_name = "URL", num_args = 1..)]
    pub rtsp: Vec<Template>,
    /// Publishers; several numbers (10,30,100) are measured one after the other.
    #[arg(
        long,
        alias = "steps",
        default_value = "1",
        value_delimiter = ',',
        value_name = "N"
    )]
    pub publishers: Vec<usize>,
    /// Readers of each stream; several numbers are measured one after the other.
    #[arg(long, default_value = "0", value_delimiter = ',', value_name = "M")]
    pub readers: Vec<usize>,
    /// How readers get their packets.
    #[arg(long, default_value = "tcp")]
    pub transport: Transport,
    /// Readers that come at random moments of the measured time and leave with their first picture.
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub joins: usize,
    /// What is published.
    #[arg(long, default_value = "2m")]
    pub clip: Kind,
    /// Publish the picture without sound.
    #[arg(long)]
    pub no_audio: bool,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 20.0, value_name = "SECONDS")]
    pub duration: f64,
    /// Seconds over which publishers come, and then readers.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    pub ramp: f64,
    /// Seconds between the last arrival and what is measured.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    pub settle: f64,
    /// Per cent of the publishers' datagrams that a relay in between loses, both ways, once all are connected.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub loss: f64,
    /// Per cent of them that it holds back by 5 to 30 ms.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub reorder: f64,
    /// Milliseconds that it takes for each.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub delay: u64,
    /// A process of the server's whose CPU time, memory, threads and context switches are measured; may be given again.
    #[arg(long, value_name = "NAME=PID")]
    pub pid: Vec<Process>,
    /// Sent as a bearer token with each offer.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// What the streams' names begin with.
    #[arg(long, default_value = "load", value_name = "NAME")]
    pub prefix: String,
    /// Threads of publishers.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub publish_threads: usize,
    /// Threads of readers.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub read_threads: usize,
    /// Write everything as JSON to this file; - is standard output, and the table goes to standard error then.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw latency, CPU time and memory into this file, which must end in .svg.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Look at the arguments only, and start nothing.
    #[arg(long)]
    pub check: bool,
}

impl Arguments {
    /// Whether they make sense together.
    ///
    /// # Errors
    /// When they do not; the message names the argument and the mend.
    pub fn validate(&self) -> Result<()> {
        for template in &self.whip {
            ensure!(
                template.is("http"),
                "--whip takes http:// addresses; an rtsp:// address belongs to --rtsp"
            );
        }
        for template in &self.rtsp {
            ensure!(
                template.is("rtsp"),
                "--rtsp takes rtsp:// addresses; an http:// address belongs to --whip"
            );
        }
        let read = self.joins > 0 || self.readers.iter().any(|readers| *readers > 0);
        ensure!(
            !read || !self.rtsp.is_empty(),
            "--readers and --joins need --rtsp: say where to read"
        );
        ensure!(
            self.publishers.iter().all(|publishers| *publishers > 0),
            "--publishers 0 publishes nothing: give 1 or more"
        );
        ensure!(
            self.duration >= 1.0,
            "--duration {} is too short: give a second or more",
            self.duration
        );
        ensure!(
            self.ramp >= 0.0 && self.settle >= 0.0,
            "--ramp and --settle cannot be negative"
        );
        for (name, share) in [("--loss", self.loss), ("--reorder", self.reorder)] {
            ensure!(
                (0.0..=100.0).contains(&share),
                "{name} {share} is no percentage: give 0 to 100"
            );
        }
        if let Some(plot) = &self.plot {
            ensure!(
                plot.extension().is_some_and(|ending| ending == "svg"),
                "--plot {} does not end in .svg, which is all that is drawn",
                plot.display()
            );
        }
        Ok(())
    }

    /// The measurements to make, as publishers and readers of each.
    #[must_use]
    pub fn steps(&self) -> Vec<(usize, usize)> {
        let with = |publishers: &usize| {
            let publishers = *publishers;
            self.readers.iter().map(move |readers| (publishers, *readers))
        };
        self.publishers.iter().flat_map(with).collect()
    }

    /// What the relay does, where there is one.
    #[must_use]
    pub fn weather(&self) -> Option<Weather> {
        let weather = Weather {
            loss: self.loss / 100.0,
            reorder: self.reorder / 100.0,
            delay: Duration::from_millis(self.delay),
            ..Weather::FAIR
        };
        (weather != Weather::FAIR).then_some(weather)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        let arguments = Arguments::try_parse_from(line.split(' '))?;
        arguments.validate()?;
        Ok(arguments)
    }

    #[test]
    fn steps_are_every_number_of_publishers_with_every_number_of_readers() {
        let line = "weft-load --whip http://h/{name}/whip --rtsp rtsp://h/{name} --steps 10,30 --readers 0,1";
        assert_eq!(parse(line).unwrap().steps(), [(10, 0), (10, 1), (30, 0), (30, 1)]);
        assert_eq!(parse("weft-load --whip http://h/{name}").unwrap().weather(), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_mend() {
        let faults = [
            ("", "--whip"),
            ("--whip rtsp://h/{name}", "belongs to --rtsp"),
            ("--whip http://h/x", "{name}"),
            ("--whip http://h/{name} --readers 1", "need --rtsp"),
            ("--whip http://h/{name} --publishers 0", "1 or more"),
            ("--whip http://h/{name} --loss 101", "0 to 100"),
            ("--whip http://h/{name} --plot a.png", ".svg"),
            ("--whip http://h/{name} --pid 12", "NAME=PID"),
        ];
        for (line, told) in faults {
            let error = parse(format!("weft-load {line}").trim()).unwrap_err();
            assert!(format!("{error:#}").contains(told), "{line}: {error:#}");
        }
    }
}
