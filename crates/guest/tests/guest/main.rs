//! Whole disks, assembled from files without root: which root is found, what is mounted where, and
//! what an edit leaves behind.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod coreos;
mod disk;
mod free;
mod hostile;
mod labels;
mod mounts;
mod names;
mod roots;
mod whole;
