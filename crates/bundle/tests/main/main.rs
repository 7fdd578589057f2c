//! Bundles against other people's programs, and against what nobody should write.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;
mod hostile;
mod manifest;
mod pipeline;
