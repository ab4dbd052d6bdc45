//! One command from its start to its end: a process group of its own, ended by SIGINT and, if it does not go, SIGKILL.
//! Whether it is started again is the runner's business.

use crate::counters::{Counters, one};
use crate::environment::Environment;
use crate::limiter::Limiter;
use crate::words;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long an interrupted command may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// How long what it printed last is waited for: its children may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Lines of output per second in the log, and bytes of one.
const LINES: u32 = 20;
const LINE: usize = 1024;

/// A command could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the command line makes no sense: {0}")]
    Words(#[from] words::Error),
    #[error("{program} cannot be started: {source}")]
    Start { program: String, source: io::Error },
    #[error("it cannot be waited for: {0}")]
    Wait(#[from] io::Error),
}

/// When a command is to end.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// Its occasion is over: it is interrupted.
    pub(crate) over: CancellationToken,
    /// This node ends: it is killed.
    pub(crate) hurry: CancellationToken,
}

/// Runs a command. `Some` status: it ended by itself; `None`: it was ended.
pub(crate) async fn run(
    line: &str,
    environment: &Environment,
    what: &'static str,
    ends: &Ends,
    counters: &Counters,
) -> Result<Option<ExitStatus>, Error> {
    let words: Vec<String> = words::split(line)?
        .iter()
        .map(|word| words::expand(word, &|name| environment.value(name)))
        .collect();
    let (program, arguments) = words.split_first().ok_or(words::Error::Empty)?;
    // What it prints is for whoever looks into a fault; otherwise it costs nothing.
    let heard = tracing::enabled!(tracing::Level::DEBUG);
    let output = || if heard { Stdio::piped() } else { Stdio::null() };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter())
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Start {
            program: program.chars().take(LINE).collect(),
            source,
        })?;
    one(&counters.started);
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw);
    let limiter = Limiter::new(LINES, Duration::from_secs(1));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let printed = async { tokio::join!(log(out, what, &limiter), log(err, what, &limiter)) };
    let ended = async {
        let ended = end(&mut child, group, ends, counters).await;
        // A pause for what was printed last; then nothing is listened to any more.
        (
            ended,
            sleep(if heard { LAST_WORDS } else { Duration::ZERO }).await,
        )
            .0
    };
    tokio::pin!(ended);
    let ended = tokio::select! {
        ended = &mut ended => ended?,
        _ = printed => ended.await?,
    };
    Ok(ended)
}

async fn end(
    child: &mut Child,
    group: Option<Pid>,
    ends: &Ends,
    counters: &Counters,
) -> io::Result<Option<ExitStatus>> {
    tokio::select! {
        status = child.wait() => return Ok(Some(status?)),
        () = ends.over.cancelled() => {}
        () = ends.hurry.cancelled() => {}
    }
    signal(group, Signal::SIGINT);
    let gone = tokio::select! {
        gone = timeout(GRACE, child.wait()) => gone.is_ok(),
        () = ends.hurry.cancelled() => false,
    };
    if !gone {
        one(&counters.killed);
    }
    // Also where the first of the group has gone: those it started may not listen to SIGINT.
    signal(group, Signal::SIGKILL);
    child.wait().await?;
    Ok(None)
}

/// A group that is no more has nobody to be told.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        killpg(group, signal).ok();
    }
}

/// Passes on what a command prints to the log, line by line; overflow: a line too many or too long is cut, and counted in
/// the next one.
async fn log(pipe: Option<impl AsyncRead + Unpin>, what: &'static str, limiter: &Limiter) {
    let Some(mut pipe) = pipe else { return };
    let mut kept = Vec::with_capacity(LINE);
    let mut chunk = [0; LINE];
    let say = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if let (false, Some(more)) = (line.is_empty(), limiter.pass()) {
            tracing::debug!(what, line, more, "a command says");
        }
    };
    while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
        for byte in &chunk[..read] {
            if *byte == b'\n' || kept.len() == LINE {
                say(&kept);
                kept.clear();
            }
            kept.push(*byte);
        }
    }
    say(&kept);
}
