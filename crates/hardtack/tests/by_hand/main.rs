//! The recipes that ship with the project do what people did by hand: each is built, read back with other programs
//! than ours, and built again to no effect.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod coreos;
mod factors;
mod load_balancer;
mod locked_down;
mod overlayroot;
mod scene;
mod trimmed;
