//! All integration tests of the crate, in one program: servers are real ones, on this machine's own network.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod names;
mod redirects;
mod servers;
mod support;
