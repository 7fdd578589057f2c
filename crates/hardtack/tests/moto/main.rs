//! `hardtack` against moto, a cloud that others wrote: what is made arrives as other clients (boto3) see it, and what
//! is undone is gone for them too.
//!
//! moto comes from PyPI into a virtual environment of its own, in the cache of the tests (`HARDTACK_CACHE`). Where that
//! cannot be made the tests are skipped, which is said; with `CI` set that is an error.
//!
//! What moto does otherwise than EC2, and is not tested here: it takes any image, any signature and any length of
//! user-data; client tokens are ignored; it forgets most of RegisterImage; consoles always say the same; a bucket is
//! listed to everybody whatever its ACL; fingerprints of ed25519 keys are of its own making; an instance's end leaves
//! its network interface.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod audit;
mod launch;
mod server;
mod stack;
