//! Finds the known key that somebody who wrote an unknown one may have meant.
//! Only a key that is near enough to help is named.

/// The nearest to `written` of those that stand `here`, in the same block, and `elsewhere`, or none that is near. The very key
/// elsewhere comes first; otherwise the same block counts one edit more.
pub(crate) fn nearest<'a>(
    written: &str,
    here: impl IntoIterator<Item = &'a str>,
    elsewhere: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = written.to_ascii_lowercase();
    let far = |key| distance(&lower, &leaf(key).to_ascii_lowercase());
    let here = here.into_iter().map(|key| (far(key), key));
    let elsewhere = elsewhere.into_iter().map(|key| match far(key) {
        0 => (0, key),
        edits => (edits + 1, key),
    });
    // Of a short word little must be left alone, or any other short word is near.
    let most = (2 + written.len() / 4).min(written.len() / 2);
    here.chain(elsewhere)
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, _)| *edits <= most)
        .map(|(_, key)| key)
}

/// The key that `written` is a longer word for: `pass`, where `password` is written.
pub(crate) fn shortened<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut known = known.into_iter();
    known.find(|key| leaf(key).len() > 2 && written.starts_with(leaf(key)))
}

/// True inside an entry of a list, which is called by its number.
pub(crate) fn in_list(parent: &str) -> bool {
    let last = parent.rsplit('.').next().unwrap_or_default();
    !parent.starts_with("paths.") && last.parse::<usize>().is_ok()
}

fn leaf(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// Edits (insert, delete, replace) between two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_key_and_a_stranger_finds_none() {
        let known = ["rtspAddress", "rtpAddress", "fabric.nodeName"];
        assert_eq!(nearest("rtspAdress", known, []), Some("rtspAddress"));
        assert_eq!(nearest("nodename", known, []), Some("fabric.nodeName"));
        assert_eq!(nearest("recordPartDuration", known, []), None);
        assert_eq!(nearest("nope", ["api"], []), None);
    }

    #[test]
    fn the_same_block_is_meant_sooner_than_another_unless_that_one_is_much_nearer() {
        let elsewhere = ["pathDefaults.readIPs", "fabric.nats.password"];
        assert_eq!(nearest("readIPz", ["readIP"], elsewhere), Some("readIP"));
        assert_eq!(
            nearest("readIPx", ["readers"], elsewhere),
            Some("pathDefaults.readIPs")
        );
        assert_eq!(
            nearest("password", ["passwort"], elsewhere),
            Some("fabric.nats.password")
        );
    }

    #[test]
    fn a_longer_word_in_an_entry_of_a_list_finds_the_key_of_that_entry() {
        assert!(in_list("authInternalUsers.0") && !in_list("paths.7") && !in_list("fabric.nats"));
        assert_eq!(shortened("password", ["user", "pass"]), Some("pass"));
        assert_eq!(shortened("secret", ["user", "pass"]), None);
    }
}
