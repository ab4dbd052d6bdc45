//! The table: each method by each action and protocol, with what is right, wrong, missing, for another path, or expired.
//! A stream that nobody publishes is read with 404 by whoever may: nothing needs media here.

use super::server::Server;
use super::shown::{Issuer, Shown, ask, describe, describe_by_digest};
use anyhow::{Context, Result, ensure};
use futures::future::{BoxFuture, FutureExt, join_all};
use serde_json::json;
use std::time::Duration;
use weft_testkit::node::{Node, Plan, Role};

/// `p`, as `printf p | openssl dgst -binary -sha256 | openssl base64` hashes it.
const SHA256: &str = "sha256:FI3pxaekTRnlbNmuGlVL9nhHr7DFj24S+imsfd/KmUA=";

/// What a client has to show under a method.
struct Means {
    right: Shown,
    wrong: Shown,
    /// Where tokens can expire.
    expired: Option<Shown>,
    /// Whether RTSP readers can use a digest.
    digest: bool,
}

impl Means {
    fn login(digest: bool) -> Self {
        Self {
            right: Shown::Login("u", "p"),
            wrong: Shown::Login("u", "q"),
            expired: None,
            digest,
        }
    }
}

/// A node with one user of this password, who may do everything with the streams below `exam/`.
async fn internal(password: &str, methods: &str) -> Result<Node> {
    let permissions =
        "[{action: publish, path: ~^exam/}, {action: read, path: ~^exam/}, {action: api}, {action: metrics}]";
    plan()
        .with(&format!(
            "authInternalUsers: [{{user: u, pass: '{password}', permissions: {permissions}}}]"
        ))
        .with(&format!("rtspAuthMethods: [{methods}]"))
        .start()
        .await
}

fn plan() -> Plan {
    // All clients here are one address.
    Plan::new(Role::Standalone).fabric("limits: {failedLogins: 0}")
}

/// A password hashed as the argon2 command prints it.
fn argon2(password: &str) -> Result<String> {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let failed = |error: argon2::password_hash::Error| anyhow::anyhow!("{error}");
    let salt = SaltString::encode_b64(b"saltsalt").map_err(failed)?;
    let hashed = argon2::Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hashed.map_err(failed)?.to_string())
}

/// One cell of the table: what is asked, and what comes back.
type Cell<'a> = (String, u16, BoxFuture<'a, Result<(u16, bool)>>);

/// Status, and whether it is asked who the client is.
fn outcome(response: &weft_testkit::http::Response) -> (u16, bool) {
    (response.status, response.header("www-authenticate").is_some())
}

async fn table(method: &str, node: &Node, means: &Means) -> Result<()> {
    let (webrtc, api) = (node.address("webrtc")?, node.address("api")?);
    let (rtsp, metrics) = (node.address("rtsp")?, node.address("metrics")?);
    let mut cells: Vec<Cell<'_>> = Vec::new();
    let mut shown = vec![
        ("right", &means.right, true),
        ("wrong", &means.wrong, false),
        ("none", &Shown::Nothing, false),
    ];
    if let Some(expired) = &means.expired {
        shown.push(("expired", expired, false));
    }
    for (what, shown, good) in shown {
        let status = |of: u16| if good { of } else { 401 };
        for (name, ok, verb, address, path) in [
            ("publish by WHIP", 201, "POST", webrtc, "/exam/1/whip"),
            ("publish, asked before", 204, "OPTIONS", webrtc, "/exam/1/whip"),
            ("the page", 200, "GET", webrtc, "/exam/1/publish"),
            ("the API", 200, "GET", api, "/v3/paths/list"),
            ("metrics", 200, "GET", metrics, "/metrics"),
        ] {
            let asked = async move { Ok(outcome(&ask(verb, address, path, shown).await?)) };
            cells.push((format!("{method}, {name}, {what}"), status(ok), asked.boxed()));
        }
        let in_url = async move {
            let path = format!("/exam/2/whip{}", shown.query());
            Ok(outcome(&ask("POST", webrtc, &path, &Shown::Nothing).await?))
        };
        cells.push((
            format!("{method}, publish by its URL, {what}"),
            status(201),
            in_url.boxed(),
        ));
        let basic = async move {
            let header = shown.header();
            Ok(outcome(&describe(rtsp, "exam/nobody", header.as_deref()).await?))
        };
        cells.push((
            format!("{method}, read by RTSP's header, {what}"),
            status(404),
            basic.boxed(),
        ));
        let in_url = async move {
            let path = format!("exam/nobody{}", shown.query());
            Ok(outcome(&describe(rtsp, &path, None).await?))
        };
        cells.push((
            format!("{method}, read by its URL, {what}"),
            status(404),
            in_url.boxed(),
        ));
        if let (true, Shown::Login(user, password)) = (means.digest, shown) {
            let digest = async move {
                Ok(outcome(
                    &describe_by_digest(rtsp, "exam/nobody", user, password).await?,
                ))
            };
            cells.push((
                format!("{method}, read by digest, {what}"),
                status(404),
                digest.boxed(),
            ));
        }
    }
    // Right, and not for this.
    let right = &means.right;
    let publish = async move { Ok(outcome(&ask("POST", webrtc, "/hall/whip", right).await?)) };
    cells.push((
        format!("{method}, publish another name, right"),
        401,
        publish.boxed(),
    ));
    let read = async move {
        let header = right.header();
        Ok(outcome(&describe(rtsp, "hall", header.as_deref()).await?))
    };
    cells.push((format!("{method}, read another name, right"), 401, read.boxed()));

    // At once: the pauses of wrong logins run side by side.
    let count = cells.len();
    let asked = cells.into_iter().map(|(what, expected, asked)| async move {
        let (status, challenged) = asked.await.with_context(|| what.clone())?;
        ensure!(status == expected, "{what}: {status}, not {expected}");
        let must = what.ends_with("none");
        ensure!(
            status != 401 || challenged == must,
            "{what}: challenged {challenged}"
        );
        anyhow::Ok(())
    });
    let failed: Vec<_> = join_all(asked)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    ensure!(failed.is_empty(), "{} of {count}: {failed:#?}", failed.len());
    Ok(())
}

