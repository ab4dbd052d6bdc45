//! Whether the process lives and whether it should get work: for load balancers, orchestrators and tests.
//! What makes a node not ready is the node's to say.

use crate::routes::Control;
use actix_web::{HttpResponse, web};
use serde::Serialize;

/// The body of a health answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// `ok` or `error`.
    pub status: &'static str,
    /// The node's name.
    pub node: String,
    /// Its role.
    pub role: &'static str,
    /// What is wrong, in sentences; empty when nothing is.
    pub problems: Vec<String>,
}

/// 200 while requests are answered at all.
pub(crate) async fn live(control: web::Data<Control>) -> HttpResponse {
    HttpResponse::Ok().json(health(&control, Vec::new()))
}

/// 200 when new work is welcome, 503 with the reasons otherwise.
pub(crate) async fn ready(control: web::Data<Control>) -> HttpResponse {
    let problems = control.node.problems();
    if problems.is_empty() {
        HttpResponse::Ok().json(health(&control, problems))
    } else {
        HttpResponse::ServiceUnavailable().json(health(&control, problems))
    }
}

fn health(control: &Control, problems: Vec<String>) -> Health {
    let identity = control.node.identity();
    Health {
        status: if problems.is_empty() { "ok" } else { "error" },
        node: identity.name.to_string(),
        role: identity.role,
        problems,
    }
}
