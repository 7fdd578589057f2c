//! A cloud on this machine, without root and without a daemon of the system.
//!
//! - [`catalog`]: images, a directory each.
//! - [`instance`]: what an instance was asked to be ([`Spec`]) and what became of it ([`Instance`]); [`Instances`] is the
//!   directory of them: begin, look, read the console, terminate.
//! - [`supervisor`]: the process behind a running instance. It starts QEMU, answers for the metadata service, and writes
//!   down how things end. It is this program itself, with a verb that people do not see.
//! - [`qemu`]: QEMU's command line, which accelerator works, its monitor.
//! - [`metadata`]: EC2's metadata service (IMDSv2 and v1) with EC2's or Eucalyptus' identity, and the relay to it out of
//!   QEMU's user network.
//! - [`network`]: private networks: a switch on a Unix socket, addresses, captures.
//!
//! Nothing here prints, and nothing reads the process's environment: an [`Environment`](hardtack_cloud::Environment) is
//! handed in.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod catalog;
mod error;
pub mod instance;
pub mod metadata;
pub mod network;
pub mod qemu;
pub mod supervisor;
#[doc(hidden)]
pub mod testing;

pub use error::Error;
pub use instance::{Instance, Instances, Program, Spec};
