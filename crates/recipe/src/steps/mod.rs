//! The steps of a recipe, one module each.

pub mod user;
