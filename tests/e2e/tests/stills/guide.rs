//! docs/guides/pictures.md: its commands and its program are run as they are written, but for the port.
//! What the files hold is looked at in `decoders`.

use super::CAMERA;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use weft_testkit::node::{Plan, Role};
use weft_testkit::{fixture, publish, tools};

fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let bodies = text
        .split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    bodies.map(str::to_owned).collect()
}

async fn run(program: &Path, argument: &str, folder: &Path) -> Result<String> {
    let mut command = Command::new(program);
    let output = command
        .args(["-c", argument])
        .current_dir(folder)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && trouble.is_empty(),
        "{argument}: {said}{trouble}"
    );
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guide_gives_a_picture() -> Result<()> {
    let guide = std::fs::read_to_string(tools::root().join("docs/guides/pictures.md"))?;
    let node = Plan::new(Role::Standalone).start().await?;
    let _camera = publish::ffmpeg_copy(&node.whip("cam")?, &fixture::clip(CAMERA)?)?;
    node.wait_for("cam", Duration::from_secs(15)).await?;
    let folder = tools::scratch(&format!("test-guide-pictures-{}", std::process::id()))?;
    let here = |text: &str| -> Result<String> { Ok(text.replace("localhost:8889", node.address("webrtc")?)) };
    let commands = blocks(&guide, "sh").concat();
    for line in commands.lines() {
        run(Path::new("sh"), &here(line)?, &folder).await?;
    }
    for (file, start) in [
        ("cam.jpg", &[0xff, 0xd8][..]),
        ("small.jpg", &[0xff, 0xd8]),
        ("cam.h264", &[0, 0, 0, 1]),
    ] {
        let bytes = std::fs::read(folder.join(file)).with_context(|| file.to_owned())?;
        ensure!(bytes.starts_with(start), "{file} begins with {:?}", &bytes[..4]);
    }
    ensure!(
        &std::fs::read(folder.join("cam.mp4"))?[4..8] == b"ftyp",
        "cam.mp4 is none"
    );
    let [program] = &blocks(&guide, "python")[..] else {
        anyhow::bail!("the guide has other programs than the test knows");
    };
    let said = run(&tools::system_python(), &here(program)?, &folder).await?;
    let lines: Vec<&str> = said.lines().collect();
    let shows = |line: &&&str| line.contains("Z ") && line.ends_with(" bytes");
    ensure!(
        lines.len() == 3 && lines.iter().filter(shows).count() >= 1,
        "{said}"
    );
    ensure!(
        lines
            .iter()
            .all(|line| line.ends_with("bytes") || *line == "nothing new"),
        "{said}"
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
