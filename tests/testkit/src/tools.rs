//! Where the installed clients, scripts and the built `weft` binary are. Installing them is `tests/setup`'s business.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// The root of the work tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The build directory the running test came from (`target`, or what CARGO_TARGET_DIR says).
pub fn target() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    // target/debug/deps/<test>
    test.ancestors()
        .nth(3)
        .map(Path::to_path_buf)
        .context("a test binary outside a target directory")
}

/// A directory of our own below `target`, made if missing.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let path = target()?.join(name);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// The `weft` binary that was built with the tests.
pub fn weft() -> Result<PathBuf> {
    let path = target()?.join("debug/weft");
    ensure!(
        path.exists(),
        "{} is missing: run tests/run build",
        path.display()
    );
    Ok(path)
}

/// FFmpeg 9, which can publish by WHIP.
pub fn ffmpeg() -> Result<PathBuf> {
    installed("bin/ffmpeg")
}

/// Python with PyAV, OpenCV and aiortc.
pub fn python() -> Result<PathBuf> {
    installed("venv/bin/python")
}

/// Debian's Python, the one that has GStreamer's bindings.
pub fn system_python() -> PathBuf {
    PathBuf::from("/usr/bin/python3")
}

/// The folder that holds `node_modules` with playwright-core.
pub fn node_modules() -> Result<PathBuf> {
    installed("node/node_modules")
}

/// A script of the test tree, by its path below `tests/`.
pub fn script(path: &str) -> PathBuf {
    root().join("tests").join(path)
}

fn installed(path: &str) -> Result<PathBuf> {
    let path = root().join("target/tools").join(path);
    ensure!(path.exists(), "{} is missing: run tests/setup", path.display());
    Ok(path)
}
