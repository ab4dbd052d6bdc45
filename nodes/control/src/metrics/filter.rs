//! What of the metrics is asked for: MediaMTX's `?type=`, `?path=`, `?webrtc_session=` and their like.
//! What there is to show is the tables' business.

/// Names of filters; any of them hides every table but its own.
const FILTERS: [&str; 6] = [
    "path",
    "webrtc_session",
    "rtsp_session",
    "rtsps_session",
    "rtsp_conn",
    "rtsps_conn",
];

/// What `type=` is for everything that is the node's own and in no table. Ours.
const NODE: &str = "node";

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pairs: Vec<(String, String)>,
}

impl Filter {
    /// From a query; what is not known means nothing, as in MediaMTX.
    pub(super) fn read(query: &str) -> Self {
        let read = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (!value.is_empty()).then(|| (key.to_owned(), decode(value)))
        };
        Self {
            pairs: query.split('&').filter_map(read).collect(),
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    fn is_active(&self) -> bool {
        FILTERS.iter().any(|key| self.value(key).is_some())
    }

    /// Whether a table is to be shown; inside, the one entry that is, if not all are.
    pub(super) fn wants(&self, table: &str, key: &str) -> Option<Option<&str>> {
        let of_type = self.value("type").is_none_or(|wanted| wanted == table);
        let only = self.value(key);
        (of_type && (only.is_some() || !self.is_active())).then_some(only)
    }

    /// Whether what is in no table is to be shown.
    pub(super) fn wants_node(&self) -> bool {
        self.value("type").is_none_or(|wanted| wanted == NODE) && !self.is_active()
    }
}

/// Undoes `%XX` and `+`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let escaped = || {
            let digits = rest.as_slice().get(..2)?;
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match escaped() {
                Some(escaped) => {
                    bytes.push(escaped);
                    rest.nth(1);
                }
                None => bytes.push(b'%'),
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_shows_one_table_and_a_filter_one_entry_of_it() {
        let all = Filter::read("");
        assert_eq!(all.wants("paths", "path"), Some(None));
        assert!(all.wants_node());
        let one = Filter::read("path=cam%2F1&jwt=x");
        assert_eq!(one.wants("paths", "path"), Some(Some("cam/1")));
        assert_eq!(one.wants("rtsp_sessions", "rtsp_session"), None);
        assert!(!one.wants_node());
        let table = Filter::read("type=rtsp_sessions");
        assert_eq!(table.wants("rtsp_sessions", "rtsp_session"), Some(None));
        assert_eq!(table.wants("paths", "path"), None);
        assert!(!table.wants_node());
        let both = Filter::read("type=rtsp_sessions&path=a");
        assert_eq!(both.wants("rtsp_sessions", "rtsp_session"), None);
        assert_eq!(both.wants("paths", "path"), None);
        assert!(Filter::read("type=node&x=%").wants_node());
    }

    #[test]
    fn a_value_is_what_was_escaped() {
        assert_eq!(decode("a%2fb+c%zz%4"), "a/b c%zz%4");
    }
}
