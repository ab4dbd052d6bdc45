//! The routes that change the configuration of the whole fabric, with MediaMTX's statuses.
//! Whether a change can be, and who keeps it, is decided by the node's configurator.

use super::{NotChanged, body, configurator};
use crate::error::Error;
use crate::orders::done;
use crate::routes::Control;
use actix_web::{HttpResponse, web};
use serde_json::Value;
use weft_config::{EditError, Scope, Verb};

type Answer = Result<HttpResponse, Error>;

/// `PATCH /v3/config/global/patch`.
pub(super) async fn patch_global(control: web::Data<Control>, payload: web::Payload) -> Answer {
    change(&control, Scope::Global, Verb::Patch, payload).await
}

/// `PATCH /v3/config/pathdefaults/patch`.
pub(super) async fn patch_path_defaults(control: web::Data<Control>, payload: web::Payload) -> Answer {
    change(&control, Scope::PathDefaults, Verb::Patch, payload).await
}

/// `POST /v3/config/paths/add/{name}`.
pub(super) async fn add_path(
    control: web::Data<Control>,
    name: web::Path<String>,
    payload: web::Payload,
) -> Answer {
    change(&control, path(&name)?, Verb::Add, payload).await
}

/// `PATCH /v3/config/paths/patch/{name}`.
pub(super) async fn patch_path(
    control: web::Data<Control>,
    name: web::Path<String>,
    payload: web::Payload,
) -> Answer {
    change(&control, path(&name)?, Verb::Patch, payload).await
}

/// `POST /v3/config/paths/replace/{name}`.
pub(super) async fn replace_path(
    control: web::Data<Control>,
    name: web::Path<String>,
    payload: web::Payload,
) -> Answer {
    change(&control, path(&name)?, Verb::Replace, payload).await
}

/// `DELETE /v3/config/paths/delete/{name}`.
pub(super) async fn delete_path(control: web::Data<Control>, name: web::Path<String>) -> Answer {
    make(&control, path(&name)?, Verb::Delete, Value::Null).await
}

fn path(name: &str) -> Result<Scope, Error> {
    if name.is_empty() {
        return Err(Error::BadRequest("invalid name".to_owned()));
    }
    Ok(Scope::Path(name.to_owned()))
}

async fn change(control: &Control, scope: Scope, verb: Verb, payload: web::Payload) -> Answer {
    configurator(control)?;
    let body = body::object(payload).await?;
    make(control, scope, verb, body).await
}

async fn make(control: &Control, scope: Scope, verb: Verb, body: Value) -> Answer {
    let changed = configurator(control)?.edit(scope.clone(), verb, body).await;
    match changed {
        Ok(()) => {
            tracing::info!(%scope, ?verb, "settings changed by the API");
            control.fabric.changed();
            Ok(done())
        }
        Err(NotChanged::Refused(EditError::NotFound)) => Err(Error::NotFound("path")),
        Err(NotChanged::Refused(refused)) => Err(Error::BadRequest(refused.to_string())),
        Err(NotChanged::Unavailable(why)) => Err(Error::Unavailable(why)),
    }
}
