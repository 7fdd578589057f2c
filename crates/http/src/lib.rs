//! A small HTTP client for the first-boot agent: no resolver library, no pool, nothing unbounded.
//!
//! ```
//! use hardtack_http::{Client, Limits, Method, Request, Transport};
//!
//! let url = "http://169.254.169.254:80801/";
//! let request = Request { method: Method::Get, url, headers: &[], body: &[], limits: Limits::default() };
//! let error = Client::default().send(&request).unwrap_err();
//! assert!(error.to_string().contains("the port 80801 does not exist"));
//! ```
//!
//! * [`url`]: what a URL names.
//! * [`request`]: what is asked, within which bounds, and what comes back.
//! * [`client`]: one request, one bounded answer, under a deadline; redirections.
//! * [`answer`]: an answer out of bytes.
//! * `https`: the same through the image's curl or wget, and why.
//! * `resolve`: names to addresses; [`hosts`], [`resolv_conf`] and [`dns`] are the texts and messages.
//! * [`form`]: what a POST sends.
//! * `deadline`: waiting that ends.
//!
//! Every failure is an [`Error`] that names the server and what it did. Header values, bodies, users and
//! passwords are never part of one. Nothing is printed, and no variable of the environment is read.
#![forbid(unsafe_code)]

pub mod answer;
pub mod client;
mod deadline;
pub mod dns;
mod error;
pub mod form;
pub mod hosts;
mod https;
pub mod request;
pub mod resolv_conf;
mod resolve;
pub mod url;

pub use client::Client;
pub use error::Error;
pub use request::{Limits, Method, Request, Response, Transport};
pub use url::Url;
