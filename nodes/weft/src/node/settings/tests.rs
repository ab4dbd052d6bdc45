//! What is in force when the file and what was set by the API change by turns, also where they do not go together.
//! Real files, nodes and sessions are the operators' tests' business.

use super::*;
use weft_bus::Setting;
use weft_config::{PathConf, Source};

const PULLED: &str = "paths:\n  a:\n    source: rtsp://camera/\n";
const OWN: &str = "paths:\n  a:\n  b:\n";

fn settings(text: &str) -> Settings {
    let base = Base {
        file: Some("weft.yml".into()),
        ..Base::default()
    };
    let layers = base.parse(text, "weft.yml").unwrap();
    let config = watch::Sender::new(Arc::new(layers.config().unwrap()));
    Settings::new(base, layers, Arc::new(weft_bus::memory::MemoryBus::new()), config)
}

/// `a` comes on demand, which only what is pulled can.
fn on_demand(is_set: bool) -> Arc<SettingsView> {
    let setting = Setting {
        value: r#"{"patch":{"sourceOnDemand":true}}"#.into(),
        revision: weft_bus::Revision::default(),
    };
    let set = is_set.then(|| (Scope::Path("a".to_owned()), setting));
    Arc::new(SettingsView {
        settings: set.into_iter().collect(),
        listed: true,
    })
}

fn path(settings: &Settings, name: &str) -> Option<PathConf> {
    let config = settings.0.config.borrow().clone();
    config
        .paths
        .iter()
        .find(|conf| conf.name == name)
        .map(|conf| (**conf).clone())
}

#[test]
fn a_file_that_did_not_go_with_what_was_set_holds_once_that_is_taken_back() {
    let settings = settings(PULLED);
    assert!(settings.take_set(&on_demand(true)).is_some());
    assert!(settings.take_file(OWN).is_none(), "nothing to pull on demand");
    assert!(path(&settings, "b").is_none());
    assert!(settings.take_set(&on_demand(false)).is_some());
    assert_eq!(path(&settings, "a").unwrap().source, Source::Publisher);
    assert!(path(&settings, "b").is_some(), "the file as it is");
}

#[test]
fn what_was_set_and_did_not_go_with_the_file_holds_once_the_file_is_another() {
    let settings = settings(OWN);
    assert!(settings.take_set(&on_demand(true)).is_none());
    assert!(path(&settings, "b").is_some());
    assert!(settings.take_file(PULLED).is_some());
    assert!(path(&settings, "a").unwrap().source_on_demand);
}

#[test]
fn what_is_set_while_the_file_cannot_be_used_holds_above_the_one_before() {
    let settings = settings(PULLED);
    assert!(settings.take_set(&on_demand(true)).is_some());
    assert!(settings.take_file(OWN).is_none());
    let mut view = SettingsView::clone(&on_demand(true));
    let level = Setting {
        value: r#"{"patch":{"logLevel":"debug"}}"#.into(),
        revision: weft_bus::Revision::default(),
    };
    view.settings.insert(Scope::Global, level);
    assert!(settings.take_set(&Arc::new(view)).is_some());
    assert_eq!(settings.0.config.borrow().log_level, weft_config::LogLevel::Debug);
    assert!(path(&settings, "a").unwrap().source_on_demand);
}
