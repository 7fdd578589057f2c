//! Where an instance gets its identity and user-data from: detection by the machine's marks, seeds on
//! disks and in directories, metadata services.
//!
//! * [`local`]: what is asked of the machine.
//! * [`found`]: what a data source said.
#![forbid(unsafe_code)]

pub mod found;
pub mod local;

pub use found::{Found, Source};
pub use local::{BlockDevice, Local};
