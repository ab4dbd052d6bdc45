//! Whether the process lives and whether it should get work: for load balancers, orchestrators and tests.
//! What makes a node not ready is the node's to say.

use crate::routes::Control;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

/// The body of a health answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
    let problems = problems(&control);
    if problems.is_empty() {
        HttpResponse::Ok().json(health(&control, problems))
    } else {
        HttpResponse::ServiceUnavailable().json(health(&control, problems))
    }
}

/// The node's own problems, and what its view of the others says.
pub(crate) fn problems(control: &Control) -> Vec<String> {
    let mut problems = control.node.problems();
    let fabric = &control.fabric;
    if problems.is_empty() && fabric.members().own().draining {
        problems.push("the node is draining: it takes nobody new".to_owned());
    }
    // That the bus is away is named by the node.
    if let Some(age) = fabric.blind().filter(|_| !fabric.is_away()) {
        problems.push(format!(
            "the view of the other nodes is {} s old: the table of nodes is out of reach",
            age.as_secs()
        ));
    }
    problems
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
