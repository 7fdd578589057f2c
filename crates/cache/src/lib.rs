//! A cache that is addressed by content: sources by their digest, finished builds by the digest of all that goes into
//! them. It lies in a directory or in a bucket, and machines that know neither each other nor the recipe share it.
//!
//! - [`Inputs`] gathers what a build is made of; [`Store::key`] makes a key of it. The key is an HMAC by a secret of the
//!   cache's own: a recipe has passwords, and from a digest that stands in a log or in the list of a bucket's names
//!   somebody could guess them, billions a second. Without the secret nobody can try one.
//! - An [`Entry`] is a manifest and its parts. It is there whole or not at all: in a directory it is a folder that is
//!   made elsewhere and renamed, in a bucket its manifest is written last.
//! - The manifest has the size and digest of each part, and an HMAC of itself. Parts are compared **while they are
//!   read** ([`Store::read`]): what is damaged, cut off or of another cache is [`Error::Damaged`], and no reader has to
//!   know more than that.
//! - [`Notes`] remember a file's digest by what the file system says of it, so that a source is not read each time.
//!
//! Nothing here reads a clock or makes a random number: both are handed in.

#![forbid(unsafe_code)]

mod bucket;
mod digest;
mod directory;
mod entry;
mod error;
mod notes;
mod sparse;
mod store;

pub use bucket::Bucket;
pub use digest::{Digest, Inputs, digest_of};
pub use directory::Directory;
pub use entry::{Content, Entry, Kind, Name, New, Part};
pub use error::Error;
pub use notes::{Noted, Notes, State};
pub use sparse::Sparse;
pub use store::{Listed, Random, Store};
