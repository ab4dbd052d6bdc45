//! One line on a terminal that tells how far things are. Where standard error is no terminal there is nothing.

use std::io::{IsTerminal, Write};

/// The line.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// For standard error.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shown: std::io::stderr().is_terminal(),
        }
    }

    /// Shows this in place of what was shown before.
    pub fn show(&mut self, text: &str) {
        if self.shown {
            // Back to the first column, and nothing of the old line left behind the new one.
            drop(write!(std::io::stderr(), "\r\x1b[2K{text}"));
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        self.show("");
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
