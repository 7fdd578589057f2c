//! YAML with a position for every value, and diagnostics that show the line.
#![forbid(unsafe_code)]
