//! Where an instance gets its identity and user-data from: detection by the machine's marks, seeds on
//! disks and in directories, metadata services.
//!
//! * [`local`]: what is asked of the machine.
//! * [`found`]: what a data source said.
//! * [`metadata`]: metadata as Python's dictionaries hold it.
//! * [`openstack_tree`]: OpenStack's metadata, on the disk and at the service the same.
#![forbid(unsafe_code)]

pub mod found;
pub mod local;
pub mod metadata;
pub mod openstack_tree;

pub use found::{Found, Source};
pub use local::{BlockDevice, Local};
