//! The part of a URL after `?`, parameter by parameter, untouched: what a client wrote there goes back to it as it was.
//! What a parameter means is read elsewhere.

/// The first value of a parameter.
#[must_use]
pub fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    pairs(query).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// The query without a parameter.
#[must_use]
pub fn without(query: &str, name: &str) -> String {
    let kept: Vec<_> = parts(query).filter(|part| key(part) != name).collect();
    kept.join("&")
}

/// A URL with those parameters of `query` that it does not have yet.
#[must_use]
pub fn joined(url: &str, query: &str) -> String {
    let own = url.split_once('?').map_or("", |(_, own)| own);
    let has = |name: &str| pairs(own).any(|(n, _)| n == name);
    let mut joined = url.to_owned();
    for part in parts(query).filter(|part| !has(key(part))) {
        let empty = joined.ends_with(['?', '&']);
        joined.push_str(match joined.contains('?') {
            _ if empty => "",
            true => "&",
            false => "?",
        });
        joined.push_str(part);
    }
    joined
}

fn parts(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|part| !part.is_empty())
}

fn key(part: &str) -> &str {
    part.split_once('=').map_or(part, |(name, _)| name)
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    parts(query).map(|part| part.split_once('=').unwrap_or((part, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_left_out_and_joined() {
        let query = "jwt=a%20b&moves=n.s&&x";
        assert_eq!(value(query, "moves"), Some("n.s"));
        assert_eq!(value(query, "x"), Some(""));
        assert_eq!(value(query, "y"), None);
        assert_eq!(without(query, "moves"), "jwt=a%20b&x");
        assert_eq!(without("moves=1", "moves"), "");
        assert_eq!(
            joined("/c/whip?moves=1", "jwt=a&moves=2"),
            "/c/whip?moves=1&jwt=a"
        );
        assert_eq!(joined("/c/whip", "jwt=a&x"), "/c/whip?jwt=a&x");
        assert_eq!(joined("/c/whip?", "x"), "/c/whip?x");
        assert_eq!(joined("/c/whip", ""), "/c/whip");
    }
}
