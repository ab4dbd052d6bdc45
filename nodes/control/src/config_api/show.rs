//! The routes that show the configuration as it is in force, secrets redacted.
//! Its form is made by the config crate.

use super::configurator;
use crate::error::Error;
use crate::notice::OldName;
use crate::page::PageQuery;
use crate::routes::Control;
use actix_web::{HttpResponse, web};
use serde_json::{Map, Value};

/// `GET /v3/config/global/get`.
pub(super) async fn global(control: web::Data<Control>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(configurator(&control)?.layers().global()))
}

/// `GET /v3/config/pathdefaults/get`.
pub(super) async fn path_defaults(control: web::Data<Control>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(configurator(&control)?.layers().path_defaults()))
}

/// `GET /v3/config/paths/list`.
pub(super) async fn paths(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Error> {
    let paths = configurator(&control)?.layers().paths();
    Ok(HttpResponse::Ok().json(query.cut(paths)?))
}

/// `GET /v3/config/paths/get/{name}`.
pub(super) async fn path(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let path = configurator(&control)?.layers().path(&name);
    let path = path.ok_or(Error::NotFound("path configuration"))?;
    Ok(HttpResponse::Ok().json(path))
}

static ALL: OldName = OldName::new(
    "GET /v3/config/get",
    "GET /v3/config/global/get, /v3/config/pathdefaults/get and /v3/config/paths/list are the routes of today",
);

/// `GET /v3/config/get`, of servers before v3: the keys above the paths, and under `paths` each path by its name.
pub(super) async fn all(control: web::Data<Control>) -> Result<HttpResponse, Error> {
    let layers = configurator(&control)?.layers();
    let mut all = match layers.global() {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    let named = |path: Value| Some((path.get("name")?.as_str()?.to_owned(), path));
    let paths: Map<String, Value> = layers.paths().into_iter().filter_map(named).collect();
    all.insert("pathDefaults".to_owned(), layers.path_defaults());
    all.insert("paths".to_owned(), Value::Object(paths));
    Ok(ALL.on(HttpResponse::Ok().json(all)))
}
