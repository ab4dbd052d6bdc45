//! The files of `dist` by name, each with its type and a tag of its content. Answers are made of them in `serve`.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::LazyLock;

/// Name and bytes of each, as `build.rs` found them.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Characters of a content's hash that tell versions of a file apart.
const TAG: usize = 16;

/// One file of `dist`.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) body: &'static [u8],
    pub(crate) content_type: &'static str,
    pub(crate) tag: String,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    EMBEDDED
        .iter()
        .map(|&(name, body)| File {
            name,
            body,
            content_type: content_type(name),
            tag: tag(body),
        })
        .collect()
});

/// All of them, by name.
pub(crate) fn all() -> &'static [File] {
    &FILES
}

/// The file of this name.
pub(crate) fn named(name: &str) -> Option<&'static File> {
    FILES
        .binary_search_by(|file| file.name.cmp(name))
        .ok()
        .map(|at| &FILES[at])
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The hash of a content, as far as tags go.
pub(crate) fn tag(body: &[u8]) -> String {
    let mut tag = String::new();
    for byte in Sha256::digest(body).iter().take(TAG / 2) {
        // A string takes all.
        write!(tag, "{byte:02x}").ok();
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_name_and_has_a_type_that_browsers_take() {
        assert!(!all().is_empty());
        for file in all() {
            assert!(std::ptr::eq(named(file.name).unwrap(), file), "{}", file.name);
            assert_ne!(file.content_type, "application/octet-stream", "{}", file.name);
            assert_eq!(file.tag.len(), TAG, "{}", file.name);
        }
        assert!(named("weft.cs").is_none());
    }

    #[test]
    fn a_page_holds_no_script_or_style_of_its_own_for_the_policy_forbids_both() {
        for file in all().iter().filter(|file| file.name.ends_with(".html")) {
            let text = std::str::from_utf8(file.body).unwrap();
            for forbidden in ["<style", "style=\"", "onclick=", "onload=", "javascript:"] {
                assert!(!text.contains(forbidden), "{} in {}", forbidden, file.name);
            }
            for script in text.split("<script").skip(1) {
                assert!(
                    script.starts_with(" type=\"module\" src=\"/weft-pages/"),
                    "{}",
                    file.name
                );
            }
        }
    }

    #[test]
    fn names_of_streams_are_shown_as_text_and_never_as_markup() {
        for file in all().iter().filter(|file| file.name.ends_with(".js")) {
            let text = std::str::from_utf8(file.body).unwrap();
            for markup in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(markup), "{markup} in {}", file.name);
            }
        }
    }
}
