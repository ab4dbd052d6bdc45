//! Lists the files of `dist` for the crate to embed, so that a new page needs no line of Rust. Building them is npm's
//! business, see `build`.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=dist");
    println!("cargo::rerun-if-changed=build.rs");
    let dist =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder")).join("dist");
    let mut names: Vec<String> = fs::read_dir(&dist)
        .expect("nodes/pages/dist is there; nodes/pages/build makes it")
        .map(|entry| {
            entry
                .expect("a file of dist")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    names.sort();
    let mut table = String::from("&[\n");
    for name in names {
        let path = dist.join(&name);
        writeln!(table, "    ({name:?}, include_bytes!({path:?}) as &[u8]),").expect("a string takes all");
    }
    table.push(']');
    let out = env::var("OUT_DIR").expect("cargo names the folder for what is generated");
    fs::write(Path::new(&out).join("files.rs"), table).expect("the folder can be written");
}
