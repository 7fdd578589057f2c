//! Debian repositories: what they offer, proved by signature and hash, and what an installation takes of them.

#![forbid(unsafe_code)]
