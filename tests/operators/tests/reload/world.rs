//! A node with ten live streams, each with a publisher and a reader that writes down every unit; and the ways to change the
//! node's configuration. What should follow from a change is the tests' business.

use super::model::{Model, STREAMS, of_file, password};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weft_testkit::fixture::{self, Clip, LIGHT};
use weft_testkit::http::{self, Response};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over, ReadUnit, Reader};
use weft_testkit::process::Process;
use weft_testkit::{tools, until};

/// A change takes place within this: the file is looked at each second.
const SOON: Duration = Duration::from_secs(5);
const PLACE: &str = "# here";

/// One that is sent and read.
struct Stream {
    publisher: Process,
    reader: JoinHandle<Result<(Vec<ReadUnit>, bool)>>,
    enough: oneshot::Sender<()>,
}

pub(super) struct World {
    pub(super) node: Node,
    pub(super) model: Model,
    file: PathBuf,
    base: String,
    clip: Clip,
    streams: BTreeMap<usize, Stream>,
}

/// Publishers and readers: kind and stream by session.
pub(super) type Sessions = BTreeMap<String, (&'static str, String)>;

pub(super) async fn call(address: &str, method: &str, path: &str, body: &Value) -> Result<Response> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    http::request(
        method,
        address,
        path,
        &[("Content-Type", "application/json")],
        body.as_bytes(),
    )
    .await
}

impl World {
    pub(super) async fn start() -> Result<Self> {
        let directory = tools::scratch("reload")?.join(std::process::id().to_string());
        std::fs::create_dir_all(&directory)?;
        certificate(&directory)?;
        let node = Plan::new(Role::Standalone)
            .with(PLACE)
            .with("rtspEncryption: optional")
            .with("rtspsAddress: 127.0.0.1:0")
            .with(&format!("rtspServerCert: {}", directory.join("a.crt").display()))
            .with(&format!("rtspServerKey: {}", directory.join("a.key").display()))
            .fabric(&format!(
                "settingsFile: {}",
                directory.join("settings.json").display()
            ))
            .start()
            .await?;
        let file = node.address_file().with_extension("yml");
        let base = std::fs::read_to_string(&file)?;
        let mut world = Self {
            node,
            model: Model::new(),
            file,
            base,
            clip: fixture::clip(LIGHT)?,
            streams: BTreeMap::new(),
        };
        world.write_file().await?;
        for n in (0..STREAMS).filter(|n| !of_file(*n)) {
            world
                .api("POST", &format!("paths/add/s{n}"), &serde_json::json!({}))
                .await?;
        }
        for n in 0..STREAMS {
            world.publish(n)?;
        }
        for n in 0..STREAMS {
            world.read(n).await?;
        }
        Ok(world)
    }

    /// What was live is followed to here.
    pub(super) fn api_address(&self) -> Result<String> {
        Ok(self.node.address("api")?.to_owned())
    }

