//! Recipes: what people write, what it means for one image, and carrying it out.

#![forbid(unsafe_code)]

mod context;
pub mod steps;

pub use context::{Context, Facts, Note, Options, StepError, Weight};
