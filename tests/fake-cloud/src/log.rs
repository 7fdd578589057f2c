//! What arrived.

use crate::Service;

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Service,
    /// `PutObject`, `RegisterImage` ….
    pub action: String,
    /// What it is about: `BUCKET/KEY`, `snap-…/BLOCK`, a name or an id.
    pub key: String,
    /// The region that it was signed for; empty when it was not.
    pub region: String,
    /// The account that signed; empty when nobody did.
    pub account: String,
    /// The status of the answer. 0: there was none.
    pub status: u16,
    /// The code of an error; empty when there was none, or none was sent.
    pub code: String,
    /// It was carried out.
    pub done: bool,
    /// Bytes of its body.
    pub bytes: usize,
}
