//! Files that cannot be used, and files that say what cannot change while a node runs: what was in force stays.
//! Each is judged by a live stream beside it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use weft_testkit::fixture::{self, LIGHT};
use weft_testkit::http;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::publish;

use super::world::call;

const SOON: Duration = Duration::from_secs(5);

async fn global(node: &Node) -> Result<Value> {
    http::get(node.address("api")?, "/v3/config/global/get")
        .await?
        .json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_changes_nothing_and_what_needs_a_restart_is_said_once() {
    broken().await.unwrap();
}

async fn broken() -> Result<()> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(LIGHT)?;
    let _publisher = publish::ffmpeg_copy(&node.whip("s")?, &clip)?;
    node.wait_for("s", Duration::from_secs(15)).await?;
    let mut reader = oracle::open(&node.rtsp("s")?, Over::Tcp).await?.play().await?;
    let file = node.address_file().with_extension("yml");
    let good = std::fs::read_to_string(&file)?;
    for (text, said) in [
        (format!("{good}\nnoSuchKey: 1\n"), "noSuchKey"),
        (good.replace("fabric:", "fabric: [\n"), "cannot be used"),
        (format!("{good}\nlogLevel: loud\n"), "logLevel"),
    ] {
        let before = node.log().len();
        std::fs::write(&file, text)?;
        let heard = weft_testkit::until(said, SOON, || {
            let log = node.log();
            let heard = log[before..].contains("the configuration file cannot be used")
                && log[before..].contains(said);
            std::future::ready(heard.then_some(()))
        });
        heard.await.with_context(|| node.log())?;
    }
    // Gone for a while, as with an editor that removes first.
    std::fs::remove_file(&file)?;
    node.process().wait_for_line("cannot be read", SOON).await?;
    let api = node.address("api")?.to_owned();
    ensure!(global(&node).await?["logLevel"] == "info");
    // An API change goes on working while the file is away.
    let patched = call(
        &api,
        "PATCH",
        "/v3/config/global/patch",
        &json!({"logLevel": "debug"}),
    )
    .await?;
    ensure!(patched.status == 200, "{}", patched.text());
    ensure!(global(&node).await?["logLevel"] == "debug");
    let port = format!("{good}\nwebrtcAdditionalHosts: [192.0.2.7]\n");
    std::fs::write(&file, &port)?;
    node.process()
        .wait_for_line("restart needed for: webrtcAdditionalHosts", SOON)
        .await?;
    std::fs::write(
        &file,
        format!("{port}webrtcAllowOrigins: ['https://a.example']\n"),
    )?;
    node.process().wait_for_line("webrtcAllowOrigins", SOON).await?;
    ensure!(
        node.log().matches("restart needed").count() == 1,
        "{}",
        node.log()
    );
    let units = reader
        .read_for(Duration::from_secs(1))
        .await
        .context("the live stream")?;
    oracle::exact(&clip.units, &units)?;
    ensure!(!node.log().contains("not-allowed"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_refuses_changes_nothing_and_says_why() {
    refused().await.unwrap();
}

async fn refused() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let api = node.address("api")?.to_owned();
    let before = global(&node).await?;
    for (method, path, body, status, said) in [
        (
            "PATCH",
            "global/patch",
            json!({"noSuch": 1}),
            400,
            "json: unknown field \\\"noSuch\\\"",
        ),
        (
            "PATCH",
            "global/patch",
            json!({"rtspAddress": ":1"}),
            400,
            "rtspAddress",
        ),
        (
            "PATCH",
            "global/patch",
            json!({"logLevel": "loud"}),
            400,
            "logLevel",
        ),
        ("PATCH", "global/patch", json!([1]), 400, "object"),
        (
            "PATCH",
            "pathdefaults/patch",
            json!({"maxReaders": "many"}),
            400,
            "maxReaders",
        ),
        (
            "POST",
            "paths/add/a/b",
            json!({"nope": 1}),
            400,
            "json: unknown field \\\"nope\\\"",
        ),
        ("POST", "paths/add/~(", json!({}), 400, ""),
        (
            "POST",
            "paths/add/all_others",
            json!({}),
            400,
            "path already exists",
        ),
        ("POST", "paths/add/", json!({}), 400, "invalid name"),
        (
            "PATCH",
            "paths/patch/none",
            json!({"maxReaders": 1}),
            404,
            "path not found",
        ),
        ("DELETE", "paths/delete/none", Value::Null, 404, "path not found"),
        (
            "GET",
            "paths/get/none",
            Value::Null,
            404,
            "path configuration not found",
        ),
        (
            "GET",
            "paths/list?itemsPerPage=0",
            Value::Null,
            400,
            "invalid items per page",
        ),
        ("GET", "global/patch", Value::Null, 404, "404 page not found"),
    ] {
        let answer = call(&api, method, &format!("/v3/config/{path}"), &body).await?;
        let (got, text) = (answer.status, answer.text());
        ensure!(
            got == status && text.contains(said),
            "{method} {path} {body}: {got} {text}"
        );
    }
    let long = json!({"runOnInit": "x".repeat(200 * 1024)});
    let answer = call(&api, "POST", "/v3/config/paths/add/long", &long).await?;
    ensure!(answer.status == 413, "{}", answer.status);
    let torn = http::request("PATCH", &api, "/v3/config/global/patch", &[], b"{\"logLevel\":").await?;
    ensure!(torn.status == 400, "{}", torn.text());
    ensure!(global(&node).await? == before, "nothing has changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_lives_through_add_get_patch_replace_and_delete_as_in_mediamtx() {
    life().await.unwrap();
}

async fn life() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let api = node.address("api")?.to_owned();
    let ask = async |method: &str, path: &str, body: Value| {
        call(&api, method, &format!("/v3/config/paths/{path}"), &body).await
    };
    let path =
        async |name: &str| -> Result<Value> { ask("GET", &format!("get/{name}"), Value::Null).await?.json() };
    let name = "exam/1/cam";
    let added = ask(
        "POST",
        &format!("add/{name}"),
        json!({"maxReaders": 2, "runOnDemandCloseAfter": "1m"}),
    )
    .await?;
    ensure!(
        added.status == 200 && added.json()? == json!({"status": "ok"}),
        "{}",
        added.text()
    );
    let got = path(name).await?;
    ensure!(got["name"] == name && got["maxReaders"] == 2, "{got}");
    let again = ask("POST", &format!("add/{name}"), json!({})).await?;
    ensure!(
        again.status == 400 && again.text().contains("path already exists"),
        "{}",
        again.text()
    );
    ask(
        "PATCH",
        &format!("patch/{name}"),
        json!({"overridePublisher": false}),
    )
    .await?;
    let got = path(name).await?;
    ensure!(
        got["maxReaders"] == 2 && got["overridePublisher"] == false,
        "{got}"
    );
    ask("POST", &format!("replace/{name}"), json!({"maxReaders": 7})).await?;
    let got = path(name).await?;
    ensure!(
        got["maxReaders"] == 7 && got["overridePublisher"] == true,
        "{got}"
    );
    let list = ask("GET", "list", Value::Null).await?.json()?;
    let names: Vec<_> = list["items"]
        .as_array()
        .context("items")?
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    ensure!(list["itemCount"] == 2 && names == ["all_others", name], "{list}");
    let deleted = ask("DELETE", &format!("delete/{name}"), Value::Null).await?;
    ensure!(deleted.status == 200, "{}", deleted.text());
    ensure!(ask("GET", &format!("get/{name}"), Value::Null).await?.status == 404);
    // A path of the defaults can go too, and then a name without a path is refused.
    ensure!(ask("DELETE", "delete/all_others", Value::Null).await?.status == 200);
    let offer = http::request(
        "POST",
        node.address("webrtc")?,
        "/nobody/whip",
        &[("Content-Type", "application/sdp")],
        b"v=0\r\n",
    );
    let offer = offer.await?;
    ensure!(
        offer.status == 400 && offer.text().contains("not configured"),
        "{}",
        offer.text()
    );
    Ok(())
}
