//! What a hostile guest talks to, for fuzzers: without sockets, threads and processes.

use std::time::SystemTime;

use crate::metadata::{self, Identity};
use crate::network;

/// What the metadata service of `identity` answers to a request's head.
pub fn imds(identity: &Identity, heads: &[&[u8]]) -> Vec<Vec<u8>> {
    let (random, now) = (|bytes: &mut [u8]| bytes.fill(7), || SystemTime::UNIX_EPOCH);
    metadata::answers(identity, heads, random, now)
}

/// What the switch of the network `name` itself answers to a frame; `None` where it is for others.
pub fn frame(name: &str, frame: &[u8]) -> Option<Option<Vec<u8>>> {
    network::answer(name, frame)
}

/// The frames of a member's connection that sends `chunks`; false where it is cut off.
pub fn frames(chunks: &[&[u8]], each: &mut dyn FnMut(&[u8])) -> bool {
    network::frames(chunks, each)
}
