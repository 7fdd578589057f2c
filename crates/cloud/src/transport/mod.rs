//! HTTP through `ureq`: one request, one answer, bounded in size and time.
//!
//! - `http`: sends.
//! - `failure`: why there is no answer, and whether the request can have arrived.
//! - `proxy`: which proxy, by the variables of the environment.

mod failure;
mod http;
mod proxy;

pub(crate) use failure::Failure;
pub(crate) use http::{Outgoing, Transport};

/// A request that is not signed yet.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// `GET`, `PUT` ….
    pub(crate) method: &'static str,
    /// The path below the endpoint's, percent-encoded, with a slash at its beginning.
    pub(crate) path: String,
    /// The query, not encoded.
    pub(crate) query: Vec<(String, String)>,
    /// Headers, lower case. `host`, `content-length` and those of the signature are added.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Body<'a>,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// Bytes; their SHA-256 is signed.
    Signed(&'a [u8]),
    /// Bytes whose digest is not signed (`UNSIGNED-PAYLOAD`), because a header that is signed has it.
    Unsigned(&'a [u8]),
}

impl<'a> Body<'a> {
    /// Its bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Signed(bytes) | Self::Unsigned(bytes) => bytes,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// Its status.
    pub(crate) status: u16,
    /// Headers, lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, whole.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}
