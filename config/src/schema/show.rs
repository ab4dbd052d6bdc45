//! Values as they may be seen: without passwords and tokens, and without the logins of URLs.
//! Who may ask for them is the control API's business.

use super::{Key, Kind, find};
use crate::secret::REDACTED;
use serde_json::{Map, Value};

/// Hides what must not be seen.
pub(crate) fn redact(keys: &[Key], values: &mut Map<String, Value>) {
    for (name, value) in values {
        if let Some(key) = find(keys, name) {
            hide(&key.kind, value);
        }
    }
}

fn hide(kind: &Kind, value: &mut Value) {
    match (kind, value) {
        (Kind::Secret, Value::String(text)) if !text.is_empty() => *text = REDACTED.to_owned(),
        (Kind::Url, Value::String(text)) => *text = without_password(text),
        (Kind::Block(keys) | Kind::Record(keys), Value::Object(values)) => redact(keys, values),
        (Kind::List(inner), Value::Array(items)) => {
            for item in items {
                hide(inner, item);
            }
        }
        _ => {}
    }
}

/// `rtsp://user:<redacted>@host`.
pub(crate) fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, host) = authority.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:{REDACTED}@{host}{path}"))
    };
    hidden().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password_alone() {
        for (url, shown) in [
            ("rtsp://u:p:q@h:1/a@b", "rtsp://u:<redacted>@h:1/a@b"),
            ("rtsp://h/a?x=u:p@y", "rtsp://h/a?x=u:p@y"),
            ("publisher", "publisher"),
            ("http://u@h", "http://u@h"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
