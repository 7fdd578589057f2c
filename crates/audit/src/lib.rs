//! What of an account the world can reach: security groups and who is in them, buckets and objects that answer without
//! credentials, images and snapshots that are everybody's.
//!
//! Nothing is changed, and nothing is guessed from what is configured where it can be tried.
//!
//! - [`groups`]: security groups as a model: rules in words, members, what is open to the world.
//! - [`buckets`]: every bucket and object, asked for without credentials.
//! - [`images`]: images and snapshots that others can use.
//! - [`Report`]: all of it, as `docs/audit.md` describes it; [`render`] shows it as tables, dot and SVG.
//!
//! A part that the account may not ask is a [`Problem`]; the others go on.

#![forbid(unsafe_code)]
#![allow(clippy::result_large_err)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod buckets;
pub mod groups;
pub mod images;
pub mod render;
mod report;
mod text;
mod together;

pub use hardtack_cloud::Error;
pub use report::{Problem, Report};
