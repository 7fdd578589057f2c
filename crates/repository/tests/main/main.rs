//! Repositories made by Debian's own tools, read by ours, and both asked the same.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod hosts;
mod keys;
mod made;
mod real;
mod resolving;
mod trust;
