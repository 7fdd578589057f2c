//! All integration tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod apt;
mod cases;
mod commands;
mod coreos;
mod events;
mod files;
mod hostname;
mod mounts;
mod final_stage;
mod packages;
mod plan;
mod passwords;
mod random;
mod robust;
mod ssh;
mod users;
mod metadata;
mod small;
