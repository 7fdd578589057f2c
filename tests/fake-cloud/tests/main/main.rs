//! The fake cloud, asked without any of our clients: requests are signed and written here.

#![allow(clippy::unwrap_used)]

mod ebs;
mod euca;
mod launch;
mod raw;
mod regions;
mod signatures;
mod stacks;