    /// A request of the configuration API, which must be taken.
    pub(super) async fn api(&self, method: &str, path: &str, body: &Value) -> Result<()> {
        let answer = call(&self.api_address()?, method, &format!("/v3/config/{path}"), body).await?;
        ensure!(
            answer.status == 200,
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        self.base.replace(PLACE, &self.model.yaml())
    }

    /// Writes the file as editors do, in one step, and waits until it is in force.
    pub(super) async fn write_file(&mut self) -> Result<()> {
        let before = self.changes();
        self.put_file(&self.text())?;
        until("the file's change", SOON, || {
            std::future::ready((self.changes() > before).then_some(()))
        })
        .await
        .with_context(|| self.node_lines())
    }

    /// Writes some text as the file.
    pub(super) fn put_file(&self, text: &str) -> Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.file)?;
        Ok(())
    }

    fn log(&self) -> String {
        self.node.log()
    }

    fn node_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Changes so far that came by the file.
    fn changes(&self) -> usize {
        let log = self.log();
        let by_file = |line: &&str| line.contains("configuration changed") && line.contains("the file");
        log.lines().filter(by_file).count()
    }

    /// New key and certificate in the place of the old ones.
    pub(super) fn new_certificate(&self) -> Result<()> {
        certificate(&tools::scratch("reload")?.join(std::process::id().to_string()))
    }

    /// Begins to send a stream.
    pub(super) fn publish(&mut self, n: usize) -> Result<()> {
        let user = format!("p{n}");
        let mut command = Command::new(tools::ffmpeg()?);
        command
            .args([
                "-hide_banner",
                "-loglevel",
                "warning",
                "-nostdin",
                "-re",
                "-stream_loop",
                "-1",
                "-i",
            ])
            .arg(&self.clip.path)
            .args(["-c", "copy", "-f", "whip", "-authorization"])
            .arg(format!("{user}:{}", password(&user)))
            .arg(self.node.whip(&format!("s{n}"))?);
        let publisher = Process::spawn("ffmpeg-whip", command)?;
        let (enough, _) = oneshot::channel();
        let reader = tokio::spawn(async { Ok((Vec::new(), false)) });
        self.streams.insert(
            n,
            Stream {
                publisher,
                reader,
                enough,
            },
        );
        Ok(())
    }

    /// Begins to read a stream that is sent.
    pub(super) async fn read(&mut self, n: usize) -> Result<()> {
        let stream = format!("s{n}");
        let wait = self.node.wait_for(&stream, Duration::from_secs(15)).await;
        wait.with_context(|| self.streams[&n].publisher.last_lines())?;
        let url = self.node.rtsp(&stream)?;
        let user = format!("r{n}");
        let url = url.replace("rtsp://", &format!("rtsp://{user}:{}@", password(&user)));
        let reader = oracle::open(&url, Over::Tcp).await?.play().await?;
        let (enough, stop) = oneshot::channel();
        let task = tokio::spawn(read_until(reader, stop));
        let stream = self.streams.get_mut(&n).context("it is not sent")?;
        stream.reader = task;
        stream.enough = enough;
        Ok(())
    }

    /// Ends a stream's publisher and reader and judges what was read up to now; `disturbed`: the change was about it.
    pub(super) async fn end(&mut self, n: usize, disturbed: bool) -> Result<usize> {
        let stream = self.streams.remove(&n).context("it is not sent")?;
        // A reader that was closed does not listen any more.
        stream.enough.send(()).ok();
        let (units, ended) = tokio::time::timeout(SOON, stream.reader)
            .await
            .with_context(|| format!("the reader of s{n} hangs"))???;
        ensure!(
            disturbed || !ended,
            "the reader of s{n} was closed after {} units",
            units.len()
        );
        oracle::exact(&self.clip.units, &units).with_context(|| format!("s{n}"))?;
        ensure!(units.len() > 5, "s{n}: {} units", units.len());
        drop(stream.publisher);
        Ok(units.len())
    }

    /// Ends the reader alone, and reads anew.
    pub(super) async fn read_again(&mut self, n: usize) -> Result<()> {
        let stream = self.streams.get_mut(&n).context("it is not sent")?;
        let task = std::mem::replace(
            &mut stream.reader,
            tokio::spawn(async { Ok((Vec::new(), false)) }),
        );
        let (enough, _) = oneshot::channel();
        std::mem::replace(&mut stream.enough, enough).send(()).ok();
        let (units, ended) = task.await??;
        ensure!(ended, "the reader of s{n} was not closed");
        oracle::exact(&self.clip.units, &units).with_context(|| format!("s{n}"))?;
        self.read(n).await
    }

    /// Who is there now.
    pub(super) async fn sessions(&self) -> Result<Sessions> {
        let mut all = Sessions::new();
        for (kind, word) in [("publisher", "webrtcsessions"), ("reader", "rtspsessions")] {
            let list = http::get(&self.api_address()?, &format!("/v3/{word}/list"))
                .await?
                .json()?;
            for item in list["items"].as_array().context("a list")? {
                let (id, path) = (item["id"].as_str(), item["path"].as_str());
                let path = path.unwrap_or_default().to_owned();
                all.insert(id.unwrap_or_default().to_owned(), (kind, path));
            }
        }
        Ok(all)
    }

    /// Everybody, once the lists show a publisher and a reader of each stream of `of`: they are a moment old.
    pub(super) async fn everybody(&self, of: &[usize]) -> Result<Sessions> {
        until(
            "a publisher and a reader of each stream in the lists",
            SOON,
            || async {
                let now = self.sessions().await.ok()?;
                let there = |kind, n: &usize| now.values().any(|who| *who == (kind, format!("s{n}")));
                let all = of.iter().all(|n| there("publisher", n) && there("reader", n));
                all.then_some(now)
            },
        )
        .await
    }

    /// Waits until exactly these of `before` are gone, and says so if others go as well. Each must have been closed because it
    /// is not allowed.
    pub(super) async fn gone(&self, before: &Sessions, touched: &[(&'static str, String)]) -> Result<()> {
        let missing = |now: &Sessions| -> Vec<(String, (&'static str, String))> {
            let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
            gone.map(|(id, what)| (id.clone(), what.clone())).collect()
        };
        let ended = until("the end of what is touched", SOON, || async {
            let gone = missing(&self.sessions().await.ok()?);
            (gone.len() >= touched.len()).then_some(())
        });
        ended
            .await
            .with_context(|| format!("{touched:?}\n{}", self.node_lines()))?;
        // Nobody else follows them.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let gone = missing(&self.sessions().await?);
        let mut who: Vec<_> = gone.iter().map(|(_, what)| what.clone()).collect();
        let mut expected = touched.to_vec();
        who.sort();
        expected.sort();
        ensure!(
            who == expected,
            "ended {who:?}, touched {expected:?}\n{}",
            self.node_lines()
        );
        let log = self.log();
        for (id, what) in &gone {
            let said = |line: &str| line.contains(id.as_str()) && line.contains("not-allowed");
            ensure!(
                log.lines().any(said),
                "no line says that {what:?} is not allowed\n{}",
                self.node_lines()
            );
        }
        Ok(())
    }

    /// Which streams are there.
    pub(super) fn streams(&self) -> Vec<usize> {
        self.streams.keys().copied().collect()
    }
}

/// All units until it is told or the session ends, and whether it was the session's end.
async fn read_until(mut reader: Reader, mut stop: oneshot::Receiver<()>) -> Result<(Vec<ReadUnit>, bool)> {
    let mut units = Vec::new();
    loop {
        tokio::select! {
            _ = &mut stop => return Ok((units, false)),
            unit = reader.next() => match unit {
                Ok(Some(unit)) => units.push(unit),
                // The connection may go without a last word.
                Ok(None) | Err(_) => return Ok((units, true)),
            },
        }
    }
}

fn certificate(directory: &std::path::Path) -> Result<()> {
    let (key, new) = (directory.join("a.key"), directory.join("a.new"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-subj", "/CN=localhost", "-days", "2", "-keyout"])
        .arg(&new)
        .arg("-out")
        .arg(directory.join("a.crt"))
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::rename(&new, &key)?;
    Ok(())
}
