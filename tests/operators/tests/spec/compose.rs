//! The docker-compose block of the specification: what it needs of the program in place of the one it names.
//! Weft's own compose files are tested in `deploy`.

use super::weft::{scratch, shell, text};
use anyhow::{Context, Result, ensure};
use weft_testkit::tools;

/// The entries of a list in the block, without quotes and comments.
fn entries(compose: &str, key: &str) -> Vec<String> {
    let mut lines = compose.lines().map(str::trim);
    lines.find(|line| *line == format!("{key}:"));
    let list = lines.map_while(|line| line.strip_prefix("- "));
    let bare = |entry: &str| {
        entry
            .split("  #")
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"')
            .to_owned()
    };
    list.map(bare).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mount_is_a_file_that_weft_finds_and_the_ports_are_those_it_opens() -> Result<()> {
    let compose = text("docker-compose.yml")?;
    let _: serde_json::Value = serde_saphyr::from_str(&compose).context("not YAML")?;
    let mounts = entries(&compose, "volumes");
    ensure!(mounts == ["./mediamtx.yml:/mediamtx.yml"], "{mounts:?}");
    let (_, inside) = mounts[0].split_once(':').context("a mount")?;
    // It says where it looks, in this order; the container's folder has none of the others.
    let weft = tools::weft()?.canonicalize()?;
    let help = shell(&format!("{} --help", weft.display()), &scratch()?).await?;
    let at = |place: &str| {
        help.find(place)
            .with_context(|| format!("it does not look at {place}:\n{help}"))
    };
    let places = [
        at("./weft.yml")?,
        at("./mediamtx.yml")?,
        at(&format!(" {inside} "))?,
    ];
    ensure!(places.is_sorted(), "{help}");
    // And the file that the specification has is one it takes, with these ports.
    let folder = scratch()?;
    std::fs::write(folder.join("mediamtx.yml"), text("development.yml")?)?;
    let effective = shell(&format!("{} check", weft.display()), &folder).await?;
    let ports = entries(&compose, "ports");
    ensure!(ports.len() == 3, "{ports:?}");
    for port in ports {
        let (outside, inside) = port.split_once(':').context("two ports")?;
        ensure!(outside == inside, "{port}");
        let opened = effective.lines().any(|line| {
            let line = line.replace(['"', '\''], "");
            line.contains(&format!("Address: :{inside}"))
        });
        ensure!(
            opened,
            "port {port} is neither opened nor said to be unused:\n{effective}"
        );
    }
    Ok(())
}
