//! Hardening profiles: what a hardened image is, by number.
//!
//! A [`Rule`] is one control of a profile: what it is called, its numbers in the CIS benchmarks of Debian 12 (1.1.0)
//! and Ubuntu 24.04 (1.0.0), why it is wanted, and a [`Measure`] that brings an image there and tells whether one is.
//! The measures of one kind are a module of `families`; [`rules`] gives all of them, in the order of the benchmarks.
//!
//! [`apply`] carries out what a [`Profile`] selects, over a stage; [`check`] judges an image, whoever made it. Both go
//! by what is in the image, not by its name. What only the running machine can do or know is left to the first boot:
//! a script in the image looks at it and keeps what it found, which `check` reads from then on.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod choice;
mod cloud;
mod conffile;
mod error;
mod families;
mod finding;
mod first_boot;
mod key_file;
mod merged;
mod own_file;
mod packages;
mod people;
mod reference;
mod rule;
mod run;
mod settings;
mod tailoring;
#[cfg(test)]
mod testing;
mod units;
mod uses;
mod view;

pub use bench::Bench;
pub use choice::{Exception, Kind, Profile};
pub use error::Error;
pub use finding::Finding;
pub use packages::wanted;
pub use people::Newcomer;
pub use reference::reference;
pub use rule::{Level, Measure, Rule, rule, rules};
pub use run::{Applied, Judged, Phase, Surroundings, apply, check, control};
pub use settings::{OpenPort, Packages, Protocol, Settings};
pub use tailoring::{TAILORINGS, Tailoring};
pub use view::View;
