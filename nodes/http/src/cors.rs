//! Whose scripts may read an answer: the sites that a port's `...AllowOrigins` lists, read as MediaMTX does. `*` lets every page
//! read; only a site that is listed by name may change something. What else of an answer scripts may see is for each face to say.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// Scheme, host and port of a site; the port that its scheme has where none is given.
#[derive(Debug, PartialEq, Eq)]
struct Site {
    scheme: String,
    host: String,
    port: String,
}

impl Site {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let scheme = scheme.to_ascii_lowercase();
        let port = match (port, &*scheme) {
            ("", "http") => "80",
            ("", "https") => "443",
            (port, _) => port,
        };
        (!scheme.is_empty() && !host.is_empty()).then(|| Self {
            port: port.to_owned(),
            host: host.to_ascii_lowercase(),
            scheme,
        })
    }

    /// Whether this is the listed site, or below it where that begins with `*.`.
    fn is_of(&self, listed: &Self) -> bool {
        let host = match listed.host.strip_prefix("*.") {
            Some(domain) if !domain.is_empty() => {
                let above = self.host.strip_suffix(domain);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => self.host == listed.host,
        };
        host && self.scheme == listed.scheme && self.port == listed.port
    }
}

/// Whether a page's site is listed, by its name or by the domain that it is in (`https://*.example.com`).
#[must_use]
pub fn is_named(origin: &str, listed: &[String]) -> bool {
    let Some(site) = Site::read(origin) else {
        return false;
    };
    listed
        .iter()
        .filter_map(|text| Site::read(text))
        .any(|listed| listed.host != "*" && site.is_of(&listed))
}

/// What `Access-Control-Allow-Origin` says to a page of this origin; `None`: it may not read the answer.
#[must_use]
pub fn allowed(origin: Option<&HeaderValue>, listed: &[String]) -> Option<HeaderValue> {
    if let Some(value) = origin
        && value.to_str().is_ok_and(|origin| is_named(origin, listed))
    {
        return Some(value.clone());
    }
    let every = listed.iter().any(|site| site == "*");
    every.then(|| HeaderValue::from_static("*"))
}

/// Says so in the headers. True where it may read the answer.
pub fn readable(headers: &mut HeaderMap, origin: Option<&HeaderValue>, listed: &[String]) -> bool {
    let allowed = allowed(origin, listed);
    if allowed.as_ref().is_none_or(|allowed| allowed != "*") {
        // Another origin gets another answer: caches must know.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let may = allowed.is_some();
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }
    may
}

/// The answer to a preflight of what is only read; `headers`: those that requests may have.
#[must_use]
pub fn read_only(headers: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET, HEAD"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(sites: &[&str]) -> Vec<String> {
        sites.iter().map(|&s| s.to_owned()).collect()
    }

    #[test]
    fn a_site_is_named_by_scheme_host_and_port() {
        let sites = listed(&[
            "https://a.example",
            "http://b.example:8080",
            "https://*.c.example",
            "*",
        ]);
        for (origin, named) in [
            ("https://a.example", true),
            ("https://A.EXAMPLE:443", true),
            ("http://a.example", false),
            ("https://a.example:8443", false),
            ("https://x.a.example", false),
            ("http://b.example:8080", true),
            ("http://b.example", false),
            ("https://c.example", true),
            ("https://x.y.c.example", true),
            ("https://xc.example", false),
            ("https://c.example.evil", false),
            ("null", false),
            ("", false),
            ("*", false),
            ("http://[::1]:3000", false),
        ] {
            assert_eq!(is_named(origin, &sites), named, "{origin}");
        }
        assert!(is_named("http://[::1]:3000", &listed(&["http://[::1]:3000/"])));
        assert!(!is_named("https://evil.example", &listed(&["https://*", "*"])));
    }

    #[test]
    fn the_site_that_is_listed_is_told_itself_and_every_other_one_the_star_or_nothing() {
        let read = |origin: &str, sites: &[&str]| {
            let origin = HeaderValue::from_str(origin).unwrap();
            allowed(Some(&origin), &listed(sites)).map(|v| v.to_str().unwrap().to_owned())
        };
        assert_eq!(read("https://a.example", &["*"]).as_deref(), Some("*"));
        assert_eq!(
            read("https://a.example", &["*", "https://a.example"]).as_deref(),
            Some("https://a.example")
        );
        assert_eq!(read("https://b.example", &["https://a.example"]), None);
        assert_eq!(allowed(None, &listed(&["https://a.example"])), None);
        assert!(allowed(None, &listed(&["*"])).is_some());
    }

    #[test]
    fn caches_are_told_where_the_answer_differs_by_origin() {
        let told = |sites: &[&str]| {
            let mut headers = HeaderMap::new();
            let origin = HeaderValue::from_static("https://a.example");
            let may = readable(&mut headers, Some(&origin), &listed(sites));
            assert_eq!(may, headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
            (may, headers.contains_key(header::VARY))
        };
        assert_eq!(told(&["*"]), (true, false));
        assert_eq!(told(&["https://a.example"]), (true, true));
        assert_eq!(told(&["https://b.example"]), (false, true));
        assert_eq!(told(&[]), (false, true));
    }
}
