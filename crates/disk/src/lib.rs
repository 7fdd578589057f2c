//! Disks: where an image's bytes come from, where edits go, and how the result is written.
//!
//! [`BlockSource`] is the seam: everything above reads through it. [`open_source_with`] makes
//! one of an image file, whatever that is packed in; [`Overlay`] puts edits above it, and
//! [`write_image`] writes the result through an [`AtomicFile`].

#![forbid(unsafe_code)]

mod atomic;
mod container;
mod detect;
mod error;
mod holes;
mod lock;
mod overlay;
mod qcow2;
pub mod ranges;
mod raw;
mod regular;
mod sink;
mod source;

pub use atomic::{AtomicFile, temporary_files};
pub use container::{
    MARGIN, Opened, Source, SourceOptions, VhdSource, VmdkSource, open_source_with, open_spooled_with, spool,
};
pub use detect::{SourceFormat, detect_format, open_source};
pub use error::Error;
pub use holes::Holes;
pub use overlay::Overlay;
pub use qcow2::{Backing, Qcow2Source};
pub use raw::RawSource;
pub use regular::open_regular;
pub use sink::{
    Compression, ImageFormat, OverlayBase, Progress, Qcow2Options, RewriteOptions, Rewritten, Written,
    backing_name, write_image, write_overlay, write_qcow2, write_qcow2_from, write_raw,
};
pub use source::{BlockSource, BlockWrite, Window};
