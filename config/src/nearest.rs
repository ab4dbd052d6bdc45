//! Finds the known key that somebody who wrote an unknown one may have meant.
//! Only a key that is near enough to help is named.

/// The nearest of `known` to `written`, or none that is near.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_ascii_lowercase();
    known
        .into_iter()
        .map(|key| {
            let leaf = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
            (distance(&lower, &leaf), key)
        })
        .min_by_key(|(d, _)| *d)
        .filter(|(d, _)| *d <= 2 + written.len() / 4)
        .map(|(_, key)| key)
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
        assert_eq!(nearest("rtspAdress", known), Some("rtspAddress"));
        assert_eq!(nearest("nodename", known), Some("fabric.nodeName"));
        assert_eq!(nearest("recordPartDuration", known), None);
    }
}
