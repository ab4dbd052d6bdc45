//! `/v3/config`: the settings of the whole fabric, shown and changed with MediaMTX's key names.
//! Where they are kept, and what a change touches, is the node's business.

mod body;
mod configurator;
mod show;
mod write;

pub use configurator::{Configurator, NotChanged};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::orders::Done;
use crate::routes::Control;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A JSON object with keys of the configuration file.
type Keys = BTreeMap<String, Value>;

const FIXED: &str = "This node has no settings of the fabric, or the store that keeps them is away";
const INVALID: &str = "This is no JSON object, or an unknown key, a value that its key cannot have, or a key that is a node's own";
const TOO_LONG: &str = "The body is longer than 128 KiB";
const NO_PATH: &str = "There is no such path in the configuration";

/// The routes; their paths begin with `/config`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut table = vec![
        shown(Endpoint::get(
            "/config/get",
            show::all,
            "The whole configuration, paths under `paths`",
        )),
        shown(Endpoint::get(
            "/config/global/get",
            show::global,
            "All keys above the paths",
        )),
        changes(Endpoint::patch(
            "/config/global/patch",
            write::patch_global,
            "Sets keys above the paths, on every node",
        )),
        shown(Endpoint::get(
            "/config/pathdefaults/get",
            show::path_defaults,
            "What paths are that do not say otherwise",
        )),
        changes(Endpoint::patch(
            "/config/pathdefaults/patch",
            write::patch_path_defaults,
            "Sets what paths are that do not say otherwise, on every node",
        )),
        Endpoint::get(
            "/config/paths/list",
            show::paths,
            "All paths of the configuration, by name",
        )
        .lists::<Keys>("Paths")
        .fails(503, FIXED),
        shown(Endpoint::get(
            "/config/paths/get/{name:.*}",
            show::path,
            "A path of the configuration",
        ))
        .fails(404, NO_PATH),
        changes(Endpoint::post(
            "/config/paths/add/{name:.*}",
            write::add_path,
            "Adds a path, on every node",
        )),
        changes(Endpoint::patch(
            "/config/paths/patch/{name:.*}",
            write::patch_path,
            "Sets keys of a path, on every node",
        ))
        .fails(404, NO_PATH),
        changes(Endpoint::post(
            "/config/paths/replace/{name:.*}",
            write::replace_path,
            "Puts a path in the place of the one that is there, or adds it, on every node",
        )),
    ];
    table.push(
        Endpoint::delete(
            "/config/paths/delete/{name:.*}",
            write::delete_path,
            "Takes a path away, on every node",
        )
        .gives::<Done>("It is gone, and its publishers and readers are closed unless another path takes them")
        .fails(400, "This is no name of a path")
        .fails(404, NO_PATH)
        .fails(503, FIXED),
    );
    table
}

fn shown(endpoint: Endpoint) -> Endpoint {
    endpoint
        .gives::<Keys>("Keys of the configuration file; secrets are `<redacted>`")
        .fails(503, FIXED)
}

fn changes(endpoint: Endpoint) -> Endpoint {
    endpoint
        .takes::<Keys>("Keys of the configuration file")
        .gives::<Done>("It holds on this node and is kept; the others follow within a second")
        .fails(400, INVALID)
        .fails(413, TOO_LONG)
        .fails(503, FIXED)
}

/// Who has the configuration.
fn configurator(control: &Control) -> Result<&Arc<dyn Configurator>, Error> {
    control
        .configurator
        .as_ref()
        .ok_or_else(|| Error::Unavailable("the configuration of this node is fixed".to_owned()))
}
