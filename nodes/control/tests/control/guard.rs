//! Every route stands behind the guard: the gate is asked with what the client shows, pages of other sites change nothing,
//! and probes need nobody's leave. How the gate judges is tested with it.

use super::world::{World, json as read, session};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use weft_auth::Gate;
use weft_config::{Config, Live};
use weft_wire::{NodeRole, StreamState};

async fn guarded(yaml: &str) -> World {
    let mut world = World::new(&[("a", NodeRole::Ingest), ("b", NodeRole::Egress)]).await;
    world.publish("a", "cam", 1, StreamState::Live).await;
    world.open("b", "cam", &[0x21], 9);
    let live = Live::fixed(Config::parse(yaml, "test").unwrap());
    let place = world.places.get_mut("a").unwrap();
    place.control = place.control.clone().guarded(live.clone(), Gate::new(live));
    world
}

fn routes() -> Vec<(Method, String)> {
    let file = weft_control::document();
    let mut routes = Vec::new();
    for (path, methods) in file["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let id = session(0x21).to_string();
            routes.push((method, path.replace("{id}", &id).replace("{name}", "cam")));
        }
    }
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

fn from(peer: &str, method: &Method, uri: &str) -> TestRequest {
    TestRequest::default()
        .method(method.clone())
        .uri(uri)
        .peer_addr(peer.parse().unwrap())
}

fn is_probe(uri: &str) -> bool {
    matches!(uri, "/v3/node/live" | "/v3/node/ready")
}

#[actix_rt::test]
async fn by_the_default_users_every_route_is_for_this_host_alone_and_probes_are_for_everybody() {
    let world = guarded("").await;
    // The wall is judged by the streams on it, which `live` tests.
    for (method, uri) in routes().into_iter().filter(|(_, uri)| uri != "/v3/wall") {
        let far = from("192.0.2.1:5", &method, &uri).insert_header(("X-Forwarded-For", "127.0.0.1"));
        let response = world.call("a", far).await;
        if is_probe(&uri) {
            assert_eq!(response.status(), 200, "{method} {uri}");
            continue;
        }
        let realm = response.headers().get("WWW-Authenticate").cloned();
        assert_eq!(
            realm.unwrap().to_str().unwrap(),
            "Basic realm=\"mediamtx\"",
            "{method} {uri}"
        );
        let (status, body) = read(response).await;
        assert_eq!(
            (status.as_u16(), body["error"].as_str()),
            (401, Some("authentication error")),
            "{method} {uri}"
        );
    }
    assert!(
        world.fake("b").closed.lock().unwrap().is_empty(),
        "nothing was done"
    );
    assert!(world.fake("a").drained.lock().unwrap().is_empty());
    let near = world
        .call("a", from("127.0.0.1:5", &Method::GET, "/v3/paths/list"))
        .await;
    assert_eq!(near.status(), 200);
}

#[actix_rt::test]
async fn a_trusted_proxy_s_word_about_the_client_is_believed_and_nobody_else_s() {
    let world = guarded("apiTrustedProxies: [192.0.2.0/24]\n").await;
    for (peer, said, wanted) in [
        ("192.0.2.1:5", "127.0.0.1", 200),
        ("192.0.2.1:5", "198.51.100.7", 401),
        ("127.0.0.1:5", "198.51.100.7", 200),
        ("198.51.100.1:5", "127.0.0.1", 401),
    ] {
        let request = from(peer, &Method::GET, "/v3/info").insert_header(("X-Forwarded-For", said));
        assert_eq!(
            world.call("a", request).await.status().as_u16(),
            wanted,
            "{peer} says {said}"
        );
    }
}

#[actix_rt::test]
async fn users_of_the_configuration_are_asked_by_name_and_password() {
    let yaml = "authInternalUsers:\n  - user: boss\n    pass: hush\n    permissions: [{action: api}]\n";
    let world = guarded(yaml).await;
    // boss:hush and boss:wrong.
    for (login, wanted) in [
        (None, 401),
        (Some("Basic Ym9zczpodXNo"), 200),
        (Some("Bearer boss:hush"), 200),
    ] {
        let mut request = from("127.0.0.1:5", &Method::GET, "/v3/info");
        if let Some(login) = login {
            request = request.insert_header(("Authorization", login));
        }
        assert_eq!(world.call("a", request).await.status(), wanted, "{login:?}");
    }
    let wrong = from("127.0.0.1:5", &Method::GET, "/v3/info");
    let wrong = wrong.insert_header(("Authorization", "Basic Ym9zczp3cm9uZw=="));
    let response = world.call("a", wrong).await;
    assert!(!response.headers().contains_key("WWW-Authenticate"));
    assert_eq!(response.status(), 401);
}

#[actix_rt::test]
async fn a_page_of_another_site_changes_nothing_unless_it_is_listed_by_name() {
    let world = guarded("apiAllowOrigins: ['*', 'https://desk.example']\n").await;
    let changes = routes().into_iter().filter(|(method, _)| *method != Method::GET);
    let mut count = 0;
    for (method, uri) in changes {
        let page = from("127.0.0.1:5", &method, &uri)
            .insert_header(("Host", "localhost:9997"))
            .insert_header(("Origin", "https://evil.example"));
        let (status, body) = read(world.call("a", page).await).await;
        assert_eq!(status, 403, "{method} {uri}");
        assert!(body["error"].as_str().unwrap().contains("another site"), "{body}");
        count += 1;
    }
    assert!(world.fake("b").closed.lock().unwrap().is_empty());
    let refused = format!("\nweft_control_refused_total {count}\n");
    assert!(world.metrics("a").await.contains(&refused));
    let listed = from(
        "127.0.0.1:5",
        &Method::POST,
        &format!("/v3/rtspsessions/kick/{}", session(0x21)),
    )
    .insert_header(("Host", "localhost:9997"))
    .insert_header(("Origin", "https://desk.example"));
    let response = world.call("a", listed).await;
    let told = response.headers().get("Access-Control-Allow-Origin").cloned();
    assert_eq!(told.unwrap(), "https://desk.example");
    assert_eq!(response.status(), 200);
}

#[actix_rt::test]
async fn a_preflight_is_answered_as_mediamtx_does_whoever_asks_and_whatever_for() {
    let world = guarded("").await;
    for uri in [
        "/v3/paths/list",
        "/v3/paths/kick/cam",
        "/v3/nothing",
        "/elsewhere",
    ] {
        let request = from("192.0.2.1:5", &Method::OPTIONS, uri)
            .insert_header(("Access-Control-Request-Method", "POST"))
            .insert_header(("Origin", "https://a.example"));
        let response = world.call("a", request).await;
        assert_eq!(response.status(), 204, "{uri}");
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            header("Access-Control-Allow-Methods"),
            "OPTIONS, GET, POST, PATCH, DELETE"
        );
        assert_eq!(
            header("Access-Control-Allow-Headers"),
            "Authorization, Content-Type"
        );
    }
    let look = from("127.0.0.1:5", &Method::GET, "/v3/paths/list");
    let look = world.call("a", look).await;
    assert_eq!(look.headers().get("Access-Control-Allow-Origin").unwrap(), "*");
    let world = guarded("apiAllowOrigins: ['https://desk.example']\n").await;
    let page = from("127.0.0.1:5", &Method::GET, "/v3/paths/list");
    let page = page.insert_header(("Origin", "https://evil.example"));
    let response = world.call("a", page).await;
    assert!(!response.headers().contains_key("Access-Control-Allow-Origin"));
}
