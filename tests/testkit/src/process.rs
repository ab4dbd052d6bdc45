//! Child processes: started with their output in a log file, measured through /proc, ended by their own pid when dropped.
//! What a child is and how one knows that it is ready is told by the modules that start it.

use crate::{tools, until};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A running child, killed and reaped on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    family: bool,
}

/// What the kernel counts for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// Starts `command` with standard output and error in one log file named after `name`.
    pub fn spawn(name: &str, command: Command) -> Result<Self> {
        Self::start(name, command, false)
    }

    /// As `spawn`, for a command that starts others: all of them end when this is dropped.
    pub fn spawn_family(name: &str, mut command: Command) -> Result<Self> {
        command.process_group(0);
        Self::start(name, command, true)
    }

    fn start(name: &str, mut command: Command, family: bool) -> Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let log = tools::scratch("test-logs")?.join(format!("{}-{number}-{name}.log", std::process::id()));
        let file = std::fs::File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        Ok(Process { child, log, family })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything the process has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends a signal by name, such as `TERM`, `KILL`, `STOP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()?;
        anyhow::ensure!(sent.success(), "kill -{name} {} failed", self.pid());
        Ok(())
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let log = self.log.clone();
        let child = &mut self.child;
        let what = format!("end of the process with log {}", log.display());
        until(&what, limit, || std::future::ready(child.try_wait().transpose()))
            .await?
            .map_err(Into::into)
    }

    /// Waits until the log holds `text`; fails at once, with the log's end, if the process ends before.
    pub async fn wait_for_line(&mut self, text: &str, limit: Duration) -> Result<()> {
        let what = format!("\"{text}\" in {}", self.log.display());
        let found = until(&what, limit, || {
            let found = self.log().contains(text);
            std::future::ready((found || !self.running()).then_some(found))
        });
        let found = found.await.with_context(|| self.last_lines())?;
        anyhow::ensure!(found, "ended before it said \"{text}\"\n{}", self.last_lines());
        Ok(())
    }

    /// The end of the log, for messages.
    pub fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Memory, descriptors and threads now.
    pub fn usage(&self) -> Result<Usage> {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = std::fs::read_to_string(proc.join("status"))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
                .unwrap_or_default()
        };
        Ok(Usage {
            rss_kib: field("VmRSS:"),
            descriptors: std::fs::read_dir(proc.join("fd"))?.count(),
            threads: field("Threads:"),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.family {
            // A process group has the id of its first process, which is not reaped yet.
            drop(
                Command::new("kill")
                    .args(["-KILL", "--", &format!("-{}", self.pid())])
                    // That there is none any more is no news.
                    .stderr(Stdio::null())
                    .status(),
            );
        }
        // Both fail only when the process is already gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
