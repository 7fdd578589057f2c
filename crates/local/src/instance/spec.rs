//! What an instance is asked to be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whose metadata service and SMBIOS marks an instance sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Like {
    /// EC2's: a UUID that begins with `ec2`, tokens.
    #[default]
    Ec2,
    /// Eucalyptus': no marks, no tokens.
    Eucalyptus,
}

/// How disks are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskBus {
    /// `/dev/vda`, `/dev/vdb` ….
    #[default]
    Virtio,
    /// `/dev/nvme0n1`, `/dev/nvme1n1` …, with serial numbers as EBS' on Nitro.
    Nvme,
}

/// Who computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// KVM where it works with this image, else TCG.
    #[default]
    Auto,
    /// KVM.
    Kvm,
    /// QEMU's own.
    Tcg,
}

/// A disk beside the root, empty at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Bytes.
    pub size: u64,
    /// Where the guest is told that it is: `/dev/vdc`. Volumes are attached in the order of their names.
    pub device: String,
}

/// A port of the guest that is found at 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The guest's.
    pub guest: u16,
    /// The one here; a free one where none is given.
    pub host: Option<u16>,
}

/// What an instance is asked to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// `i-` and 17 hexadecimal digits.
    pub id: String,
    /// Its reservation, `r-…`: what was launched together.
    pub reservation: String,
    /// Its place in the reservation, from 0.
    pub launch_index: u32,
    /// The image's id; empty for a machine that boots from the network and has no disk of an image.
    pub image: String,
    /// The image's disk (qcow2); it is not changed.
    pub disk: Option<PathBuf>,
    /// `x86_64`.
    pub architecture: String,
    /// It boots by UEFI alone.
    pub uefi: bool,
    /// Its type: `t3.small`.
    pub instance_type: String,
    /// Processors.
    pub processors: u32,
    /// MiB of memory.
    pub memory: u64,
    /// Whom it takes this machine for.
    pub like: Like,
    /// How its disks are attached.
    pub disk_bus: DiskBus,
    /// Who computes.
    pub accel: Accel,
    /// The key pair's name, and its public key in OpenSSH's format.
    pub key: Option<(String, String)>,
    /// Names of security groups, for the metadata only: nothing is filtered here.
    pub groups: Vec<String>,
    /// Bytes of the root disk where it is larger than the image's.
    pub root_size: Option<u64>,
    /// Bytes of the ephemeral disk, the second one; none where it is `None`.
    pub ephemeral: Option<u64>,
    /// Further disks.
    pub volumes: Vec<Volume>,
    /// Ports.
    pub ports: Vec<Port>,
    /// The private network that its second card (the only one of a machine that boots from it) is in.
    pub network: Option<String>,
    /// That network is a multicast group of this host instead of a switch.
    pub multicast: bool,
    /// What passes the private network's card, or the only one, goes there in pcap's format: a file or a named pipe.
    pub capture: Option<PathBuf>,
    /// It boots from the network once.
    pub netboot: bool,
    /// Tokens are required of the metadata service, and v1 is refused.
    pub imds_v2: bool,
    /// Tags.
    pub tags: std::collections::BTreeMap<String, String>,
    /// Seconds since 1970.
    pub launched: u64,
}
