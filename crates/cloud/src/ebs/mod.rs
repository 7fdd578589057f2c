//! EBS direct: snapshots by their blocks of 512 KiB.
//!
//! Source: the EBS direct API reference of 2019-11-02. Names of headers are lower case, as HTTP does not care.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{BlockEntry, BlockPage, get_block, list_blocks};
pub use write::{StartSnapshot, Started, complete_snapshot, put_block, start_snapshot};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::transport::{Body, Request};
use crate::url::encode;

/// Bytes of a block.
pub const BLOCK: usize = 512 * 1024;

/// Bytes of an answer that holds neither blocks nor a list of them.
const ANSWER: usize = 64 * 1024;

/// A request without query, headers and body.
fn request(method: &'static str, path: String) -> Request<'static> {
    Request { method, path, query: Vec::new(), headers: Vec::new(), body: Body::Signed(&[]) }
}

/// The path of a snapshot's blocks.
fn blocks(snapshot: &str) -> String {
    format!("/snapshots/{}/blocks", encode(snapshot))
}

/// A SHA-256 as the service writes it.
fn checksum(digest: &[u8; 32]) -> String {
    STANDARD.encode(digest)
}
