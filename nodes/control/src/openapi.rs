//! The OpenAPI 3.1 file, written from the table of routes: what is served is what is documented.
//! The shapes of bodies come from their types.

use crate::endpoint::Endpoint;
use crate::error;
use crate::guard::PROBES;
use crate::page::Page;
use crate::table;
use actix_web::HttpResponse;
use actix_web::http::Method;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What every answer to who may not ask looks like.
const REFUSALS: [(u16, &str); 3] = [
    (
        401,
        "Who asks must show who it is, or what it shows is wrong or does not allow this",
    ),
    (
        429,
        "Too many failed logins or requests from this address; `Retry-After` says when to ask again",
    ),
    (
        503,
        "Who knows about users, or the node that has it, does not answer; `Retry-After` says when to ask again",
    ),
];

/// `GET /v3/openapi.json`.
pub(crate) async fn file() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// The whole file.
#[must_use]
pub fn document() -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let error = schemas.subschema_for::<error::Body>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in table::endpoints() {
        let place = format!("/v3{}", endpoint.path.replace(":.*", ""));
        let operation = operation(&endpoint, &place, &error, &mut schemas);
        let methods = paths.entry(place).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(endpoint.method.as_str().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weft control API",
            "description": "MediaMTX's v3 API over all nodes of a fabric, and what a fabric needs beside it.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "http://localhost:9997"}],
        "security": [{}, {"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

fn operation(endpoint: &Endpoint, place: &str, error: &Schema, schemas: &mut SchemaGenerator) -> Value {
    let words: Vec<&str> = endpoint.path.split('/').filter(|word| !word.is_empty()).collect();
    let tag = words.first().copied().unwrap_or_default();
    let named: Vec<String> = words
        .iter()
        .filter(|word| !word.starts_with('{'))
        .map(|word| word.replace(".json", ""))
        .collect();
    let mut operation = json!({
        "operationId": named.join("-"),
        "tags": [tag],
        "summary": endpoint.about,
        "parameters": parameters(endpoint, place),
        "responses": responses(endpoint, place, error, schemas),
    });
    if PROBES.contains(&place) {
        operation["security"] = json!([]);
    }
    if let Some((shape, about)) = endpoint.body {
        operation["requestBody"] = json!({
            "description": about,
            "required": true,
            "content": {"application/json": {"schema": shape(schemas)}},
        });
    }
    operation
}

fn parameters(endpoint: &Endpoint, place: &str) -> Vec<Value> {
    let mut parameters = Vec::new();
    for part in place.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        let (schema, about) = match name {
            "id" => (
                json!({"type": "string", "format": "uuid"}),
                "Its id, as lists show it",
            ),
            _ => (
                json!({"type": "string", "minLength": 1}),
                "Its name; slashes may stand there as they are",
            ),
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": schema, "description": about,
        }));
    }
    for query in &endpoint.queries {
        // Written beside the handlers as JSON; a test reads every one.
        let schema: Value = serde_json::from_str(query.schema).unwrap_or(Value::Bool(true));
        parameters.push(json!({
            "name": query.name, "in": "query", "required": false, "schema": schema, "description": query.about,
        }));
    }
    parameters
}

fn responses(endpoint: &Endpoint, place: &str, error: &Schema, schemas: &mut SchemaGenerator) -> Value {
    let mut responses: Map<String, Value> = Map::new();
    let json_body = |about: &str, schema: Value| json!({"description": about, "content": {"application/json": {"schema": schema}}});
    if !PROBES.contains(&place) {
        for (status, about) in REFUSALS {
            responses.insert(status.to_string(), json_body(about, json!(error)));
        }
        responses["401"]["headers"] = json!({"WWW-Authenticate": {
            "description": "Only where nothing was shown", "schema": {"type": "string"},
        }});
        for status in ["429", "503"] {
            responses[status]["headers"] = json!({"Retry-After": {
                "description": "Seconds", "schema": {"type": "integer"},
            }});
        }
    }
    if endpoint.method != Method::GET {
        let about =
            "A page of another site, which is not listed by its name in `apiAllowOrigins`, asks for a change";
        responses.insert("403".to_owned(), json_body(about, json!(error)));
    }
    for answer in &endpoint.answers {
        let schema = match answer.shape {
            None => json!(error),
            Some(shape) if endpoint.paged => list(shape(schemas), schemas),
            Some(shape) => json!(shape(schemas)),
        };
        let mut response = if endpoint.endless && answer.status == 200 {
            json!({"description": answer.about, "content": {"text/event-stream": {"schema": schema}}})
        } else {
            json_body(answer.about, schema)
        };
        if let Some(headers) = responses
            .get(&answer.status.to_string())
            .and_then(|r| r.get("headers"))
        {
            response["headers"] = headers.clone();
        }
        responses.insert(answer.status.to_string(), response);
    }
    Value::Object(responses)
}

/// A page of such items.
fn list(items: Schema, schemas: &mut SchemaGenerator) -> Value {
    let mut page = json!(schemas.root_schema_for::<Page<Value>>());
    if let Some(page) = page.as_object_mut() {
        page.remove("title");
        page.remove("$defs");
    }
    page["properties"]["items"] = json!({"type": "array", "items": items});
    page
}
