//! CloudFormation: a user-data file in a template, the stack made of it, and watched.
//!
//! - [`Template`]: JSON or YAML, read for its names and places (`json` finds those of JSON).
//! - [`render`]: user-data checked, taken apart at its substitutions (`substitution`), put in.
//! - [`discovery`]: the token of a cluster.
//! - [`parameters`]: what is given for a template's parameters.
//! - [`create`]: the stack is made and watched.

mod create;
#[cfg(test)]
mod create_tests;
pub mod discovery;
mod json;
pub mod parameters;
mod render;
mod substitution;
mod template;
#[cfg(test)]
mod tests;
mod to_json;

pub use self::create::{Made, Order, create, line, look};
pub use self::render::{Filling, Rendered, render};
pub use self::template::{Parameter, Template, Value};
