//! Where an instance gets its identity and user-data from: detection by the machine's marks, seeds on
//! disks and in directories, metadata services.
//!
//! * [`local`]: what is asked of the machine.
//! * [`found`]: what a data source said.
//! * [`identify`](mod@identify): which data sources there are, by ds-identify's rules.
//! * [`nocloud`], [`config_drive`]: seeds on disks and in directories; [`seed`]: what they have in common.
//! * [`dmi`]: what SMBIOS says.
//! * [`superblock`]: which file system a block device holds, and its label.
//! * [`metadata`]: metadata as Python's dictionaries hold it.
//! * [`openstack_tree`]: OpenStack's metadata, on the disk and at the service the same.
//! * [`ec2`], [`openstack`], [`gce`]: metadata services, asked over the network.
//! * [`ec2_network`]: from EC2's metadata to a network configuration.
//! * [`platform`]: which of the clouds like EC2 this is.
//! * [`instance_id`]: which answers can be an instance's id.
//! * [`search`](mod@search): asking them all at once.
//! * [`settings`]: what the system's configuration says of data sources.
//! * [`clock`]: time, as an argument.
//! * [`testing`]: clouds in memory and behind a port, for tests.
#![forbid(unsafe_code)]

pub mod clock;
pub mod config_drive;
pub mod dmi;
pub mod ec2;
pub mod ec2_network;
pub mod found;
pub mod gce;
pub mod identify;
pub mod instance_id;
mod interfaces;
pub mod local;
pub mod metadata;
pub mod nocloud;
pub mod openstack;
pub mod openstack_tree;
pub mod platform;
pub mod search;
pub mod seed;
mod service;
pub mod settings;
pub mod superblock;
pub mod testing;

pub use found::{Found, Source};
pub use local::{BlockDevice, Local};
