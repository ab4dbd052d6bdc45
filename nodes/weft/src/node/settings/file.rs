//! Watches the configuration's file: looks at it each second, and gives its text once it has changed and stands still.
//! What the text means, and whether it can be used, is decided by who asked.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A file that is being written is looked at again after this long.
const STILL: Duration = Duration::from_millis(150);
/// A time stamp this young may stay the same although more is written.
const YOUNG: Duration = Duration::from_secs(3);

/// What a look shows without reading: another file (editors and config maps put one in its place), length or time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    id: u64,
    length: u64,
    written: Option<SystemTime>,
}

/// They go on beside whatever else is waited for.
fn looks() -> Interval {
    let mut looks = interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// A file that is watched.
pub(super) struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// The text given last.
    text: String,
    looks: Interval,
    /// That it cannot be read has been said.
    complained: bool,
}

impl Watched {
    /// Watches a file whose text is known.
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self {
            path: path.to_owned(),
            stamp: None,
            text,
            looks: looks(),
            complained: false,
        }
    }

    /// Waits until the text is another one than the last and gives it. Cancel-safe.
    pub(super) async fn changed(&mut self) -> String {
        loop {
            self.looks.tick().await;
            if let Some(text) = self.look().await {
                self.text.clone_from(&text);
                return text;
            }
        }
    }

    async fn look(&mut self) -> Option<String> {
        let before = self.stamp().await?;
        let young = before
            .written
            .and_then(|at| at.elapsed().ok())
            .is_none_or(|age| age < YOUNG);
        if self.stamp.as_ref() == Some(&before) && !young {
            return None;
        }
        let text = self.read().await?;
        if text == self.text {
            self.stamp = Some(before);
            return None;
        }
        // In the middle of being written it may even look like a valid file: half of one, or an empty one.
        sleep(STILL).await;
        if self.read().await? != text || self.stamp().await? != before {
            return None;
        }
        if text.trim().is_empty() {
            self.complain("it is empty, which is taken for a file that is being written");
            return None;
        }
        self.complained = false;
        self.stamp = Some(before);
        Some(text)
    }

    async fn stamp(&mut self) -> Option<Stamp> {
        // A link is followed: config maps are links whose target is exchanged.
        match tokio::fs::metadata(&self.path).await {
            Ok(found) => Some(Stamp {
                id: std::os::unix::fs::MetadataExt::ino(&found),
                length: found.len(),
                written: found.modified().ok(),
            }),
            Err(error) => {
                self.complain(&error.to_string());
                None
            }
        }
    }

    async fn read(&mut self) -> Option<String> {
        match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => Some(text),
            Err(error) => {
                self.complain(&error.to_string());
                None
            }
        }
    }

    /// Says it once.
    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                file = %self.path.display(),
                why,
                "the configuration file cannot be read; what was read before stays"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("weft-watch-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }

        fn file(&self) -> PathBuf {
            self.0.join("weft.yml")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    async fn next(watched: &mut Watched) -> Option<String> {
        timeout(Duration::from_millis(2_500), watched.changed())
            .await
            .ok()
    }

    #[tokio::test]
    async fn a_file_written_in_place_renamed_over_or_linked_anew_is_seen() {
        let scratch = Scratch::new("seen");
        let file = scratch.file();
        std::fs::write(&file, "a").unwrap();
        let mut watched = Watched::new(&file, "a".to_owned());
        std::fs::write(&file, "b").unwrap();
        assert_eq!(next(&mut watched).await.as_deref(), Some("b"));
        // As editors do.
        std::fs::write(scratch.0.join("new"), "c").unwrap();
        std::fs::rename(scratch.0.join("new"), &file).unwrap();
        assert_eq!(next(&mut watched).await.as_deref(), Some("c"));
        // As Kubernetes does.
        let (one, two) = (scratch.0.join("one"), scratch.0.join("two"));
        std::fs::create_dir_all(&one).unwrap();
        std::fs::create_dir_all(&two).unwrap();
        std::fs::write(one.join("weft.yml"), "c").unwrap();
        std::fs::write(two.join("weft.yml"), "d").unwrap();
        std::os::unix::fs::symlink(&one, scratch.0.join("..data")).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("..data/weft.yml", &file).unwrap();
        assert_eq!(next(&mut watched).await, None, "the same text");
        std::os::unix::fs::symlink(&two, scratch.0.join("..new")).unwrap();
        std::fs::rename(scratch.0.join("..new"), scratch.0.join("..data")).unwrap();
        assert_eq!(next(&mut watched).await.as_deref(), Some("d"));
    }

    #[tokio::test]
    async fn a_file_that_is_touched_gone_or_empty_changes_nothing() {
        let scratch = Scratch::new("nothing");
        let file = scratch.file();
        std::fs::write(&file, "a").unwrap();
        let mut watched = Watched::new(&file, "a".to_owned());
        std::fs::write(&file, "a").unwrap();
        assert_eq!(next(&mut watched).await, None);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(next(&mut watched).await, None);
        std::fs::write(&file, " \n").unwrap();
        assert_eq!(next(&mut watched).await, None);
        std::fs::write(&file, "b").unwrap();
        assert_eq!(next(&mut watched).await.as_deref(), Some("b"));
    }
}
