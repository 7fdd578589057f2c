//! Edits on file systems of many layouts, judged by e2fsck, by a second reader and by the kernel.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod debugger;
mod disk;
mod edges;
mod kernel;
mod layout;
mod model;
mod mutation;
mod operation;
mod real_root;
mod recovery;
mod refusals;
mod samples;
mod sequences;
mod tools;
