//! What the end-to-end tests stand on: the programs as users have them, real images, QEMU, and
//! the real SSH client.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

pub mod bills;
pub mod image;
pub mod knocking;
pub mod markdown;
pub mod package;
pub mod python;
pub mod repository;
pub mod schemas;
pub mod ssh;
pub mod tools;
pub mod vm;
