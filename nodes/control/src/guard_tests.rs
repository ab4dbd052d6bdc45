//! Who may change something: a table of addresses and headers.
//! That every changing route stands behind it is tested over the routes.

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

fn status(peer: Option<&str>, lines: &[(&str, &str)]) -> u16 {
    let peer = peer.map(|peer| peer.parse().unwrap());
    match may_change(peer, &headers(lines)) {
        Ok(()) => 200,
        Err(error) => error.status_code().as_u16(),
    }
}

#[test]
fn only_the_host_itself_may_change_something() {
    for (peer, wanted) in [
        (Some("127.0.0.1:5"), 200),
        (Some("127.9.9.9:5"), 200),
        (Some("[::1]:5"), 200),
        (Some("[::ffff:127.0.0.1]:5"), 200),
        (Some("[::ffff:192.0.2.1]:5"), 401),
        (Some("[::7f00:1]:5"), 401),
        (Some("192.0.2.1:5"), 401),
        (Some("10.0.0.1:5"), 401),
        (Some("0.0.0.0:5"), 401),
        (Some("[fe80::1]:5"), 401),
        (None, 401),
    ] {
        assert_eq!(status(peer, &[("Host", "localhost:9997")]), wanted, "{peer:?}");
    }
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let remote = status(Some("192.0.2.1:5"), &[(header, "127.0.0.1")]);
        assert_eq!(remote, 401, "{header} makes nobody local");
        let proxied = status(Some("127.0.0.1:5"), &[(header, "192.0.2.1")]);
        assert_eq!(proxied, 200, "{header}: a proxy on this host is this host");
    }
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
        let got = status(Some("127.0.0.1:5"), &[("Host", host), ("Origin", origin)]);
        assert_eq!(got, wanted, "{origin} asks {host}");
    }
    assert_eq!(
        status(Some("127.0.0.1:5"), &[("Origin", "http://a")]),
        403,
        "no Host"
    );
    for (word, wanted) in [
        ("same-origin", 200),
        ("none", 200),
        ("same-site", 403),
        ("cross-site", 403),
    ] {
        let got = status(
            Some("127.0.0.1:5"),
            &[("Host", "localhost"), ("Sec-Fetch-Site", word)],
        );
        assert_eq!(got, wanted, "{word}");
    }
}

#[test]
fn a_browser_s_question_before_a_change_is_refused() {
    for (method, wanted) in [
        ("GET", 204),
        ("POST", 403),
        ("PATCH", 403),
        ("DELETE", 403),
        ("PUT", 403),
        ("post", 403),
        ("é", 403),
    ] {
        let value = HeaderValue::from_bytes(method.as_bytes()).unwrap();
        let response = preflight(&value);
        assert_eq!(response.status().as_u16(), wanted, "{method}");
        let open = response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(open, wanted == 204, "{method}");
    }
}
