//! Clips made by FFmpeg at test time, kept under the build directory, with the fingerprint of each access unit in them.
//! Nothing large is committed; every picture of a clip differs from every other, so an order or a hole shows.

use crate::tools;
use crate::units::{SourceUnit, source_units};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// H.264 with Opus in a Matroska file.
#[derive(Debug, Clone)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Its video alone, as an Annex-B byte stream.
    pub raw: PathBuf,
    /// Its access units in order.
    pub units: Vec<SourceUnit>,
    /// Pictures a second.
    pub rate: u32,
}

/// How a clip is made.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The file's name without ending.
    pub name: &'static str,
    /// Seconds of play.
    pub seconds: u32,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Pictures a second.
    pub rate: u32,
    /// Pictures from one key picture to the next.
    pub gop: u32,
    /// Video bit rate in kbit/s.
    pub kbit: u32,
}

/// One minute at 25 pictures a second, a key picture each 2 s, 800 kbit/s and Opus; access unit delimiters are in it.
pub const MINUTE: Recipe = Recipe {
    name: "minute",
    seconds: 60,
    size: (640, 360),
    rate: 25,
    gop: 50,
    kbit: 800,
};

/// As `MINUTE`, small enough for dozens at once.
pub const LIGHT: Recipe = Recipe {
    name: "light",
    seconds: 60,
    size: (320, 180),
    rate: 15,
    gop: 30,
    kbit: 200,
};

/// The clip of a recipe, made on first use.
pub fn clip(recipe: Recipe) -> Result<Clip> {
    let folder = tools::scratch("fixtures")?;
    let path = folder.join(format!("{}.mkv", recipe.name));
    let raw = folder.join(format!("{}.h264", recipe.name));
    if !raw.exists() {
        // Written under a name of its own and renamed, so that tests running side by side never see half a file.
        let part = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            folder.join(format!("part-{}-{name}", std::process::id()))
        };
        encode(recipe, &part(&path))?;
        ffmpeg(&[
            "-i",
            &part(&path).to_string_lossy(),
            "-an",
            "-c:v",
            "copy",
            "-bsf:v",
            "h264_mp4toannexb",
            "-f",
            "h264",
            &part(&raw).to_string_lossy(),
        ])?;
        std::fs::rename(part(&path), &path)?;
        std::fs::rename(part(&raw), &raw)?;
    }
    let units = source_units(&std::fs::read(&raw)?);
    let mut distinct: Vec<_> = units.iter().map(|unit| unit.fingerprint).collect();
    distinct.sort_unstable();
    distinct.dedup();
    ensure!(
        units.len() == (recipe.seconds * recipe.rate) as usize,
        "{} units in {raw:?}",
        units.len()
    );
    ensure!(distinct.len() == units.len(), "two equal units in {raw:?}");
    Ok(Clip {
        path,
        raw,
        units,
        rate: recipe.rate,
    })
}

fn encode(recipe: Recipe, path: &Path) -> Result<()> {
    let Recipe {
        seconds,
        size: (width, height),
        rate,
        gop,
        kbit,
        ..
    } = recipe;
    let filter = format!(
        "testsrc2=s={width}x{height}:r={rate}[p];sine=440:r=48000[a];[p]noise=alls=6:allf=t,format=yuv420p[v]"
    );
    let number = |value: u32| value.to_string();
    let (seconds, gop, rate) = (number(seconds), number(gop), format!("{kbit}k"));
    ffmpeg(&[
        "-filter_complex",
        &filter,
        "-map",
        "[v]",
        "-map",
        "[a]",
        "-t",
        &seconds,
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-x264-params",
        "aud=1:scenecut=0:slices=2",
        "-g",
        &gop,
        "-keyint_min",
        &gop,
        "-b:v",
        &rate,
        "-maxrate",
        &rate,
        "-bufsize",
        &rate,
        "-c:a",
        "libopus",
        "-ac",
        "2",
        "-b:a",
        "48k",
        "-f",
        "matroska",
        &path.to_string_lossy(),
    ])
}

/// Runs FFmpeg to its end.
pub fn ffmpeg(arguments: &[&str]) -> Result<()> {
    let output = Command::new(tools::ffmpeg()?)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    ensure!(
        output.status.success(),
        "ffmpeg {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
