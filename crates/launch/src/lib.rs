//! From an image and user-data to a machine that can be logged in to.
//!
//! - [`machine`]: instances of a cloud or of this machine, alike: described, their consoles read, terminated.
//! - [`user_data`]: what instances are given, checked and packed.
//! - [`cloud`], [`here`]: launching on a cloud, and on this machine. [`key`]: key pairs.
//! - [`console`]: the newest and the kept part of a console put together, watched until the credentials are there.
//! - [`wait`]: until an instance runs, answers SSH, or has told its credentials.
//! - [`stack`], CloudFormation.
//!
//! What is made stands in a [`Journal`](hardtack_publish::journal::Journal) before it is made. Nothing here prints: a
//! [`Teller`](hardtack_publish::Teller) is told.

#![forbid(unsafe_code)]
// What a service says of an error is worth its bytes, and errors are rare here.
#![allow(clippy::result_large_err)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cloud;
pub mod console;
pub mod here;
pub mod key;
pub mod machine;
mod near;
mod news;
pub mod stack;
pub mod user_data;
pub mod wait;

pub use hardtack_publish::Error;
pub use machine::{Machine, Machines, Selection};
