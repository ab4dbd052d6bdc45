//! How to reach NATS and who this node is there.
//! Reading it from a file is the configuration crate's work.

use crate::Error;
use async_nats::{ConnectOptions, ServerAddr};
use rand::Rng;
use std::path::PathBuf;
use std::time::Duration;
use weft_wire::NodeName;

/// How a node proves itself to the server.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all, or as the server's URL says.
    #[default]
    None,
    /// User and password.
    User {
        /// The user.
        user: String,
        /// Its password.
        password: String,
    },
    /// A token.
    Token(String),
    /// The seed of an nkey (`SU…`).
    NkeySeed(String),
    /// A `.creds` file with a user's JWT and seed.
    File(PathBuf),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::User { .. } => "user and password",
            Self::Token(_) => "token",
            Self::NkeySeed(_) => "nkey",
            Self::File(_) => "credentials file",
        })
    }
}

/// How the connection is protected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Refuse a server that does not offer TLS.
    pub required: bool,
    /// TLS before the server's first word (`handshake_first` at the server).
    pub first: bool,
    /// PEM file of the authorities to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of this node's certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Everything the NATS bus needs to know.
#[derive(Clone)]
pub struct NatsConfig {
    /// URLs, `nats://host:port` or `tls://host:port`; all servers of a cluster had better be named.
    pub servers: Vec<String>,
    /// `ingest`, `egress` or `standalone`: part of the inbox prefix that the server's permissions name.
    pub role: String,
    /// This node.
    pub node: NodeName,
    /// How it proves itself.
    pub credentials: Credentials,
    /// How the connection is protected.
    pub tls: Tls,
    /// Copies of the registry's buckets, where this node is the one to make them: 1, 3 or 5.
    pub replicas: usize,
    /// How long the mark of a removed name stays in its bucket.
    pub marker_life: Duration,
    /// How long a lease lives that is not renewed, where this node is the one to make their bucket; in tests less than
    /// [`LEASE_LIFE`](crate::LEASE_LIFE).
    pub lease_life: Duration,
    /// Messages of media the client holds for the server; beyond them units are dropped.
    pub queue: usize,
}

impl std::fmt::Debug for NatsConfig {
    /// Without the servers: their URLs may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsConfig")
            .field("role", &self.role)
            .field("node", &self.node)
            .field("credentials", &self.credentials)
            .field("tls", &self.tls)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

/// What of the client's settings is fixed by measurement, not by taste.
const PING: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const CONTROL_QUEUE: usize = 2048;
/// The listing of a large registry comes in one burst on the control connection.
const CONTROL_SUBSCRIPTION: usize = 16 * 1024;

/// Which of a node's two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Units, requests for units, and the questions to owners: one order for all of them.
    Media,
    /// The registry and everything that must not wait behind media.
    Control,
}

impl Purpose {
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Control => "control",
        }
    }
}

impl NatsConfig {
    /// The defaults for a node.
    #[must_use]
    pub fn new(servers: Vec<String>, role: &str, node: NodeName) -> Self {
        Self {
            servers,
            role: role.to_owned(),
            node,
            credentials: Credentials::None,
            tls: Tls::default(),
            replicas: 1,
            marker_life: Duration::from_secs(3600),
            lease_life: crate::LEASE_LIFE,
            queue: 2048,
        }
    }

