//! Nothing that somebody keeps secret is in a log at its most talkative, in metrics or in an answer of the API: credentials of
//! publishers and readers in every form, passwords of the configuration, session secrets. One ingest and one egress node.

use anyhow::{Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_bus::testing::{NatsServer, NatsServerOptions, ROLE_PASSWORD};
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::read::{self, Client};
use weft_testkit::{http, publish, tools, until};

const LIMIT: Duration = Duration::from_secs(30);

/// Users whose passwords are in the file.
const USERS: [&str; 3] = [
    "authInternalUsers:",
    "  - { user: any, permissions: [{ action: publish }, { action: read }, { action: api }, { action: metrics }] }",
    "  - { user: known, pass: hush-config-1, permissions: [{ action: publish }, { action: read }] }",
];

const ANSWERS: [&str; 10] = [
    "/v3/info",
    "/v3/paths/list",
    "/v3/webrtcsessions/list",
    "/v3/rtspsessions/list",
    "/v3/rtspconns/list",
    "/v3/nodes/list",
    "/v3/config/global/get",
    "/v3/config/get",
    "/v3/config/pathdefaults/get",
    "/v3/config/paths/list",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_metrics_or_answers() -> Result<()> {
    let nats = NatsServer::start_with(NatsServerOptions {
        roles: true,
        ..NatsServerOptions::default()
    })
    .await?;
    let plan = |role, user: &str| {
        let mut plan = Plan::new(role)
            .nats(
                &nats
                    .url()
                    .replace("nats://", &format!("nats://{user}:{ROLE_PASSWORD}@")),
            )
            .named(user)
            .with("logLevel: debug");
        for line in USERS {
            plan = plan.with(line);
        }
        plan
    };
    let mut ingest = plan(Role::Ingest, "ingest").start().await?;
    let mut egress = plan(Role::Egress, "egress").start().await?;
    let clip = fixture::clip(MINUTE)?;
    let web = ingest.address("webrtc")?.to_owned();
    let mut publishers = vec![
        publish::ffmpeg_copy(
            &format!("http://{web}/a/whip?token=hush-token-2&jwt=hush-jwt-3&pass=hush-pass-4"),
            &clip,
        )?,
        publish::ffmpeg_copy(&format!("http://known:hush-config-1@{web}/b/whip"), &clip)?,
    ];
    let mut bearer = Command::new(tools::weft()?);
    bearer.args([
        "publish",
        "--to",
        &format!("http://{web}"),
        "--stream",
        "c",
        "--token",
        "hush-bearer-5",
    ]);
    publishers.push(Process::spawn("weft-publish", bearer)?);
    for stream in ["a", "b", "c"] {
        ingest.wait_for(stream, LIMIT).await?;
    }
    let rtsp = egress.address("rtsp")?.to_owned();
    for url in [
        format!("rtsp://{rtsp}/a?token=hush-token-6&jwt=hush-jwt-7"),
        format!("rtsp://known:hush-config-1@{rtsp}/b"),
        format!("rtsp://someone:hush-basic-8@{rtsp}/c"),
    ] {
        read::read(Client::PyAv, &url, 20, LIMIT).await?.judge(20)?;
    }
    let mut reading = Vec::new();
    for (name, url) in [
        (
            "one",
            format!("rtsp://{rtsp}/a?token=hush-token-6&jwt=hush-jwt-7"),
        ),
        ("two", format!("rtsp://known:hush-config-1@{rtsp}/b")),
    ] {
        let mut ffmpeg = Command::new(tools::ffmpeg()?);
        ffmpeg.args([
            "-loglevel",
            "error",
            "-nostdin",
            "-rtsp_transport",
            "tcp",
            "-i",
            &url,
            "-f",
            "null",
            "-",
        ]);
        reading.push(Process::spawn(name, ffmpeg)?);
    }
    until("two readers", LIMIT, || async {
        let readers = egress.metric("rtsp_sessions").await.ok()??;
        (readers >= 2.0).then_some(())
    })
    .await?;
    // Wrong ones too: what is refused is logged as well.
    let basic = [("Authorization", "Basic c29tZW9uZTpodXNoLXdyb25nLTk=")];
    for address in [
        &web,
        &ingest.address("api")?.to_owned(),
        &egress.address("api")?.to_owned(),
    ] {
        for place in [
            "/d/whip?jwt=hush-jwt-10",
            "/v3/paths/get/nothing?token=hush-token-11",
        ] {
            http::request("POST", address, place, &basic, b"no offer").await?;
        }
    }
    let mut shown = Vec::new();
    for node in [&ingest, &egress] {
        for place in ANSWERS {
            let answer = http::get(node.address("api")?, place).await?;
            ensure!(answer.status < 500, "{place}: {}", answer.status);
            shown.push((place.to_owned(), answer.text()));
        }
        let metrics = http::get(node.address("metrics")?, "/metrics").await?;
        ensure!(metrics.status == 200);
        shown.push(("/metrics".to_owned(), metrics.text()));
    }
    let seen = |name: &str| shown.iter().any(|(_, text)| text.contains(name));
    ensure!(
        seen("\"a\"") && seen("\"b\"") && seen("\"c\""),
        "the streams are not listed"
    );
    drop((publishers, reading));
    ingest
        .process()
        .wait_for_line("publisher closed", Duration::from_secs(45))
        .await
        .ok();
    for (name, node) in [("ingest", &mut ingest), ("egress", &mut egress)] {
        ensure!(node.terminate(Duration::from_secs(20)).await? == Some(0));
        shown.push((format!("log of {name}"), node.process().log()));
    }
    // c29tZW9uZTpodXNo: the beginning of that login in base64; a3Jub3... of the known one.
    let secrets = ["hush-", ROLE_PASSWORD, "c29tZW9uZTpodXNo", "a25vd246aHVzaC"];
    for (place, text) in &shown {
        for secret in secrets {
            let line = text.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "{secret} in {place}: {line:?}");
        }
    }
    Ok(())
}
