//! Still pictures of real nodes: other decoders take the files and see what a JPEG shows, and a classroom's worth of them a
//! second costs little and delays nobody.

mod classroom;
mod decoders;
mod guide;

use weft_testkit::fixture::Recipe;

/// Pictures of a camera: a key unit each 2 s.
const CAMERA: Recipe = Recipe {
    name: "camera",
    seconds: 20,
    size: (1280, 720),
    rate: 15,
    gop: 30,
    kbit: 1500,
};