    /// The servers' addresses without what must not be logged.
    pub(super) fn addresses(&self) -> Result<Vec<ServerAddr>, Error> {
        let parse = |server: &String| {
            let (scheme, rest) = server.split_once("://").unwrap_or(("nats", server));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}").parse().map_err(|e| {
                Error::Refused(format!(
                    "'{scheme}://{host}' is no address of a NATS server: {e}; write nats://host:4222"
                ))
            })
        };
        let addresses = self.servers.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(Error::Refused(
                "no NATS server is named; write nats://host:4222".into(),
            ));
        }
        Ok(addresses)
    }

    /// What this node proves itself with: as configured, else what the first URL that has it says.
    fn credentials(&self) -> Credentials {
        if self.credentials != Credentials::None {
            return self.credentials.clone();
        }
        let in_url = self.servers.iter().find_map(|server| {
            let rest = server.split_once("://").map_or(server.as_str(), |(_, rest)| rest);
            let (who, _) = rest.rsplit_once('@')?;
            Some(match who.split_once(':') {
                Some((user, password)) => Credentials::User {
                    user: weft_wire::percent_decoded(user),
                    password: weft_wire::percent_decoded(password),
                },
                None => Credentials::Token(weft_wire::percent_decoded(who)),
            })
        });
        in_url.unwrap_or_default()
    }

    /// The client's options for one of the connections.
    pub(super) async fn options(&self, purpose: Purpose) -> Result<ConnectOptions, Error> {
        let token = purpose.token();
        let node = self.node.escaped();
        let mut options = ConnectOptions::new()
            .name(format!("weft {} {} {token}", self.role, self.node))
            .custom_inbox_prefix(format!("_INBOX_weft.{}.{node}.{token}", self.role))
            .ping_interval(PING)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(CONNECT_TIMEOUT))
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempt| reconnect_delay(attempt, rand::rng().random_range(0.5..=1.0)))
            // Subjects are made of escaped names in one place; the media path checks none of them again.
            .skip_subject_validation(true);
        options = match purpose {
            Purpose::Media => options
                .subscription_capacity(crate::subscription::QUEUE)
                .client_capacity(self.queue),
            Purpose::Control => options
                .subscription_capacity(CONTROL_SUBSCRIPTION)
                .client_capacity(CONTROL_QUEUE),
        };
        options = match self.credentials() {
            Credentials::None => options,
            Credentials::User { user, password } => options.user_and_password(user, password),
            Credentials::Token(token) => options.token(token),
            Credentials::NkeySeed(seed) => options.nkey(seed),
            Credentials::File(path) => options.credentials_file(&path).await.map_err(|e| {
                Error::Refused(format!(
                    "the NATS credentials file {} cannot be used: {e}",
                    path.display()
                ))
            })?,
        };
        // Where several providers of cryptography are linked in, TLS has none until one is named; whoever came first stays.
        let _already = async_nats::rustls::crypto::ring::default_provider().install_default();
        if let Some(authorities) = &self.tls.authorities {
            options = options.add_root_certificates(authorities.clone());
        }
        if let Some((certificate, key)) = &self.tls.identity {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if self.tls.first {
            options = options.tls_first();
        }
        if self.tls.required {
            options = options.require_tls(true);
        }
        Ok(options)
    }
}

/// Time before the `attempt`th try (from 1): min(20 ms × attempt, 250 ms), spread by `spread` so that a thousand nodes do
/// not come back in one instant.
fn reconnect_delay(attempt: usize, spread: f64) -> Duration {
    let millis = attempt.saturating_mul(20).min(250);
    Duration::from_millis(millis as u64).mul_f64(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(server: &str) -> NatsConfig {
        NatsConfig::new(vec![server.into()], "ingest", NodeName::new("n1").unwrap())
    }

    #[test]
    fn the_delay_between_attempts_rises_to_a_quarter_second() {
        let delays: Vec<u128> = [1, 2, 12, 13, 1000, usize::MAX]
            .map(|n| reconnect_delay(n, 1.0).as_millis())
            .to_vec();
        assert_eq!(delays, [20, 40, 240, 250, 250, 250]);
        assert_eq!(reconnect_delay(2, 0.5), Duration::from_millis(20));
    }

    #[test]
    fn credentials_in_the_url_are_used_and_not_shown() {
        let c = config("nats://joe:s3cret@host:4222");
        assert_eq!(
            c.credentials(),
            Credentials::User {
                user: "joe".into(),
                password: "s3cret".into()
            }
        );
        assert_eq!(c.addresses().unwrap()[0].as_url_str(), "nats://host:4222");
        assert_eq!(
            config("nats://tok@host").credentials(),
            Credentials::Token("tok".into())
        );
        assert!(!format!("{:?}", c.credentials()).contains("s3cret"));
        let encoded = config("nats://joe:p%40ss%2F100%@host");
        let Credentials::User { password, .. } = encoded.credentials() else {
            panic!("user and password");
        };
        assert_eq!(password, "p@ss/100%");
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_what_to_write() {
        let error = config("http://joe:s3cret@host")
            .addresses()
            .unwrap_err()
            .to_string();
        assert!(error.contains("nats://host:4222"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
