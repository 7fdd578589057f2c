//! What cloud-config means on a machine: from configuration and facts to actions, in order.
//!
//! A module (`cc_*.py` in cloud-init) reads its keys of the merged configuration, looks at the machine
//! and says what is to be done. Nothing is done here: the agent carries the actions out, and
//! `hardtack user-data plan` shows them for an image that has not booted yet.
//!
//! * [`machine`]: what modules ask about a machine, answered by a running system or by an image.
//! * [`action`]: what can be done.
//! * [`module`]: what a module is, and which there are, stage by stage.
#![forbid(unsafe_code)]

pub mod action;
pub mod machine;
pub mod module;

pub use action::{Action, Content, Owner};
pub use machine::{Account, Distro, Facts, Machine};
pub use module::{Frequency, Module, Outcome, Request, Stage};
