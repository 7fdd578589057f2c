//! All integration tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod apt;
mod cases;
mod commands;
mod coreos;
mod events;
mod files;
mod final_stage;
mod hostname;
mod metadata;
mod mounts;
mod packages;
mod passwords;
mod plan;
mod random;
mod robust;
mod small;
mod ssh;
mod users;
