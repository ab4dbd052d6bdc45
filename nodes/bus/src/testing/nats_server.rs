//! Starts a real nats-server on a free port with the shipped settings, and ends it by its process id.
//! Where the binary comes from is `tests/setup`'s business.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A server that has not opened its port by then will not.
const START: Duration = Duration::from_secs(15);

/// The password of the shipped users `ingest`, `egress` and `standalone` in tests.
pub const ROLE_PASSWORD: &str = "only-for-tests";

/// How the server differs from the shipped `compose/nats.conf`.
#[derive(Debug, Clone, Default)]
pub struct NatsServerOptions {
    /// `max_payload` in bytes; the shipped value if `None`.
    pub max_payload: Option<usize>,
    /// Without JetStream.
    pub no_jetstream: bool,
    /// With the shipped users and permissions; the password of each is [`ROLE_PASSWORD`]. Else everybody may do all.
    pub roles: bool,
    /// Further lines of configuration (authorization, TLS, cluster).
    pub extra: String,
}

/// A running nats-server; killed when dropped, and its store removed.
#[derive(Debug)]
pub struct NatsServer {
    child: Option<Child>,
    port: u16,
    directory: PathBuf,
    options: NatsServerOptions,
}

/// `<workspace>` of this repository.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn binary() -> io::Result<PathBuf> {
    let path = std::env::var_os("WEFT_NATS_SERVER")
        .map_or_else(|| workspace().join("target/tools/bin/nats-server"), PathBuf::from);
    if path.exists() {
        Ok(path)
    } else {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no nats-server at {}: run tests/setup", path.display()),
        ))
    }
}

impl NatsServer {
    /// Starts a server with the shipped settings and waits until it takes connections.
    ///
    /// # Errors
    /// If there is no binary (`tests/setup` installs it), or the server does not start.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(NatsServerOptions::default()).await
    }

    /// Starts a server with other settings.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: NatsServerOptions) -> io::Result<Self> {
        let mut server = Self::reserve(options)?;
        server.restart().await?;
        Ok(server)
    }

    /// Takes a port and a store for a server that is started later, by [`Self::restart`].
    ///
    /// # Errors
    /// If there is no free port or no place for its store.
    pub fn reserve(options: NatsServerOptions) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Released at once and taken by the server a moment later: it must be the same port after a restart.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("weft-nats-{}-{number}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            child: None,
            port,
            directory,
            options,
        })
    }

    /// Its address, as nodes are given it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Starts it (again) on its port with its store.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self) -> io::Result<()> {
        self.kill();
        let config = self.directory.join("nats.conf");
        std::fs::write(&config, self.configuration()?)?;
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))?;
        let child = Command::new(binary()?)
            .arg("--config")
            .arg(&config)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .envs(
                ["INGEST", "EGRESS", "STANDALONE"]
                    .map(|role| (format!("WEFT_{role}_PASSWORD"), ROLE_PASSWORD)),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        self.wait_until_it_listens().await
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only if it has ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Sends its process a signal by name, such as `STOP`, `CONT`, `TERM`.
    ///
    /// # Errors
    /// If it does not run.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let pid = self.pid().ok_or(io::ErrorKind::NotConnected)?;
        let sent = Command::new("kill")
            .args([format!("-{name}"), pid.to_string()])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill -{name} {pid} failed")))
        }
    }

    /// Ends it in good order (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// If it does not run, or does not end within 15 s.
    pub async fn terminate(&mut self) -> io::Result<()> {
        self.signal("TERM")?;
        let deadline = Instant::now() + START;
        while let Some(child) = &mut self.child {
            if child.try_wait()?.is_some() {
                self.child = None;
            } else if Instant::now() > deadline {
                return Err(io::Error::other("nats-server does not end at SIGTERM"));
            } else {
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    /// Removes its store, as a lost disk does; only while it does not run.
    ///
    /// # Errors
    /// If the store cannot be removed.
    pub fn wipe(&mut self) -> io::Result<()> {
        std::fs::remove_dir_all(self.directory.join("store"))
    }

    async fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port))
                .await
                .is_ok()
            {
                return Ok(());
            }
            let ended = match &mut self.child {
                Some(child) => child.try_wait()?.is_some(),
                None => true,
            };
            if ended || Instant::now() > deadline {
                let log = self.log();
                return Err(io::Error::other(format!("nats-server did not start:\n{log}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The shipped configuration with this server's differences; of a setting named twice the last counts.
    fn configuration(&self) -> io::Result<String> {
        let shipped = std::fs::read_to_string(workspace().join("compose/nats.conf"))?;
        let mut text: String = shipped
            .lines()
            .filter(|line| !line.starts_with("store_dir") && !line.starts_with("http"))
            .filter(|line| !(self.options.no_jetstream && line.starts_with("jetstream")))
            .filter({
                // The block runs from its name to the next brace that stands at the beginning of a line.
                let mut inside = false;
                move |line| {
                    let begins = line.starts_with("authorization");
                    let ends = inside && line.starts_with('}');
                    let kept = self.options.roles || !(inside || begins);
                    inside = (inside || begins) && !ends;
                    kept
                }
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        if !self.options.no_jetstream {
            text.push_str(&format!("store_dir: {:?}\n", self.directory.join("store")));
        }
        if let Some(max_payload) = self.options.max_payload {
            text.push_str(&format!("max_payload: {max_payload}\n"));
        }
        text.push_str(&self.options.extra);
        Ok(text)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        // What cannot be removed is in the temporary directory anyway.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
