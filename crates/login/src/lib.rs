//! What a login must show: the configuration of sshd and the stacks of PAM, evaluated as they would be.
//!
//! Nothing here writes, and nothing runs. The files come from a [`Files`]: an image's stage on the host, the
//! machine itself in the agent, so that both judge by the same rules.
//!
//! - [`files`]: where the files come from.
//! - [`pam`]: what a service's stack asks.
//! - [`promise`]: what a recipe promises, and what breaks it.
//! - [`service`]: how sshd is started.
//! - [`sshd`]: what sshd makes of its configuration.
#![forbid(unsafe_code)]

pub mod files;
#[cfg(test)]
mod memory;
pub mod pam;
pub mod promise;
pub mod service;
pub mod sshd;

pub use files::{Fault, Files, Kind};
pub use promise::{About, BlockPromise, Promise, ServicePromise, Weakness};
