//! The handbook: it is built, its links lead somewhere, its commands run, and the messages that it explains are those of
//! the program.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

// The example that builds the book for people uses all of it.
#[allow(dead_code)]
mod book;
// Not all of it is used here.
#[allow(dead_code)]
#[path = "../../crates/hardtack/tests/instances/block.rs"]
mod block;
mod commands;
mod links;
mod scene;
mod troubles;
