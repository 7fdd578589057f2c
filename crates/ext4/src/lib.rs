//! Editing ext4 file systems offline, and reading them back with a second implementation.
#![forbid(unsafe_code)]
