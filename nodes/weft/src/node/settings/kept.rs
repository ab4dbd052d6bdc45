//! Keeps what was set by the API where there is no NATS to keep it: in `fabric.settingsFile`, or for as long as the process
//! lives. What a setting says is no business of this file.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use weft_bus::memory::MemoryBus;
use weft_bus::{Error, PutError, Revision, Scope, Setting, SettingsStore, SettingsView};

/// The table of settings of one process, in a file.
pub(super) struct Kept {
    table: MemoryBus,
    file: Option<PathBuf>,
    /// What is in the file is what is in the table.
    writing: Mutex<()>,
}

impl Kept {
    /// With what the file says; one that is not there is made at the first change.
    ///
    /// # Errors
    /// When it is there and cannot be read: nobody should lose settings by a mistake in a path.
    pub(super) async fn open(file: Option<PathBuf>) -> std::io::Result<Self> {
        let table = MemoryBus::new();
        if let Some(file) = &file {
            for (key, value) in read(file)? {
                let Some(scope) = Scope::from_key(&key) else {
                    tracing::warn!(file = %file.display(), key, "no setting has this key; passed over");
                    continue;
                };
                let put = table.put(scope, value.to_string().into(), None).await;
                put.map_err(std::io::Error::other)?;
            }
        }
        Ok(Self {
            table,
            file,
            writing: Mutex::new(()),
        })
    }

    /// Writes the file as it is to be; nothing is done where there is none.
    async fn write(&self, settings: &BTreeMap<Scope, Setting>) -> Result<(), Error> {
        let Some(file) = self.file.clone() else {
            tracing::warn!(
                "what was set is kept until this process ends: there is neither NATS nor fabric.settingsFile to keep it"
            );
            return Ok(());
        };
        let keys: BTreeMap<String, serde_json::Value> = settings
            .iter()
            .filter_map(|(scope, setting)| Some((scope.key(), serde_json::from_str(&setting.value).ok()?)))
            .collect();
        let text = serde_json::to_vec_pretty(&keys).map_err(|e| Error::Refused(e.to_string()))?;
        let name = file.display().to_string();
        let written = tokio::task::spawn_blocking(move || replace(&file, &text)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::Away(format!("{name} cannot be written: {error}"))),
            Err(error) => Err(Error::Away(error.to_string())),
        }
    }

    /// Whether the scope stands as the writer says, and all settings.
    fn settings(&self, scope: &Scope, over: Option<Revision>) -> Result<BTreeMap<Scope, Setting>, PutError> {
        let settings = self.table.view().borrow().settings.clone();
        if settings.get(scope).map(|setting| setting.revision) == over {
            Ok(settings)
        } else {
            Err(PutError::Changed)
        }
    }
}

fn read(file: &Path) -> std::io::Result<BTreeMap<String, serde_json::Value>> {
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map_err(std::io::Error::other),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Puts a new file in the place of the old one, whole or not at all; it holds secrets and is for its owner alone.
fn replace(file: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    out.write_all(text)?;
    out.sync_all()?;
    std::fs::rename(&new, file)
}

impl SettingsStore for Kept {
    fn get(&self, scope: Scope) -> BoxFuture<'_, Result<Option<Setting>, Error>> {
        self.table.get(scope)
    }

    fn put(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> BoxFuture<'_, Result<Revision, PutError>> {
        async move {
            let _writing = self.writing.lock().await;
            let mut settings = self.settings(&scope, over)?;
            let setting = Setting {
                value: value.clone(),
                revision: Revision::default(),
            };
            settings.insert(scope.clone(), setting);
            self.write(&settings).await?;
            self.table.put(scope, value, over).await
        }
        .boxed()
    }

    fn delete(&self, scope: Scope, over: Revision) -> BoxFuture<'_, Result<(), PutError>> {
        async move {
            let _writing = self.writing.lock().await;
            let mut settings = self.settings(&scope, Some(over))?;
            settings.remove(&scope);
            self.write(&settings).await?;
            self.table.delete(scope, over).await
        }
        .boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<SettingsView>> {
        self.table.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_set_is_there_after_a_restart_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let file = std::env::temp_dir().join(format!("weft-kept-{}.json", std::process::id()));
        drop(std::fs::remove_file(&file));
        let path = |name: &str| Scope::Path(name.to_owned());
        let kept = Kept::open(Some(file.clone())).await.unwrap();
        kept.put(path("a/b"), r#"{"patch":{}}"#.into(), None)
            .await
            .unwrap();
        let gone = kept.put(path("x"), r#""deleted""#.into(), None).await.unwrap();
        assert!(matches!(
            kept.put(path("x"), "{}".into(), None).await,
            Err(PutError::Changed)
        ));
        kept.delete(path("x"), gone).await.unwrap();
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = Kept::open(Some(file.clone())).await.unwrap();
        let view = again.view().borrow().clone();
        assert_eq!(view.settings.keys().collect::<Vec<_>>(), [&path("a/b")]);
        assert_eq!(&*view.settings[&path("a/b")].value, r#"{"patch":{}}"#);
        std::fs::write(&file, "no").unwrap();
        assert!(Kept::open(Some(file.clone())).await.is_err());
        std::fs::remove_file(&file).unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_taken() {
        let kept = Kept::open(Some("/nonexistent-place/settings.json".into()))
            .await
            .unwrap();
        let put = kept.put(Scope::Global, "{}".into(), None).await;
        assert!(matches!(put, Err(PutError::Bus(_))), "{put:?}");
        assert!(kept.view().borrow().settings.is_empty());
    }
}
