//! Controls and plans, rendered.

#![forbid(unsafe_code)]
