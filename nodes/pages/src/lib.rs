//! Weft's web pages as the node serves them: the built files of `dist`, embedded in the binary, and the headers they go out
//! with. Which URL shows which page, and to whom, is decided by the faces that mount them.

#![forbid(unsafe_code)]

mod files;
mod serve;

pub use serve::{assets, page, page_told, refused};
