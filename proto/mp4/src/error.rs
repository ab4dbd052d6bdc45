//! What cannot be written as MP4, and why.
//! Units that are merely damaged never come here: the fabric drops them.

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A video track whose parameter sets have not been seen.
    #[error("the picture's parameter sets are not known yet")]
    NoParameterSets,
    /// A track of a codec that has no place in MP4 here.
    #[error("no way to write a track of codec {0} as MP4")]
    Codec(weft_wire::Codec),
    /// No track or no sample was given.
    #[error("nothing to write")]
    Empty,
    /// A length or time is beyond what the boxes hold.
    #[error("a fragment of {0} bytes is too large for MP4's fields")]
    TooLarge(usize),
    /// The box writer's own complaint.
    #[error("box not written: {0}")]
    Boxes(#[from] mp4_atom::Error),
}
