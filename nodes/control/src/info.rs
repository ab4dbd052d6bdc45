//! `GET /v3/info`: which program this is and since when it runs.
//! Fields are MediaMTX's.

use crate::rfc3339;
use crate::routes::Control;
use actix_web::{HttpResponse, web};
use serde_json::json;

pub(crate) async fn info(control: web::Data<Control>) -> HttpResponse {
    let identity = control.node.identity();
    HttpResponse::Ok().json(json!({
        "version": identity.version,
        "started": rfc3339::from_system(identity.started),
    }))
}
