//! The table of what was measured: one row a kind of fault, printed, and written to `failures.md` below the build directory
//! so that the documentation can quote it. Bounds are checked where the fault is made.

use super::fabric::Reading;
use anyhow::Result;
use std::time::Duration;
use weft_testkit::{figure, median, tools};

/// One kind of fault, over all its repetitions.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) name: String,
    /// How often it was made.
    pub(super) times: usize,
    /// Readers in its way, all repetitions together.
    pub(super) readers: usize,
    /// What the time without pictures of each reader in its way was, by the rule in `measured`.
    pub(super) gaps: Vec<Duration>,
    /// The worst of each repetition.
    pub(super) worst: Vec<Duration>,
    /// From where to where the gap was measured.
    pub(super) measured: &'static str,
    /// The longest time without pictures of a reader that was not in its way.
    pub(super) others: Duration,
    /// Pictures that never came to readers in its way.
    pub(super) missing: usize,
    pub(super) stale: usize,
    pub(super) burst: usize,
    pub(super) oldest: Duration,
    /// Sessions of nodes that were not touched which ended.
    pub(super) closed: usize,
    /// Publishers' sessions that were lost although their node was not killed.
    pub(super) lost: usize,
    /// Pictures whose RTP time did not rise within a session.
    pub(super) back: usize,
    pub(super) note: String,
}

impl Row {
    pub(super) fn new(name: &str, measured: &'static str) -> Self {
        Row {
            name: name.to_owned(),
            measured,
            ..Row::default()
        }
    }

    /// One repetition: the gaps of the readers in the fault's way, and what all readers saw. Sessions on `dead`, an egress
    /// node that was killed, end rightly.
    pub(super) fn add(
        &mut self,
        gaps: Vec<Duration>,
        readings: &[Reading],
        touched: impl Fn(&Reading) -> bool,
        dead: Option<usize>,
    ) {
        self.times += 1;
        self.readers += gaps.len();
        self.worst.push(gaps.iter().max().copied().unwrap_or_default());
        self.gaps.extend(gaps);
        for reading in readings {
            let account = reading.account;
            self.stale += account.stale;
            self.burst += account.burst;
            self.back += account.back;
            self.oldest = self.oldest.max(account.oldest);
            if dead != Some(reading.egress) {
                self.closed += account.ends;
                for (url, why) in &reading.ends {
                    figure(format!("{}: {url} closed on an untouched node: {why}", self.name));
                }
            }
            if touched(reading) {
                self.missing += account.missing;
            } else {
                self.others = self.others.max(account.gap);
            }
        }
    }

    pub(super) fn median(&self) -> Duration {
        median(self.gaps.clone())
    }

    /// The middle one of the worst readers of all repetitions.
    pub(super) fn median_worst(&self) -> Duration {
        median(self.worst.clone())
    }

    fn line(&self) -> String {
        let ms = |time: Duration| format!("{} ms", time.as_millis());
        let worst = self.worst.iter().max().copied().unwrap_or_default();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} (oldest {}) | {} | {} | {} | {} |\n",
            self.name,
            self.times,
            self.readers,
            ms(self.median()),
            ms(self.median_worst()),
            ms(worst),
            ms(self.others),
            self.missing,
            self.stale,
            self.burst,
            ms(self.oldest),
            self.closed,
            self.lost,
            self.measured,
            self.note
        )
    }
}

const HEAD: &str = "| fault | times | readers | median gap | median of the worst readers | worst gap | worst gap of readers not in its way | pictures missing | stale | late in bursts | readers' sessions closed on untouched nodes | publishers' sessions lost on nodes that live | gap measured | remarks |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// Shows the rows and puts them, with those of the other parts, into `failures.md`.
pub(super) fn publish(part: &str, rows: &[Row]) -> Result<()> {
    let lines: Vec<String> = rows.iter().map(Row::line).collect();
    for line in HEAD.lines().chain(lines.iter().map(|line| line.trim_end())) {
        figure(line);
    }
    let folder = tools::scratch("failures")?;
    std::fs::write(folder.join(part), lines.concat())?;
    let mut parts: Vec<_> = std::fs::read_dir(&folder)?.collect::<std::io::Result<_>>()?;
    parts.sort_by_key(std::fs::DirEntry::file_name);
    let mut all = HEAD.to_owned();
    for part in parts {
        all.push_str(&std::fs::read_to_string(part.path())?);
    }
    std::fs::write(tools::target()?.join("failures.md"), all)?;
    Ok(())
}
