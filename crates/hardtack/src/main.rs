//! Hard-baked cloud images.
#![forbid(unsafe_code)]

fn main() {}
