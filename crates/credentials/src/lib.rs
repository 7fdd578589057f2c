//! The credentials block on the console: written in the guest, read on the host.
#![forbid(unsafe_code)]
