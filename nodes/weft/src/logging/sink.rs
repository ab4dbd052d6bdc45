//! One destination of the log: a thread that writes, behind a bounded queue that takes lines and never waits. A pipe that
//! nobody reads or a full disk costs lines, which are counted, and nothing else.

use super::file::LogFile;
use super::line::{Line, Style};
use super::{DROPPED, LINES};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait for one destination; at 200 bytes each they are 1.6 MB.
const QUEUE: usize = 8 * 1024;

/// How often a file that gets no lines is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the thread is given.
enum Item {
    Line(Vec<u8>),
    /// There is something to look at.
    Wake,
    /// Everything before it is written when the other end hears of it.
    Written(SyncSender<()>),
}

/// A destination; its thread ends, with its queue written, when this is dropped.
pub(super) struct Sink {
    style: Style,
    queue: SyncSender<Item>,
    shared: Arc<Shared>,
    is_file: bool,
}

#[derive(Default)]
struct Shared {
    reopen: AtomicBool,
    /// Lines that found the queue full since this was said last.
    full: AtomicU64,
}

/// Where the bytes go.
pub(super) enum Out {
    /// A descriptor of its own: whoever else writes there does not wait for this one.
    Standard(Option<File>),
    File(LogFile),
}

impl Sink {
    pub(super) fn stdout(style: Style) -> Self {
        let own = std::io::stdout().as_fd().try_clone_to_owned();
        Self::start("stdout", style, Out::Standard(own.ok().map(File::from)))
    }

    pub(super) fn stderr(style: Style) -> Self {
        let own = std::io::stderr().as_fd().try_clone_to_owned();
        Self::start("stderr", style, Out::Standard(own.ok().map(File::from)))
    }

    pub(super) fn file(path: PathBuf, style: Style) -> Self {
        Self::start("file", style, Out::File(LogFile::open(path)))
    }

    pub(super) fn start(name: &'static str, style: Style, out: Out) -> Self {
        let (queue, items) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let is_file = matches!(out, Out::File(_));
        let of_thread = Arc::clone(&shared);
        let begun = std::thread::Builder::new()
            .name(format!("log-{name}"))
            .spawn(move || write(name, &items, out, &of_thread));
        // Without its thread the queue has no other end, and every line is counted as dropped.
        drop(begun);
        Self {
            style,
            queue,
            shared,
            is_file,
        }
    }

    pub(super) fn take(&self, line: &Line<'_>) {
        LINES.fetch_add(1, Relaxed);
        // overflow: the new line is dropped and counted; what is queued explains more of what came first.
        if self.queue.try_send(Item::Line(line.bytes(self.style))).is_err() {
            DROPPED.fetch_add(1, Relaxed);
            self.shared.full.fetch_add(1, Relaxed);
        }
    }

    /// Has a file opened anew; false when this is none.
    pub(super) fn reopen(&self) -> bool {
        if self.is_file {
            self.shared.reopen.store(true, Relaxed);
            // overflow: it looks with the next line anyway.
            self.queue.try_send(Item::Wake).ok();
        }
        self.is_file
    }

    /// Waits for the lines so far.
    pub(super) fn flush(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        // overflow: a queue that is full now is not written within any limit.
        if self.queue.try_send(Item::Written(done)).is_ok() {
            written.recv_timeout(limit).ok();
        }
    }
}

fn write(name: &'static str, items: &Receiver<Item>, mut out: Out, shared: &Shared) {
    loop {
        let item = match items.recv_timeout(LOOK) {
            Ok(item) => Some(item),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Out::File(file) = &mut out {
            file.look(shared.reopen.swap(false, Relaxed));
        }
        match item {
            Some(Item::Line(line)) => {
                let written = match &mut out {
                    Out::Standard(to) => to.as_mut().is_some_and(|to| to.write_all(&line).is_ok()),
                    Out::File(file) => file.write(&line),
                };
                if !written {
                    DROPPED.fetch_add(1, Relaxed);
                }
            }
            Some(Item::Written(done)) => drop(done.try_send(())),
            Some(Item::Wake) | None => {}
        }
        let full = shared.full.swap(0, Relaxed);
        if full > 0 {
            tracing::warn!(
                destination = name,
                lines = full,
                "log lines dropped: the destination is too slow"
            );
        }
    }
}
