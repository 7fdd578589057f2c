//! The steps of a recipe, one module each.

pub mod agent;
pub mod overlayroot;
pub mod files;
pub mod user;
