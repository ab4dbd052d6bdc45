//! Two networks joined by one cable, as namespaces of the kernel: one for a node, one for a client. Gone when dropped.
//! What runs in them is the test's business.

use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use weft_testkit::tools;

/// The node's address.
pub(super) const NODE_ADDRESS: &str = "10.77.7.1";
/// The client's.
pub(super) const CLIENT_ADDRESS: &str = "10.77.7.2";

/// The two networks.
pub(super) struct Network {
    node: String,
    client: String,
    files: PathBuf,
}

impl Network {
    pub(super) fn new() -> Result<Self> {
        sweep();
        let id = std::process::id();
        let network = Self {
            node: format!("weft-{id}-node"),
            client: format!("weft-{id}-client"),
            files: tools::scratch("test-nodes")?.join(format!("{id}-school")),
        };
        std::fs::create_dir_all(&network.files)?;
        // The name of an interface has 15 letters at most.
        let (a, b) = (format!("wn{id}"), format!("wc{id}"));
        for name in [&network.node, &network.client] {
            ip(&["netns", "add", name]).context(
                "network namespaces cannot be made, and nothing else shows what a network without UDP does: run this as \
                 root (CAP_NET_ADMIN and CAP_SYS_ADMIN), with iproute2 installed (tests/setup)",
            )?;
        }
        let cable = ["link", "add", &a, "netns", &network.node, "type", "veth"];
        ip(&[cable.as_slice(), &["peer", "name", &b, "netns", &network.client]].concat())?;
        for (name, interface, address) in [
            (&network.node, &a, NODE_ADDRESS),
            (&network.client, &b, CLIENT_ADDRESS),
        ] {
            let address = format!("{address}/24");
            ip(&["-n", name, "addr", "add", &address, "dev", interface])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", interface, "up"])?;
        }
        Ok(network)
    }

    /// No datagram leaves the client's network, and none is answered.
    pub(super) fn block_udp(&self) -> Result<()> {
        for name in [&self.client, &self.node] {
            ip(&["-n", name, "rule", "add", "ipproto", "udp", "prohibit"])?;
        }
        Ok(())
    }

    /// A file for the test; it goes with the networks.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// A command to run beside the node.
    pub(super) fn node_side(&self, program: PathBuf) -> Command {
        inside(&self.node, program.into())
    }

    /// A command to run where the client is.
    pub(super) fn client_side(&self, program: OsString) -> Command {
        inside(&self.client, program)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What ran in them was started after this and has ended before; the cable goes with its ends.
        for name in [&self.client, &self.node] {
            drop(ip(&["netns", "delete", name]));
        }
        drop(std::fs::remove_dir_all(&self.files));
    }
}

/// Removes the networks of runs that were killed: nobody else does.
fn sweep() {
    let names = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name
            .strip_prefix("weft-")
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            drop(ip(&["netns", "delete", &name]));
        }
    }
}

fn inside(name: &str, program: OsString) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]).arg(program);
    command
}

fn ip(arguments: &[&str]) -> Result<()> {
    let told = Command::new("ip").args(arguments).output();
    let told = told.context("no `ip`: tests/setup installs iproute2")?;
    let error = String::from_utf8_lossy(&told.stderr).trim().to_owned();
    ensure!(told.status.success(), "ip {}: {error}", arguments.join(" "));
    Ok(())
}
