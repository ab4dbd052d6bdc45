//! Escapes of URLs undone (RFC 3986 section 2.1), as logins in the URLs of servers and cameras need it.
//! Names of streams have an escape of their own, in `name`.

/// `%XX` as the byte it stands for; what is no `%XX` stays as it is, bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        // The parser of numbers takes a sign as well.
        let hex = piece
            .get(..2)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        for (text, plain) in [
            ("p%40ss%3a", "p@ss:"),
            ("100%", "100%"),
            ("%+5%4", "%+5%4"),
            ("%zz%é1", "%zz%é1"),
            ("%c3%a9", "é"),
        ] {
            assert_eq!(percent_decoded(text), plain);
        }
    }
}
