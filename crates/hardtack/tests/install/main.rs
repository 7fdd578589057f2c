//! `hardtack install`, `upload`, `register` and `undo` as people and programs run them.
#![allow(clippy::unwrap_used)]

mod local;
mod workshop;
