//! The steps of a recipe, one module each.

pub mod agent;
pub mod user;
