//! A thin client of our own for EC2, S3, EBS direct and what belongs to them, on AWS and on Eucalyptus.
//!
//! - [`Place`]: which cloud, and at which address each [`Service`] answers.
//! - [`credentials`]: where access keys come from, in the order of AWS' tools and of euca2ools.
//! - [`Client`]: signs, sends, tries again what is worth it.
//! - [`s3`], [`ec2`], [`ebs`], [`sts`], [`ssm`], [`kms`], [`cloudformation`], [`autoscaling`], [`bootstrap`],
//!   [`properties`]: the calls that Hardtack makes, typed. `docs/calls.md` has a row for each; `call` holds their
//!   names and reads what answers must hold.
//!
//! Nothing here prints, or reads the environment, the clock or the home directory: [`Environment`] brings them.
//! Keys and tokens are in no error and no `Debug` text.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod autoscaling;
pub mod bootstrap;
mod call;
mod client;
pub mod cloudformation;
pub mod credentials;
mod date;
pub mod ebs;
pub mod ec2;
mod environment;
mod error;
mod fetch_text;
pub mod kms;
mod place;
pub mod properties;
mod query;
mod refusal;
mod retry;
pub mod s3;
#[cfg(test)]
mod served;
mod sign;
pub mod ssm;
pub mod sts;
mod transport;
mod url;
mod xml;

pub use client::{Client, Patience};
pub use date::iso;
pub use environment::Environment;
pub use error::Error;
pub use fetch_text::fetch_text;
pub use place::{Endpoint, Kind, Place, PlaceOptions, Scheme, Service};
