//! Every bucket and object of the account, asked for without credentials, as the world would.
//!
//! What ACLs and policies say together is not computed: it is tried. Objects are looked at by HEAD; where a server does
//! not answer that plainly, by a GET of one byte. Nothing is read to its end.

mod cloud;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use cloud::Cloud;
pub use probe::{Answer, Page, World, gather};

/// A bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its region, where it is known.
    pub region: Option<String>,
    /// The status of a listing without credentials; `None`: no answer.
    pub listing: Option<u16>,
    /// It lists its objects to everybody.
    pub public_listing: bool,
    /// Objects that were tried.
    pub tried: u64,
    /// There are more.
    pub cut: bool,
    /// How many of them were answered by which status.
    pub statuses: BTreeMap<u16, u64>,
    /// How many of them were not answered.
    pub unanswered: u64,
    /// How many of them have keys that no request can hold.
    pub unaskable: u64,
    /// This account may not list its objects; they were listed without credentials.
    pub denied: bool,
    /// Those that everybody can read.
    pub public_objects: Vec<Object>,
    /// Those that were answered by neither yes nor no (200, 206; 401, 403, 404); the first hundred.
    pub odd_objects: Vec<Object>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// What it was answered by.
    pub status: u16,
}

/// Whether a status says: here you are.
pub(crate) fn is_public(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether a status says yes or no.
pub(crate) fn is_plain(status: u16) -> bool {
    is_public(status) || matches!(status, 401 | 403 | 404)
}
