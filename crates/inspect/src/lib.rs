//! What an image holds, read and never changed.

#![forbid(unsafe_code)]

pub mod facts;
