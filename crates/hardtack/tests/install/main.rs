//! `hardtack install`, `upload`, `register` and `undo` as people and programs run them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod aws;
mod euca;
mod killed;
mod local;
mod service_image;
mod source;
mod workshop;
