//! `GET /v3/info`: which program this is and since when it runs.
//! Fields are MediaMTX's.

use crate::rfc3339;
use crate::routes::Control;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

/// The program.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Info {
    version: &'static str,
    /// RFC 3339.
    started: String,
}

pub(crate) async fn info(control: web::Data<Control>) -> HttpResponse {
    let identity = control.node.identity();
    HttpResponse::Ok().json(Info {
        version: identity.version,
        started: rfc3339::from_system(identity.started),
    })
}
