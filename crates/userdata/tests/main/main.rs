//! All integration tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod schema;
mod traps;
