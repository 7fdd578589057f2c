#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod identify;
mod oracle;
mod seeds;
mod server;
mod services;
mod superblock;
