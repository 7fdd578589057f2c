//! From a disk to an image and back, against a cloud in this process.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::result_large_err,
    clippy::single_range_in_vec_init
)]

mod bundle;
mod facts;
mod image;
mod preflight_bundle;
mod preflight_snapshot;
mod regions;
mod snapshot;
mod source;
mod trial;
mod undo;
mod world;
