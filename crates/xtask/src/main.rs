//! Project automation: demo, tests, fixtures.
#![forbid(unsafe_code)]

fn main() {}
