//! All integration tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod coreos;
mod coreos_describe;
mod schema;
mod traps;
