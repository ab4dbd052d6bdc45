//! docs/guides/authentication.md: every YAML block of it loads, and says what it seems to say.
//! What the rest of it claims is in `matrix`.

use anyhow::{Context, Result, ensure};
use std::process::Command;
use weft_testkit::tools;

#[test]
fn every_configuration_in_the_guide_loads() -> Result<()> {
    let guide = std::fs::read_to_string(tools::root().join("docs/guides/authentication.md"))?;
    let blocks: Vec<_> = guide
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    ensure!(blocks.len() >= 5, "{} blocks", blocks.len());
    let folder = tools::scratch("guide")?;
    for (n, block) in blocks.iter().enumerate() {
        let file = folder.join(format!("authentication-{}-{n}.yml", std::process::id()));
        std::fs::write(&file, block)?;
        let checked = Command::new(tools::weft()?)
            .args(["check", "--config"])
            .arg(&file)
            .output()
            .context("weft check")?;
        let said =
            String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        ensure!(checked.status.success(), "block {n}:\n{block}\n{said}");
        ensure!(
            !said.contains("no effect"),
            "block {n} has keys that do nothing:\n{said}"
        );
    }
    Ok(())
}
