//! From a disk to a registered image: on AWS (snapshots), on Eucalyptus (bundles), in the local catalog.
//!
//! - [`journal`]: what is made, written down before it is made; [`undo`] takes it away again.
//! - [`preflight`]: everything that can be found wrong before the first byte is sent.
//! - [`bundle`]: a disk's bundle into a bucket in one pass, or a bundle's files; registering it.
//! - [`snapshot`]: a disk into a snapshot by EBS direct, block by block.
//! - [`image`]: registering a snapshot; [`regions`]: copies, who may start them, parameters that name them.
//! - [`devices`]: block devices as euca2ools writes them.
//! - [`facts`]: what a disk says of how it boots, and on what.
//! - [`source`]: images and snapshots of a cloud as disks; [`lock`]: which one was meant.
//! - [`fingerprint`]: whether an image of the same inputs is there already.
//! - [`volume`]: volumes that a run may have made.
//! - [`catalog`]: images on this machine. [`trial`]: an instance is started and looked at.
//!
//! Nothing here prints: a [`Teller`] is told. Environment and clock come with the client.

#![forbid(unsafe_code)]
// What a service says of an error is worth its bytes, and errors are rare here.
#![allow(clippy::result_large_err)]

pub mod bundle;
pub mod devices;
mod error;
pub mod facts;
pub mod fingerprint;
pub mod image;
pub mod journal;
pub mod lock;
pub mod poll;
pub mod preflight;
pub mod refusal;
pub mod regions;
pub mod service_image;
pub mod snapshot;
pub mod source;
pub mod tags;
mod tell;
pub mod trial;
pub mod undo;
pub mod volume;

pub use error::Error;
pub use hardtack_local::catalog;
pub use tell::{Silent, Teller};

/// Bytes of a GiB, in which EBS counts volumes and snapshots.
pub(crate) const GIB: u64 = 1 << 30;
