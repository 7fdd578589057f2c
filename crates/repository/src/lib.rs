//! Debian repositories: what they offer, proved by signature and hash, and what an installation takes of them.
//!
//! The way through: [`sources`] says where, [`Catalogue::open`] fetches and proves what is offered, [`Image`] is what an
//! image holds, [`resolve`](resolve()) works out what comes and goes, [`Catalogue::fetch`] brings the `.deb` files, [`Lock`]
//! writes down what was taken.
//!
//! - `sources`: the image's `sources.list` and `.sources`, and repositories that a recipe names.
//! - `network`: `http:` and `https:`, bounded. `place` joins it with `file:`, a mirror on disk and the cache.
//! - `cache`: files by their SHA-256.
//! - `openpgp`: keyrings, clear-signed messages, verdicts. `release`: `Release` files and what makes one unacceptable.
//! - `index`: `Packages`, read while it is checked.
//! - `image`: what is installed, by whose wish, and what is held.
//! - `resolve`: requests, the solution, and in words why there is none.
//! - `why`: chains and trees of dependencies.
//! - `lock`: the lock file.

#![forbid(unsafe_code)]

mod cache;
mod catalogue;
mod date;
mod error;
mod image;
mod index;
mod lock;
mod network;
mod openpgp;
mod place;
mod release;
mod resolve;
mod settings;
pub mod sources;
mod why;

pub use catalogue::{Catalogue, Fetched, Offer, Release};
pub use error::{Distrust, Error, Stale};
pub use image::{Held, Image};
pub use lock::{Lock, LockedPackage, LockedRepository};
pub use resolve::{Change, Kind, Reason, Request, Solution, Unsolvable, Upgrade, resolve};
pub use settings::{Network, Settings};
pub use sources::{Given, Keys, Skipped, Source};
pub use why::{Chain, Link, Node, tree, why};
