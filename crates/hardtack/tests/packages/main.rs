//! `packages` through the program, from a signed repository that the test makes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bench;
mod named;
mod refused;
mod told;
