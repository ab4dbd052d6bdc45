//! Ids in URLs: UUIDs in every form that MediaMTX reads, refused with its words.
//! Whose id it is, is each route's own.

use crate::error::Error;
use weft_wire::SessionId;

/// Reads an id: the usual form of a UUID (RFC 9562 §4), in braces, as a URN, or without its dashes.
pub(crate) fn read(text: &str) -> Result<SessionId, Error> {
    let wrong = |why: &str| Error::BadRequest(why.to_owned());
    let dashed = match text.len() {
        36 => text,
        38 => text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or_else(|| wrong("invalid bracketed UUID format"))?,
        45 => match text.split_at_checked(9) {
            Some((urn, rest)) if urn.eq_ignore_ascii_case("urn:uuid:") => rest,
            _ => return Err(wrong("invalid urn prefix")),
        },
        32 => return digits(text).ok_or_else(|| wrong("invalid UUID format")),
        length => return Err(Error::BadRequest(format!("invalid UUID length: {length}"))),
    };
    let dashes = [8, 13, 18, 23];
    let placed = dashes.iter().all(|at| dashed.as_bytes().get(*at) == Some(&b'-'));
    let read = placed.then(|| digits(&dashed.replace('-', ""))).flatten();
    read.ok_or_else(|| wrong("invalid UUID format"))
}

fn digits(text: &str) -> Option<SessionId> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16)
        .ok()
        .map(|number| SessionId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_every_form_and_nothing_else_is() {
        let id_of = |text: &str| read(text).map(|id| id.to_string());
        let uuid = "01020304-0506-0708-090a-0b0c0d0e0fff";
        assert_eq!(id_of(uuid).unwrap(), uuid);
        assert_eq!(id_of(&uuid.replace('-', "").to_uppercase()).unwrap(), uuid);
        assert_eq!(id_of(&format!("{{{uuid}}}")).unwrap(), uuid);
        assert_eq!(id_of(&format!("urn:uuid:{uuid}")).unwrap(), uuid);
        for (wrong, why) in [
            ("", "invalid UUID length: 0"),
            ("x", "invalid UUID length: 1"),
            ("01020304-0506-0708-090a-0b0c0d0e0ffg", "invalid UUID format"),
            ("010203040-506-0708-090a-0b0c0d0e0fff", "invalid UUID format"),
            ("-----------------------------------0", "invalid UUID format"),
            ("é1020304050607080900a0b0c0d0e0ff", "invalid UUID length: 33"),
            ("+1020304050607080900a0b0c0d0e0ff", "invalid UUID format"),
            (
                "(01020304-0506-0708-090a-0b0c0d0e0fff)",
                "invalid bracketed UUID format",
            ),
            (
                "urn:uuix:01020304-0506-0708-090a-0b0c0d0e0fff",
                "invalid urn prefix",
            ),
        ] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.to_string(), why, "{wrong}");
        }
    }
}
