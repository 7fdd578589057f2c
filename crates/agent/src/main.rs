//! The first-boot agent.
#![forbid(unsafe_code)]

fn main() {}
