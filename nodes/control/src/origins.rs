//! Pages of which sites may read answers, and may send changes: `apiAllowOrigins` and its like, read as MediaMTX does.
//! `*` lets every page read; only a site that is listed by name may change something.

use actix_web::http::header::HeaderValue;

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
pub(crate) fn is_named(origin: &str, listed: &[String]) -> bool {
    let Some(site) = Site::read(origin) else {
        return false;
    };
    listed
        .iter()
        .filter_map(|text| Site::read(text))
        .any(|listed| listed.host != "*" && site.is_of(&listed))
}

/// What `Access-Control-Allow-Origin` says to a page of this origin; `None`: it may not read the answer.
pub(crate) fn readable(origin: Option<&HeaderValue>, listed: &[String]) -> Option<HeaderValue> {
    if let Some(value) = origin
        && value.to_str().is_ok_and(|origin| is_named(origin, listed))
    {
        return Some(value.clone());
    }
    let every = listed.iter().any(|site| site == "*");
    every.then(|| HeaderValue::from_static("*"))
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
            readable(Some(&origin), &listed(sites)).map(|v| v.to_str().unwrap().to_owned())
        };
        assert_eq!(read("https://a.example", &["*"]).as_deref(), Some("*"));
        assert_eq!(
            read("https://a.example", &["*", "https://a.example"]).as_deref(),
            Some("https://a.example")
        );
        assert_eq!(read("https://b.example", &["https://a.example"]), None);
        assert_eq!(readable(None, &listed(&["https://a.example"])), None);
        assert!(readable(None, &listed(&["*"])).is_some());
    }
}
