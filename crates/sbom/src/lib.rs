//! Bills of materials and provenance.

#![forbid(unsafe_code)]
