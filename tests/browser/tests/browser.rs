//! Chromium or Firefox as a child process with a tab for each page, and what each tab showed, moment by moment. What it should
//! have shown is the tests' matter.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weft_testkit::process::Process;
use weft_testkit::{tools, until};

/// A page to open.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    plan: Value,
}

impl Tab {
    /// A tab of this name with the page at `url`.
    pub(crate) fn new(name: &str, url: &str) -> Self {
        Tab {
            plan: json!({ "name": name, "url": url }),
        }
    }

    /// One more property of the driver's plan: `click` a selector, `denied` cameras, `dark`, a `viewport`.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.plan[key] = value.into();
        self
    }
}

/// What a tab showed at a moment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Seen {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    /// `live`, `wait`, `held` or `error`.
    pub(crate) kind: String,
    /// The words beside the dot.
    pub(crate) state: String,
    /// Kind of the problem in the notice, empty without one.
    pub(crate) problem: String,
    /// Its words.
    pub(crate) words: String,
    /// How the picture comes: `whep` or `hls`; empty at a publisher.
    pub(crate) mode: String,
    /// Sessions so far.
    pub(crate) sessions: u64,
    /// The session's URL.
    pub(crate) location: String,
    /// Size of the picture.
    pub(crate) width: u32,
    /// Size of the picture.
    pub(crate) height: u32,
    /// The video element's time in seconds.
    pub(crate) time: f64,
    /// Pictures decoded so far.
    pub(crate) frames: u64,
    /// The page's own figures.
    pub(crate) figures: Option<Value>,
    /// What the video element says is wrong, empty where nothing is.
    pub(crate) fault: String,
    /// Pictures shown since the moment before: when, and how old by the clock in them.
    pub(crate) shown: Vec<(u64, Option<i64>)>,
}

/// A running browser; its windows close when it is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Process,
    folder: PathBuf,
    pictures: usize,
}

/// Chromium's camera and microphone that are no devices.
pub(crate) const FAKE_CAMERA: &str = "--use-fake-device-for-media-stream";
/// Says yes to whatever a page asks for, screens too.
pub(crate) const SAYS_YES: &str = "--use-fake-ui-for-media-stream";

impl Browser {
    /// Opens the tabs in this order in a Chromium; pictures go to `target/browser/{name}`.
    pub(crate) async fn open(name: &str, flags: &[&str], tabs: &[Tab]) -> Result<Self> {
        Self::start(name, "chromium", flags, tabs).await
    }

    /// The same in a Firefox, which has no fake devices.
    pub(crate) async fn firefox(name: &str, tabs: &[Tab]) -> Result<Self> {
        Self::start(name, "firefox", &[], tabs).await
    }

    async fn start(name: &str, browser: &str, flags: &[&str], tabs: &[Tab]) -> Result<Self> {
        let folder = tools::scratch("browser")?.join(name);
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        let plan = json!({
            "out": folder,
            "browser": browser,
            "flags": flags,
            "tabs": tabs.iter().map(|tab| tab.plan.clone()).collect::<Vec<_>>(),
        });
        let file = folder.join("plan.json");
        std::fs::write(&file, plan.to_string())?;
        let mut command = Command::new("node");
        command
            .arg(tools::script("browser/driver/drive.cjs"))
            .arg(&file)
            .env("NODE_PATH", tools::node_modules()?);
        let mut process = Process::spawn_family(&format!("browser-{name}"), command)?;
        process
            .wait_for_line("\"ready\":true", Duration::from_secs(40))
            .await?;
        Ok(Browser {
            process,
            folder,
            pictures: 0,
        })
    }

    /// What a tab has shown so far.
    pub(crate) fn seen(&self, tab: &str) -> Vec<Seen> {
        let log = self.process.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["tab"] == tab && line["kind"].is_string())
            .filter_map(|line| serde_json::from_value(line).ok())
            .collect()
    }

    /// Faults of the pages' scripts.
    pub(crate) fn faults(&self) -> Vec<String> {
        let log = self.process.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter_map(|line| Some(format!("{}: {}", line["tab"], line["error"].as_str()?)))
            .collect()
    }

    /// Waits for a moment at which a tab shows what is asked for.
    pub(crate) async fn wait(
        &self,
        tab: &str,
        what: &str,
        limit: Duration,
        good: impl Fn(&Seen) -> bool,
    ) -> Result<Seen> {
        let what = format!("{tab}: {what}");
        let found = until(&what, limit, || {
            std::future::ready(self.seen(tab).into_iter().find(|seen| good(seen)))
        });
        found.await.with_context(|| {
            let last = self.seen(tab).pop();
            format!("last seen {last:?}\n{:?}", self.faults())
        })
    }

    /// Takes a picture of every tab and says where they are.
    pub(crate) async fn picture(&mut self) -> Result<()> {
        self.pictures += 1;
        self.process.signal("USR2")?;
        let line = format!("\"pictures\":{}", self.pictures);
        self.process.wait_for_line(&line, Duration::from_secs(20)).await?;
        let found = std::fs::read_dir(&self.folder)?.flatten();
        ensure!(
            found
                .filter(|file| file.path().extension().is_some_and(|end| end == "png"))
                .count()
                > 0,
            "no picture in {}",
            self.folder.display()
        );
        Ok(())
    }

    /// Closes it; a fault of any page's script is one of the test's.
    pub(crate) fn close(self) -> Result<()> {
        let faults = self.faults();
        self.process.signal("TERM")?;
        ensure!(faults.is_empty(), "{faults:#?}");
        Ok(())
    }
}

/// Milliseconds since 1970, as the pages count.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