/// What the node has written may hold none of it.
fn no_secret(node: &mut Node, secrets: &[&str]) -> Result<()> {
    let log = node.process().log();
    for secret in secrets {
        ensure!(!log.contains(secret), "'{secret}' in the log:\n{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_file_whatever_way_their_passwords_are_kept() -> Result<()> {
    let argon2 = format!("argon2:{}", argon2("p")?);
    for (method, password, digest) in [
        ("plain", "p", true),
        ("sha256", SHA256, false),
        ("argon2", argon2.as_str(), false),
    ] {
        let node = internal(password, if digest { "digest, basic" } else { "basic" }).await?;
        table(method, &node, &Means::login(digest)).await?;
        if !digest {
            let refused = internal(password, "digest")
                .await
                .err()
                .context("a digest of a hash")?;
            ensure!(format!("{refused:?}").contains("'digest' needs"), "{refused:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked() -> Result<()> {
    let server = Server::start(|body| {
        let asked: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let login = asked["user"] == "u" && asked["password"] == "p";
        let path = asked["path"].as_str().unwrap_or_default();
        let allowed = login && (path.is_empty() || path.starts_with("exam/"));
        (if allowed { 200 } else { 401 }, String::new(), Duration::ZERO)
    })
    .await?;
    let mut node = plan()
        .with("authMethod: http")
        .with(&format!("authHTTPAddress: {}", server.url()))
        .with("authHTTPExclude: []")
        .start()
        .await?;
    table("http", &node, &Means::login(false)).await?;
    no_secret(&mut node, &["pass=", "u:p"])
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens() -> Result<()> {
    let (issuer, stranger) = (Issuer::new()?, Issuer::new()?);
    let keys = issuer.keys();
    let server = Server::start(move |_| (200, keys.clone(), Duration::ZERO)).await?;
    let mut node = plan()
        .with("authMethod: jwt")
        .with(&format!("authJWTJWKS: {}", server.url()))
        .with("authJWTExclude: []")
        .start()
        .await?;
    let all = json!([
        {"action": "publish", "path": "~^exam/"}, {"action": "read", "path": "~^exam/"},
        {"action": "api"}, {"action": "metrics"},
    ]);
    let means = Means {
        right: issuer.token(all.clone(), 600)?,
        wrong: stranger.token(all.clone(), 600)?,
        expired: Some(issuer.token(all, -60)?),
        digest: false,
    };
    table("jwt", &node, &means).await?;

    // A student's token opens publishing of one name and nothing else, taking it over included.
    let student = issuer.token(json!([{"action": "publish", "path": "exam/7"}]), 600)?;
    let (webrtc, rtsp) = (node.address("webrtc")?, node.address("rtsp")?);
    for (verb, address, path, expected) in [
        ("POST", webrtc, "/exam/7/whip", 201),
        ("POST", webrtc, "/exam/7/whip", 201),
        ("POST", webrtc, "/exam/70/whip", 401),
        ("POST", webrtc, "/exam/7x/whip", 401),
        ("POST", webrtc, "/exam/8/whip", 401),
        ("OPTIONS", webrtc, "/exam/8/whip", 401),
        ("GET", node.address("api")?, "/v3/paths/list", 401),
        ("GET", node.address("metrics")?, "/metrics", 401),
    ] {
        let answer = ask(verb, address, path, &student).await?;
        ensure!(
            answer.status == expected,
            "{verb} {path}: {}, not {expected}",
            answer.status
        );
    }
    let header = student.header();
    let read = describe(rtsp, "exam/7", header.as_deref()).await?;
    ensure!(read.status == 401, "it reads: {}", read.status);
    no_secret(&mut node, &["eyJ", "jwt="])
}
