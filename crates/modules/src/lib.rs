//! What cloud-config means on a machine: from configuration and facts to actions, in order.
//!
//! A module (`cc_*.py` in cloud-init) reads its keys of the merged configuration, looks at the machine
//! and says what is to be done. Nothing is done here: the agent carries the actions out, and
//! `hardtack user-data plan` shows them for an image that has not booted yet.
//!
//! * [`machine`]: what modules ask about a machine, answered by a running system or by an image.
//! * [`action`]: what can be done.
//! * [`module`]: what a module is, and which there are, stage by stage.
//! * [`plan`]: what all modules would do, in order, and what becomes of every key.
//! * [`text`]: the plan for people and for programs.
//! * [`table`]: which modules run, in which order.
//! * [`unsupported`]: keys without a module, and what to do instead.
//! * [`distro`]: which distribution a machine runs.
//! * [`reading`]: values of the configuration, and what to say about them.
//! * [`testing`]: a machine in memory, for tests.
//! * [`system`]: small facts about a machine that several modules ask for.
//! * [`hostname`]: the machine's name.
//! * [`etc_hosts`]: names in `/etc/hosts`.
//! * [`sysconfig`]: files of shell assignments.
//! * [`basic_template`]: templates of `$name`.
//! * [`mounts`]: `/etc/fstab`.
//! * [`swap`]: swap files.
//! * [`sizes`]: sizes as people write them.
//! * [`devices`]: from names of disks to devices.
#![forbid(unsafe_code)]

pub mod action;
pub mod basic_template;
pub mod devices;
pub mod distro;
pub mod etc_hosts;
pub mod hostname;
pub mod machine;
pub mod module;
pub mod mounts;
pub mod plan;
pub mod reading;
pub mod sizes;
pub mod swap;
pub mod sysconfig;
pub mod system;
pub mod table;
pub mod testing;
pub mod text;
pub mod unsupported;

pub use action::{Action, Content, Owner};
pub use machine::{Account, Distro, Facts, Machine};
pub use module::{Frequency, Module, Outcome, Request, Stage};
pub use plan::{KeyReport, KeyState, Plan, Step, plan};
