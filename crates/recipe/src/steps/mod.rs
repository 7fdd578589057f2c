//! The steps of a recipe, one module each.

pub mod agent;
pub mod boot;
pub mod cloud_agents;
pub mod files;
pub mod generalize;
pub mod mfa;
pub mod operation;
pub mod overlayroot;
pub mod packages;
pub mod profile;
pub mod serial_console;
pub mod sshd;
pub mod tasks;
pub mod user;
