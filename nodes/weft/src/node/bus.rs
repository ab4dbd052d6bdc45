//! Which bus a node stands on: the in-process one where no NATS server is named, NATS otherwise.
//! How each works is `weft-bus`'s business.

use super::{Role, StartError, settings};
use std::path::Path;
use std::sync::Arc;
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{Credentials, Ends, NatsBus, NatsConfig};
use weft_config::Fabric;
use weft_wire::NodeName;

/// Bus, registry, leases and settings for a role.
pub(crate) async fn connect(fabric: &Fabric, role: Role, node: &NodeName) -> Result<Ends, StartError> {
    let nats = &fabric.nats;
    if nats.servers.is_empty() {
        if role != Role::Standalone {
            return Err(StartError::NoNats(role.as_str()));
        }
        let bus = MemoryBus::new();
        return Ok(Ends {
            bus: Arc::new(bus.clone()),
            registry: Arc::new(bus.clone()),
            leases: Arc::new(bus),
            settings: settings::alone(fabric.settings_file.clone()).await?,
        });
    }
    let mut config = NatsConfig::new(nats.servers.clone(), role.as_str(), node.clone());
    config.credentials = credentials(nats)?;
    config.tls.authorities.clone_from(&nats.ca_file);
    config.replicas = nats.replicas;
    Ok(NatsBus::connect_with_settings(config).await?)
}

fn credentials(nats: &weft_config::Nats) -> Result<Credentials, StartError> {
    Ok(if !nats.token.is_empty() {
        Credentials::Token(nats.token.expose().to_owned())
    } else if let Some(path) = &nats.credentials_file {
        Credentials::File(path.clone())
    } else if let Some(path) = &nats.nkey_file {
        Credentials::NkeySeed(read("fabric.nats.nkeyFile", path)?.trim().to_owned())
    } else if nats.user.is_empty() {
        Credentials::None
    } else {
        Credentials::User {
            user: nats.user.clone(),
            password: nats.password.expose().to_owned(),
        }
    })
}

fn read(key: &'static str, path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::File {
        key,
        path: path.display().to_string(),
        source,
    })
}
