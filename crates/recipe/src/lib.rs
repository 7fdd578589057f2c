//! Recipes: what people write, what it means for one image, and carrying it out.

#![forbid(unsafe_code)]

mod context;
mod load;
pub mod model;
mod plan;
mod redact;
mod run;
mod secret;
pub mod steps;
pub mod supply;
mod ways_in;

pub use context::{Context, Facts, Note, Options, StepError, Weight};
pub use load::{Class, HostFiles, HostType, LoadError, RealFiles, load_recipe};
pub use model::Recipe;
pub use plan::{PLAN_SCHEMA, Plan};
pub use redact::redact;
pub use run::{Surroundings, stage_recipe};
pub use secret::{REDACTED, Secret};
