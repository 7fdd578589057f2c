//! Users and keys, without an image.
#![allow(clippy::unwrap_used)]
