//! `weft check`: what can be said of a fabric before it runs, from a NATS server's configuration file or monitoring port.
//! The node's own configuration is checked by its crate.

mod monitor;
mod nats_conf;
mod settings;

pub(crate) use monitor::{watch, with_monitor};

pub(crate) use settings::{Finding, Weight};
use settings::{Settings, judge};
use std::path::Path;

/// Reads a NATS server's configuration file and says what live media wants otherwise.
///
/// # Errors
/// When it cannot be read, with a sentence that names the place.
pub(crate) fn nats_conf(file: &Path) -> Result<Vec<Finding>, String> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let text = read(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let values = nats_conf::parse(&text, &mut |name| read(&folder.join(name)))
        .map_err(|problem| format!("{}: {problem}", file.display()))?;
    Ok(judge(&Settings::of_file(&values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_has_all_that_live_media_wants() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/nats.conf");
        let findings = nats_conf(&shipped).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        assert!(
            nats_conf(Path::new("nowhere.conf"))
                .unwrap_err()
                .starts_with("nowhere.conf cannot be read")
        );
    }
}
