//! Pages of which sites may change something: a table of headers.
//! That every route stands behind the guard is tested over the routes.

use super::*;
use actix_web::http::header::HeaderName;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn status_of(lines: &[(&str, &str)], listed: &[&str]) -> u16 {
    let listed: Vec<String> = listed.iter().map(|&site| site.to_owned()).collect();
    match of_this_site(&headers(lines), &listed) {
        Ok(()) => 200,
        Err(error) => error.status_code().as_u16(),
    }
}

fn status(lines: &[(&str, &str)]) -> u16 {
    status_of(lines, &["*"])
}

#[test]
fn a_page_of_another_site_may_not() {
    for (host, origin, wanted) in [
        ("localhost:9997", "http://localhost:9997", 200),
        ("LocalHost:9997", "http://localhost:9997", 200),
        ("127.0.0.1:9997", "http://127.0.0.1:9997", 200),
        ("[::1]:9997", "http://[::1]:9997", 200),
        ("127.0.0.1", "https://127.0.0.1", 200),
        ("localhost:9997", "http://localhost:3000", 403),
        ("localhost:9997", "http://127.0.0.1:9997", 403),
        ("localhost:9997", "https://evil.example", 403),
        ("localhost:9997", "http://localhost:9997.evil.example", 403),
        ("localhost:9997", "null", 403),
        ("localhost:9997", "", 403),
        ("evil.example:9997", "http://evil.example:9997", 403),
        ("localhost.evil.example", "http://localhost.evil.example", 403),
        ("127.0.0.1.evil.example:1", "http://127.0.0.1.evil.example:1", 403),
    ] {
        let got = status(&[("Host", host), ("Origin", origin)]);
        assert_eq!(got, wanted, "{origin} asks {host}");
    }
    assert_eq!(status(&[("Origin", "http://a")]), 403, "no Host");
    for (word, wanted) in [
        ("same-origin", 200),
        ("none", 200),
        ("same-site", 403),
        ("cross-site", 403),
    ] {
        let got = status(&[("Host", "localhost"), ("Sec-Fetch-Site", word)]);
        assert_eq!(got, wanted, "{word}");
    }
}

#[test]
fn a_site_that_is_listed_by_its_name_may() {
    let page = [
        ("Host", "media.example:9997"),
        ("Origin", "https://desk.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    assert_eq!(status_of(&page, &["*", "https://desk.example"]), 200);
    assert_eq!(status_of(&page, &["https://*.example"]), 200);
    assert_eq!(status_of(&page, &["https://elsewhere.example"]), 403);
    assert_eq!(status_of(&page, &["*"]), 403);
}

#[test]
fn only_a_preflight_is_one() {
    let asks = headers(&[("Access-Control-Request-Method", "POST")]);
    assert!(is_preflight(&Method::OPTIONS, &asks));
    assert!(!is_preflight(&Method::GET, &asks) && !is_preflight(&Method::OPTIONS, &headers(&[])));
    assert_eq!(preflight().status().as_u16(), 204);
}
