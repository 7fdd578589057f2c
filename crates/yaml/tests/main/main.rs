//! The loader against PyYAML's answers, and against hostile texts.
#![allow(clippy::unwrap_used)]

mod golden;
mod hostile;
mod pictures;
