#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod tables;
mod verdicts;
