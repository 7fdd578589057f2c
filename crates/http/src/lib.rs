//! A small HTTP client for the first-boot agent: no resolver library, no pool, nothing unbounded.
//!
//! * [`url`]: what a URL names.
//! * [`client`]: one request, one bounded answer, under a deadline.
#![forbid(unsafe_code)]

pub mod client;
pub mod url;

pub use client::{Client, Error, Limits, Method, Request, Response, Transport};
pub use url::Url;
