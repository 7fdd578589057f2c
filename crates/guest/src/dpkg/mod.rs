//! dpkg without dpkg: reading `.deb` files and an image's package database, and installing into it.
//!
//! What is done here is what `dpkg --unpack` and, for packages without scripts, `dpkg --configure`
//! do; the tests compare the result with dpkg's own on real Debian roots. Scripts are never run: a
//! package that has some is at most unpacked (see [`resolve`]).

pub mod admin;
pub mod boot;
mod conffiles;
pub mod control;
pub mod deb;
pub mod departures;
pub mod depends;
pub mod diversions;
pub mod extended;
pub mod install;
pub mod ldcache;
pub mod ldconfig;
pub mod lists;
pub mod package;
mod remove;
pub mod resolve;
pub mod status;
pub mod triggers;
pub mod version;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use deb::Deb;
pub use install::World;
pub use package::Package;
pub use status::{Database, State};
pub use version::Version;
