//! In front of a server: one request there and one answer back, and what is said where the server does not answer.

use super::faces;
use crate::Settings;
use actix_web::{App, HttpServer, web};
use std::net::{SocketAddr, TcpListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A gateway in front of a server; both end with it.
struct Pair {
    gateway: SocketAddr,
    server: SocketAddr,
    _end: DropGuard,
}

fn local() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn gateway(variables: Vec<(&'static str, String)>) -> (SocketAddr, DropGuard) {
    let settings = Settings::from_env(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone())
    });
    let (listener, address) = local();
    let end = CancellationToken::new();
    actix_web::rt::spawn(crate::serve(
        listener,
        settings.unwrap(),
        end.clone().cancelled_owned(),
    ));
    (address, end.drop_guard())
}

fn pair() -> Pair {
    let (listener, server) = local();
    let served = HttpServer::new(|| App::new().configure(faces).configure(api))
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    actix_web::rt::spawn(served);
    let (gateway, end) = gateway(vec![
        ("MEDIAMTX_WHIP_URL", format!("http://{server}/test/whip")),
        ("MEDIAMTX_RTSP_PORT", server.port().to_string()),
    ]);
    Pair {
        gateway,
        server,
        _end: end,
    }
}

fn api(service: &mut web::ServiceConfig) {
    service.route("/v3/config/get", web::get().to(async || "{}"));
}

/// Sends a request and gives head and body of the answer.
async fn ask(to: SocketAddr, method: &str, uri: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {uri} HTTP/1.1\r\nHost: here.example:1\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server may refuse a body that it has not read.
    drop(stream.write_all(body.as_bytes()).await);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map_or("-", |(_, value)| value)
}

#[actix_web::test]
async fn an_offer_is_passed_on_with_its_credentials_and_the_answer_leads_back_here() {
    let pair = pair();
    let headers = "Content-Type: application/sdp\r\nAuthorization: Bearer t\r\nCookie: c=1\r\nX-Forwarded-For: 192.0.2.9\r\n";
    let uri = "/api/webrtc/whip?examId=1&participantId=2&jwt=x";
    let (head, body) = ask(pair.gateway, "POST", uri, headers, "offer").await;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert_eq!(body, "offer");
    let name = field(&head, "Stream-Name");
    assert!(name.starts_with("1_2_1"), "{name}");
    assert_eq!(
        field(&head, "X-Uri"),
        format!("/{name}/whip?examId=1&participantId=2&jwt=x")
    );
    assert_eq!(field(&head, "X-Authorization"), "Bearer t");
    assert_eq!(field(&head, "X-Cookie"), "-");
    assert_eq!(field(&head, "X-Forwarded"), "192.0.2.9, 127.0.0.1");
    let rtsp = format!("rtsp://here.example:{}/{name}", pair.server.port());
    assert_eq!(field(&head, "RTSP-URL"), rtsp);
    assert_eq!(field(&head, "Access-Control-Allow-Origin"), "*");
    let location = field(&head, "Location");
    assert_eq!(
        location,
        format!("/api/webrtc/whip/{name}/node.secret?examId=1&participantId=2&jwt=x")
    );
    let (head, body) = ask(pair.gateway, "PATCH", location, "", "fragment").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "fragment", "{head}");
    assert_eq!(
        (field(&head, "X-Path"), field(&head, "X-Secret")),
        (name, "node.secret")
    );
    let (head, _) = ask(pair.gateway, "DELETE", location, "", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (head, _) = ask(pair.gateway, "GET", location, "", "").await;
    assert!(head.starts_with("HTTP/1.1 410 "), "{head}");
}

#[actix_web::test]
async fn a_refusal_of_the_server_is_passed_on_as_it_is() {
    let pair = pair();
    let (head, body) = ask(
        pair.gateway,
        "POST",
        "/api/webrtc/whip?stream=a",
        "Authorization: wrong\r\n",
        "",
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert_eq!(field(&head, "WWW-Authenticate"), "Basic realm=\"mediamtx\"");
    assert!(body.contains("authentication error"), "{body}");
}

#[actix_web::test]
async fn nothing_but_the_exam_routes_leads_to_the_server() {
    let pair = pair();
    for uri in [
        "/v3/config/get",
        "/a/whip",
        "/api/webrtc/whip/../../v3/config/get",
        "/api/webrtc/whip/a/..",
        "/api/webrtc/other",
        "/",
    ] {
        let (head, _) = ask(pair.gateway, "GET", uri, "", "").await;
        assert!(
            head.starts_with("HTTP/1.1 404 ") || head.starts_with("HTTP/1.1 400 "),
            "{uri}: {head}"
        );
    }
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_here() {
    let pair = pair();
    let body = "x".repeat(128 * 1024 + 1);
    let (head, said) = ask(pair.gateway, "POST", "/api/webrtc/whip?stream=a", "", &body).await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert!(said.contains("131072"), "{said}");
}

#[actix_web::test]
async fn health_is_that_of_the_server() {
    let pair = pair();
    let (head, body) = ask(pair.gateway, "GET", "/api/webrtc/health", "", "").await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && body.contains(&format!("http://{}", pair.server)),
        "{head} {body}"
    );
}

#[actix_web::test]
async fn a_server_that_does_not_answer_is_named_with_the_variable_to_look_at() {
    // Bound and closed again: nobody listens there.
    let (listener, nobody) = local();
    drop(listener);
    let (gateway, _end) = gateway(vec![
        ("MEDIAMTX_HOST", "127.0.0.1".to_owned()),
        ("MEDIAMTX_WHIP_PORT", nobody.port().to_string()),
        ("MEDIAMTX_RTSP_PORT", nobody.port().to_string()),
    ]);
    let (head, body) = ask(gateway, "POST", "/api/webrtc/whip?stream=a", "", "offer").await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    let server = format!("the server http://{nobody} does not answer: ");
    assert!(
        body.contains(&server) && body.contains("Connection refused") && body.contains("MEDIAMTX_WHIP_PORT"),
        "{body}"
    );
    let (head, body) = ask(gateway, "GET", "/api/webrtc/health", "", "").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(
        body.contains(&server) && body.contains(&format!("rtsp://localhost:{}", nobody.port())),
        "{body}"
    );
}

#[actix_web::test]
async fn clients_that_keep_their_bodies_back_keep_nobody_out() {
    let pair = pair();
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(pair.gateway).await.unwrap();
        let head = "POST /api/webrtc/whip?stream=a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nof";
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    // Each worker has taken up what came before: it answers in the order of what it read.
    for _ in 0..20 {
        let (head, _) = ask(pair.gateway, "POST", "/api/webrtc/whip?stream=a", "", "offer").await;
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    }
}
