//! Disks: where an image's bytes come from, where edits go, and how the result is written.
//!
//! [`BlockSource`] is the seam: everything above reads through it.

#![forbid(unsafe_code)]

mod error;
mod source;

pub use error::Error;
pub use source::{BlockSource, BlockWrite, Window};
