//! `weft health`: asks a node whether it wants new work, for container images that have no other program to ask with.
//! What makes a node ready is the node's to say.

use crate::command::say;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;
use url::{Host, Url};
use weft_config::{Config, Encryption};

/// What an answer may take.
const LIMIT: Duration = Duration::from_secs(4);

/// Where a node answers.
const PLACE: &str = "/v3/node/ready";

/// Where this host's node with that configuration answers.
///
/// # Errors
/// When it has no control API.
pub(crate) fn own_url(config: &Config) -> Result<String, String> {
    if !config.api {
        return Err("health: this configuration has no control API (api: no); give a URL".to_owned());
    }
    let scheme = match config.api_tls.encryption {
        Encryption::No => "http",
        Encryption::Optional | Encryption::Strict => "https",
    };
    let mut address = config.api_address.to_socket_addr();
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    Ok(format!("{scheme}://{address}{PLACE}"))
}

/// Asks, says what is wrong, and gives the exit code.
pub(crate) fn ask(url: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(answer(url)));
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("{why}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn answer(url: &str) -> Result<(), String> {
    let mut url = Url::parse(url).map_err(|_| {
        format!(
            "'{url}' is no URL; write http://HOST:9997, or weft FILE health for the node of a configuration"
        )
    })?;
    if url.path() == "/" {
        url.set_path(PLACE);
    }
    // Fails where one is chosen already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder()
        .timeout(LIMIT)
        .no_proxy()
        // A certificate is seldom made out to 127.0.0.1, and nothing secret is sent.
        .tls_danger_accept_invalid_certs(is_own(&url))
        .build()
        .map_err(|error| error.to_string())?;
    let asked = url.clone();
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|error| format!("no answer from {asked}: {}", cause(&error)))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(format!("{status}: {body}"))
}

/// The innermost reason: the others say only that something was sent.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}

fn is_own(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_nobody_is_told_whom_and_why() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let why = answer(&url).await.unwrap_err();
        assert!(why.contains(&url) && why.contains("refused"), "{why}");
        let why = answer("weft.yml").await.unwrap_err();
        assert!(why.contains("weft FILE health"), "{why}");
    }

    #[test]
    fn a_node_is_asked_where_its_configuration_says_it_answers() {
        let config = Config::default();
        assert_eq!(own_url(&config).unwrap(), "http://127.0.0.1:9997/v3/node/ready");
        let config = Config::parse("apiAddress: 127.0.0.2:7", "test").unwrap();
        assert_eq!(own_url(&config).unwrap(), "http://127.0.0.2:7/v3/node/ready");
        let mut config = Config::default();
        config.api_tls.encryption = Encryption::Strict;
        assert!(own_url(&config).unwrap().starts_with("https://127.0.0.1:"));
        config.api = false;
        assert!(own_url(&config).unwrap_err().contains("api: no"));
    }
}
