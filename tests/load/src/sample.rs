//! What the kernel counts for the processes under test, and for this one: read from /proc, summed over threads. Linux alone.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::str::FromStr;

/// Of the times in /proc/PID/stat: USER_HZ, 100 on every platform in use (proc(5)).
const TICKS: f64 = 100.0;

/// A process under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What it is called in the report.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

impl FromStr for Process {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not NAME=PID, as in ingest=4711");
        let (name, pid) = text.split_once('=').ok_or_else(wrong)?;
        let pid = pid.parse().map_err(|_| wrong())?;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            name: name.to_owned(),
            pid,
        })
    }
}

/// What a process has used so far, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Seconds of CPU, user and system.
    pub cpu: f64,
    /// Resident memory, KiB.
    pub rss_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Context switches because a thread waited.
    pub waits: u64,
    /// Context switches because another thread's turn had come.
    pub preemptions: u64,
}

impl Process {
    /// This process.
    #[must_use]
    pub fn own() -> Self {
        Self {
            name: "weft-load".to_owned(),
            pid: std::process::id(),
        }
    }

    /// Reads what the kernel counts now.
    ///
    /// # Errors
    /// When the process is not there.
    pub fn sample(&self) -> Result<Sample> {
        let Self { name, pid } = self;
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| {
                format!("process {name} ({pid}) is not there (any more): see its log, or mend --pid")
            })
        };
        let cpu = cpu(&read("stat")?).with_context(|| format!("/proc/{pid}/stat is not as proc(5) says"))?;
        let status = read("status")?;
        let mut sample = Sample {
            cpu,
            rss_kib: field(&status, "VmRSS:"),
            threads: field(&status, "Threads:"),
            ..Sample::default()
        };
        if status.contains("State:\tZ") {
            bail!("process {name} ({pid}) has ended: see its log");
        }
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            // A thread may end between the two.
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            sample.waits += field(&status, "voluntary_ctxt_switches:");
            sample.preemptions += field(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(sample)
    }
}

/// User and system time; the name in parentheses may hold anything.
fn cpu(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

/// Where something was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// The kernel's version.
    pub kernel: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: model.map(|(_, name)| name.to_owned()).unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_threads() {
        let sample = Process::own().sample().unwrap();
        assert!(sample.rss_kib > 100 && sample.threads >= 1, "{sample:?}");
        assert!(Machine::here().cores >= 1);
    }

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0";
        assert_eq!(cpu(stat), Some(2.0));
        assert_eq!(cpu("7 (a"), None);
    }

    #[test]
    fn a_process_is_named_and_one_that_is_gone_too() {
        assert_eq!(
            "a=1".parse(),
            Ok(Process {
                name: "a".into(),
                pid: 1
            })
        );
        assert!("=1".parse::<Process>().is_err() && "a".parse::<Process>().is_err());
        let gone = Process {
            name: "ingest".into(),
            pid: u32::MAX,
        };
        assert!(gone.sample().unwrap_err().to_string().contains("ingest"));
    }
}
