//! Instances of this machine: a directory each, `CATALOG/instances/i-…`, its owner's alone.
//!
//! | file | what is in it |
//! |---|---|
//! | `instance.json` | the [`Spec`], written before anything starts |
//! | `state.json` | [`State`], addresses, ports, accelerator: what the supervisor found and how things stand |
//! | `user-data` | as it was given; it may have secrets |
//! | `root.qcow2` | the root disk: an overlay over the image's, which is never changed |
//! | `ephemeral0.qcow2`, `volume-N.qcow2` | other disks |
//! | `console.log` | what the serial port has said; the room of what is older than 16 MiB is given back |
//! | `variables.fd` | UEFI's variables, where it boots by UEFI |
//! | `owner` | the supervisor's process, which has the directory locked (`flock`): as long as it is, the instance runs |
//! | `control`, `monitor`, `metadata` | Unix sockets: the supervisor's, QEMU's monitor, the metadata service |
//! | `supervisor.log` | what the supervisor and QEMU had to say |

mod begin;
mod disks;
mod files;
mod spec;
mod store;
mod terminate;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use spec::{Accel, DiskBus, Like, Port, Spec, Volume};
pub use store::{Instances, Program};

pub(crate) use begin::last_line;
pub(crate) use disks::make as make_disks;
pub(crate) use files::{Lock, Short, is_private, make_directory, read_small, read_value, write_value};

/// What an instance is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// EC2's words: `pending`, `running`, `stopped` (it switched itself off, or its supervisor was killed),
    /// `terminated`.
    pub name: String,
    /// Why it came to that.
    pub reason: Option<String>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// What it was asked to be.
    pub spec: Spec,
    /// What it does.
    pub state: State,
    /// Ports of 127.0.0.1 by the guest's: the one of SSH is always there.
    pub ports: std::collections::BTreeMap<u16, u16>,
    /// Its address in its private network, where it has one; else what it has in QEMU's user network.
    pub private_address: Option<String>,
    /// `kvm` or `tcg`, once it is known, and why.
    pub accel: Option<String>,
    /// The supervisor's process.
    pub process: Option<u32>,
    /// What people should know of it, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What the supervisor writes down in `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) state: State,
    pub(crate) ports: std::collections::BTreeMap<u16, u16>,
    pub(crate) private_address: Option<String>,
    pub(crate) accel: Option<String>,
    pub(crate) process: Option<u32>,
    /// It has never run.
    pub(crate) failed: bool,
    pub(crate) notes: Vec<String>,
}

impl Report {
    pub(crate) fn pending() -> Self {
        Self { state: State { name: "pending".to_owned(), reason: None }, ..Self::default() }
    }

    fn instance(self, spec: Spec) -> Instance {
        Instance {
            spec,
            state: self.state,
            ports: self.ports,
            private_address: self.private_address,
            accel: self.accel,
            process: self.process,
            notes: self.notes,
        }
    }
}
