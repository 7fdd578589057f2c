//! Real Debian images, hardened by an ordinary user, booted, and attacked.
//!
//! `cargo xtask test` makes the images and runs this; `HARDTACK_CACHE` says where they are
//! kept, else it is `/var/cache/hardtack`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod attacks;
mod captured;
mod clouds;
mod codes;
mod coreos;
mod crypt;
mod differential;
mod disks;
mod factors;
mod first_boot;
mod from_repository;
mod full_disk;
mod generalized;
mod hardened;
mod kill;
mod launched;
mod layouts;
mod peers;
mod profiled;
mod released;
mod reopened;
mod replaced;
mod residue;
mod sealed;
mod settled;
mod silent;
mod tasks;
mod trial;
mod variants;
mod workshop;
