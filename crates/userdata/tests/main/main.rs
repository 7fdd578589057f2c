//! All integration tests of the crate, in one program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cases;
mod coreos;
mod coreos_describe;
mod coreos_pictures;
mod differential;
mod formats;
mod layers;
mod merging;
mod mime;
mod pack;
mod schema;
mod traps;
mod values;
