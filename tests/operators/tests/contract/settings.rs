//! Section 2 of the contract: `/v3/config`. What a setting does is tested in `reload`, that it is kept as well.
//! Only names, statuses and shapes are judged here.

use super::fields::check;
use super::place::Place;
use super::row::{Body, Row, row};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

const OK: Body = Body::Json(r#"{"status":"ok"}"#);
const GLOBAL: &str = "§2 GET /v3/config/global/get ; PATCH .../patch";
const DEFAULTS: &str = "§2 GET /v3/config/pathdefaults/get ; PATCH .../patch";
const LIST: &str = "§2 GET /v3/config/paths/list";
const GET: &str = "§2 GET /v3/config/paths/get/{name}";
const ADD: &str = "§2 POST /v3/config/paths/add/{name}";
const CHANGE: &str = "§2 PATCH .../patch/{name} ; POST .../replace/{name} ; DELETE .../delete/{name}";
const OLD: &str = "§0 GET /v3/config/get";
const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

fn global(global: &Value) -> Result<()> {
    let fields = [
        ("logLevel", "string"),
        ("readTimeout", "string"),
        ("writeTimeout", "string"),
        ("api", "bool"),
        ("apiAddress", "string"),
        ("rtspAddress", "string"),
        ("authMethod", "string"),
        ("authInternalUsers", "array"),
    ];
    check(global, &fields)?;
    ensure!(
        global["paths"].is_null() && global["pathDefaults"].is_null(),
        "only what is above the paths"
    );
    Ok(())
}

const PATH: &[(&str, &str)] = &[
    ("source", "string"),
    ("sourceOnDemand", "bool"),
    ("maxReaders", "uint"),
    ("overridePublisher", "bool"),
    ("runOnDemandStartTimeout", "string"),
];

fn path(path: &Value) -> Result<()> {
    check(path, PATH)?;
    ensure!(path["name"] == "hall", "its name");
    Ok(())
}

fn list(list: &Value) -> Result<()> {
    let names: Vec<&str> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| p["name"].as_str())
        .collect();
    ensure!(names == ["all_others", "hall"], "by name: {names:?}");
    Ok(())
}

fn three(path: &Value) -> Result<()> {
    ensure!(path["maxReaders"] == 3 && path["name"] == "room", "what was set");
    Ok(())
}

fn none_left(path: &Value) -> Result<()> {
    ensure!(path["maxReaders"] == 0, "what was not given again is its default");
    Ok(())
}

fn all(all: &Value) -> Result<()> {
    ensure!(
        all["paths"]["hall"].is_object() && all["pathDefaults"].is_object(),
        "everything"
    );
    Ok(())
}

const ROWS: &[Row] = &[
    row(GLOBAL, "GET /v3/config/global/get", 200, Body::Good(global)),
    row(GLOBAL, "PATCH /v3/config/global/patch", 200, OK)
        .with(JSON)
        .sends(r#"{"logLevel":"debug"}"#),
    row(GLOBAL, "PATCH /v3/config/global/patch", 400, Body::SomeError)
        .with(JSON)
        .sends(r#"{"logLevel":"loud"}"#),
    row(GLOBAL, "PATCH /v3/config/global/patch", 400, Body::SomeError)
        .with(JSON)
        .sends(r#"{"logLevl":"info"}"#),
    row(GLOBAL, "PATCH /v3/config/global/patch", 400, Body::SomeError)
        .with(JSON)
        .sends("no JSON"),
    row(
        DEFAULTS,
        "GET /v3/config/pathdefaults/get",
        200,
        Body::Good(|p| check(p, PATH)),
    ),
    row(DEFAULTS, "PATCH /v3/config/pathdefaults/patch", 200, OK)
        .with(JSON)
        .sends(r#"{"runOnDemandStartTimeout":"9s"}"#),
    row(
        DEFAULTS,
        "PATCH /v3/config/pathdefaults/patch",
        400,
        Body::SomeError,
    )
    .with(JSON)
    .sends(r#"{"maxReaders":"x"}"#),
    row(LIST, "GET /v3/config/paths/list", 200, Body::Good(list)),
    row(
        LIST,
        "GET /v3/config/paths/list?itemsPerPage=0",
        400,
        Body::Error("invalid items per page"),
    ),
    row(GET, "GET /v3/config/paths/get/hall", 200, Body::Good(path)),
    row(
        GET,
        "GET /v3/config/paths/get/attic",
        404,
        Body::Error("path configuration not found"),
    ),
    row(
        ADD,
        "POST /v3/config/paths/add/hall",
        400,
        Body::Error("path already exists"),
    )
    .with(JSON)
    .sends("{}"),
    row(ADD, "POST /v3/config/paths/add/room", 400, Body::SomeError)
        .with(JSON)
        .sends(r#"{"nonsense":1}"#),
    row(ADD, "POST /v3/config/paths/add/room", 200, OK)
        .with(JSON)
        .sends(r#"{"maxReaders":3}"#),
    row(GET, "GET /v3/config/paths/get/room", 200, Body::Good(three)),
    row(CHANGE, "PATCH /v3/config/paths/patch/room", 200, OK)
        .with(JSON)
        .sends(r#"{"runOnDemandCloseAfter":"5s"}"#),
    row(
        CHANGE,
        "PATCH /v3/config/paths/patch/attic",
        404,
        Body::Error("path not found"),
    )
    .with(JSON)
    .sends("{}"),
    row(CHANGE, "PATCH /v3/config/paths/patch/room", 400, Body::SomeError)
        .with(JSON)
        .sends(r#"{"maxReaders":-1}"#),
    row(CHANGE, "POST /v3/config/paths/replace/room", 200, OK)
        .with(JSON)
        .sends(r#"{"sourceOnDemand":false}"#),
    row(GET, "GET /v3/config/paths/get/room", 200, Body::Good(none_left)),
    row(CHANGE, "POST /v3/config/paths/replace/cellar", 200, OK)
        .with(JSON)
        .sends("{}"),
    row(CHANGE, "DELETE /v3/config/paths/delete/room", 200, OK),
    row(CHANGE, "DELETE /v3/config/paths/delete/cellar", 200, OK),
    row(
        CHANGE,
        "DELETE /v3/config/paths/delete/room",
        404,
        Body::Error("path not found"),
    ),
    row(OLD, "GET /v3/config/get", 200, Body::Good(all)).told(&[("Weft-Notice", "*")]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_settings_holds_on_one_node() -> Result<()> {
    let place = Place::alone().await?;
    let (at, address) = place.faces.first().context("a face")?;
    for row in ROWS {
        row.ask(at, address, &place.names).await?;
    }
    Ok(())
}
