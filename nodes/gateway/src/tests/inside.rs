//! Inside of a node: URLs of the gateway reach the node's own routes.

use super::faces;
use crate::{Gateway, Host};
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use std::sync::Arc;

struct Node {
    problems: Vec<String>,
}

impl Host for Node {
    fn name(&self) -> String {
        "node-1".to_owned()
    }

    fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    fn rtsp(&self, host: &str) -> Option<String> {
        Some(format!("rtsp://{host}:8554"))
    }

    fn allow_origins(&self) -> Vec<String> {
        vec!["https://exams.example".to_owned()]
    }
}

fn gateway(problems: &[&str]) -> Gateway {
    let problems = problems.iter().map(|p| (*p).to_owned()).collect();
    Gateway::new(Arc::new(Node { problems }))
}

async fn ask(problems: &[&str], request: TestRequest) -> ServiceResponse<BoxBody> {
    let gateway = gateway(problems);
    let app = App::new()
        .configure(gateway.routes(faces))
        .configure(faces)
        .default_service(web::to(async || HttpResponse::ImATeapot()));
    init_service(app).await.call(request.to_request()).await.unwrap()
}

fn header<'a>(response: &'a ServiceResponse<BoxBody>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("-", |value| value.to_str().unwrap())
}

async fn text(response: ServiceResponse<BoxBody>) -> String {
    let body = to_bytes(response.into_body()).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn post(uri: &str) -> TestRequest {
    TestRequest::post()
        .uri(uri)
        .insert_header(("Host", "media.example:8889"))
}

#[actix_web::test]
async fn an_offer_reaches_the_nodes_own_route_under_a_new_name_and_its_answer_is_the_gateways() {
    let uri = "/api/webrtc/whip?examId=exam_1&participantId=student_2&token=a%20b";
    let response = ask(&[], post(uri).set_payload("offer")).await;
    assert_eq!(response.status().as_u16(), 201);
    let name = header(&response, "X-Path").to_owned();
    assert!(name.starts_with("exam_1_student_2_1"), "{name}");
    assert_eq!(header(&response, "Stream-Name"), name);
    assert_eq!(
        header(&response, "RTSP-URL"),
        format!("rtsp://media.example:8554/{name}")
    );
    let query = "examId=exam_1&participantId=student_2&token=a%20b";
    assert_eq!(header(&response, "X-Uri"), format!("/{name}/whip?{query}"));
    let own = format!("/api/webrtc/whip/{name}/node.secret");
    assert_eq!(header(&response, "Location"), format!("{own}?{query}"));
    let links: Vec<_> = response
        .headers()
        .get_all("Link")
        .map(|l| l.to_str().unwrap())
        .collect();
    let events = format!("<{own}/events?{query}>; rel=\"sse\"");
    assert_eq!(links, ["<stun:h:1>; rel=\"ice-server\"", &events]);
    assert_eq!(
        header(&response, "Access-Control-Expose-Headers"),
        "ETag, Location, RTSP-URL, Stream-Name"
    );
    assert_eq!((header(&response, "ETag"), header(&response, "ID")), ("*", "id"));
    assert_eq!(text(response).await, "offer");
}

#[actix_web::test]
async fn a_session_is_reached_by_the_url_that_the_gateway_gave() {
    for (method, rest, status) in [
        (Method::PATCH, "a/b/node.secret?token=x", 200),
        (Method::DELETE, "a/b/node.secret", 200),
        (Method::GET, "a/b/node.secret", 410),
        (Method::GET, "a/b/node.secret/events", 200),
    ] {
        let uri = format!("/api/webrtc/whip/{rest}");
        let response = ask(&[], TestRequest::with_uri(&uri).method(method)).await;
        assert_eq!(response.status().as_u16(), status, "{uri}");
        assert_eq!(
            (header(&response, "X-Path"), header(&response, "X-Secret")),
            ("a/b", "node.secret")
        );
        assert_eq!(header(&response, "Stream-Name"), "-");
    }
}

#[actix_web::test]
async fn the_nodes_refusals_are_passed_on_and_the_gateways_own_name_the_parameter() {
    let refused = post("/api/webrtc/whip?stream=cam").insert_header(("Authorization", "wrong"));
    let response = ask(&[], refused).await;
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(header(&response, "WWW-Authenticate"), "Basic realm=\"mediamtx\"");
    assert_eq!(
        (header(&response, "Stream-Name"), header(&response, "RTSP-URL")),
        ("cam", "-")
    );
    let bad = post("/api/webrtc/whip?examId=1").insert_header(("Origin", "https://exams.example"));
    let response = ask(&[], bad).await;
    assert_eq!(response.status().as_u16(), 400);
    assert_eq!(
        header(&response, "Access-Control-Allow-Origin"),
        "https://exams.example"
    );
    let said = text(response).await;
    assert!(
        said.contains("query parameter 'participantId' is missing"),
        "{said}"
    );
    let response = ask(
        &[],
        post("/api/webrtc/whip?examId=1").insert_header(("Origin", "https://b")),
    )
    .await;
    assert_eq!(header(&response, "Access-Control-Allow-Origin"), "-");
}

#[actix_web::test]
async fn a_browser_may_ask_before_it_asks() {
    let preflight = TestRequest::with_uri("/api/webrtc/whip")
        .method(Method::OPTIONS)
        .insert_header(("Origin", "https://exams.example"))
        .insert_header(("Access-Control-Request-Method", "POST"));
    let response = ask(&[], preflight).await;
    assert_eq!(response.status().as_u16(), 204);
    assert!(header(&response, "Access-Control-Allow-Methods").contains("PATCH"));
    assert!(header(&response, "Access-Control-Allow-Headers").contains("Content-Type"));
    assert_eq!(
        header(&response, "Access-Control-Allow-Origin"),
        "https://exams.example"
    );
    let options = TestRequest::with_uri("/api/webrtc/whip?stream=cam").method(Method::OPTIONS);
    assert_eq!(header(&ask(&[], options).await, "X-Path"), "cam");
}

#[actix_web::test]
async fn a_node_without_whep_has_no_such_place() {
    let response = ask(&[], post("/api/webrtc/whep?stream=cam")).await;
    assert_eq!(response.status().as_u16(), 404);
    let response = ask(&[], post("/api/webrtc/whep")).await;
    assert_eq!(response.status().as_u16(), 400);
    assert!(
        text(response)
            .await
            .contains("'stream' is missing: write ?stream=NAME")
    );
}

#[actix_web::test]
async fn health_says_what_is_wrong() {
    let health = || TestRequest::get().uri("/api/webrtc/health");
    let response = ask(&[], health()).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(
        text(response).await,
        r#"{"problems":[],"server":"node-1","status":"ok"}"#
    );
    let response = ask(&["the bus is away", "and more"], health()).await;
    assert_eq!(response.status().as_u16(), 503);
    let said = text(response).await;
    assert!(said.contains(r#""error":"the bus is away; and more""#), "{said}");
}

#[actix_web::test]
async fn streams_whose_names_begin_like_the_gateway_are_streams_like_others() {
    let response = ask(&[], post("/api/webrtc/cam/whip")).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "X-Path")),
        (201, "api/webrtc/cam")
    );
    assert_eq!(header(&response, "Location"), "/api/webrtc/cam/whip/node.secret");
    let response = ask(&[], post("/api/other")).await;
    assert_eq!(response.status().as_u16(), 418);
    let response = ask(&[], TestRequest::patch().uri("/api/webrtc/whip/alone")).await;
    assert_eq!(response.status().as_u16(), 404);
}
