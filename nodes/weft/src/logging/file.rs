//! The log file: opened for appending, opened anew when told to or when its name leads to another file, tried again when it
//! cannot be written. Who waits for it is the sink's business.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How often the name is looked up, and how often a file that cannot be opened is tried again.
const LOOK: Duration = Duration::from_secs(1);

/// The file behind `logFile`.
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    looked: Instant,
    /// Lines lost since it could be written last.
    lost: u64,
    /// That it cannot be written has been said.
    said: bool,
}

impl LogFile {
    /// Opens it; where it cannot be had, standard error is told, and it is tried again.
    pub(super) fn open(path: PathBuf) -> Self {
        let mut file = Self {
            path,
            file: None,
            looked: Instant::now(),
            lost: 0,
            said: false,
        };
        if let Err(error) = file.try_open() {
            file.said = true;
            // There is no log yet, or this was to be it.
            drop(writeln!(
                std::io::stderr(),
                "weft: logFile {} cannot be written, it is tried again: {error}",
                file.path.display()
            ));
        }
        file
    }

    /// Writes a line; false when it is lost.
    pub(super) fn write(&mut self, line: &[u8]) -> bool {
        let written = match &mut self.file {
            Some(file) => file.write_all(line),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        match written {
            Ok(()) => self.works(),
            Err(error) => {
                self.lost += 1;
                self.fails(&error);
                return false;
            }
        }
        true
    }

    /// Opens it anew where it was told to, where its name leads elsewhere, or where it is not open.
    pub(super) fn look(&mut self, told: bool) {
        if !told && self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        if !told && self.is_there() {
            return;
        }
        // What is open stays open where the new one cannot be had.
        if let Err(error) = self.try_open() {
            self.fails(&error);
        }
    }

    /// Whether the name still leads to the file that is open.
    fn is_there(&self) -> bool {
        let open = self.file.as_ref().and_then(|file| file.metadata().ok());
        let named = std::fs::metadata(&self.path).ok();
        open.zip(named)
            .is_some_and(|(open, named)| (open.dev(), open.ino()) == (named.dev(), named.ino()))
    }

    fn try_open(&mut self) -> std::io::Result<()> {
        // Names of users and addresses of clients are nobody else's business.
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(&self.path)?;
        self.file = Some(file);
        Ok(())
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.said) {
            let lost = std::mem::take(&mut self.lost);
            tracing::warn!(file = %self.path.display(), lost, "the log file is written again");
        }
    }

    fn fails(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::error!(file = %self.path.display(), %error, "the log file cannot be written; it is tried again");
        }
    }
}
