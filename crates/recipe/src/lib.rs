//! Recipes: what people write, what it means for one image, and carrying it out.

#![forbid(unsafe_code)]

mod context;
pub mod import;
mod load;
pub mod model;
mod plan;
mod private;
mod redact;
mod run;
mod secret;
pub mod steps;
pub mod supply;
mod verify;
mod ways_in;

pub use context::{Context, Facts, Note, Options, StepError, Weight};
pub use hardtack_inspect::ways::WaysIn;
pub use load::{
    Class, Given, HostFiles, HostType, LoadError, RealFiles, Row, load_matrix, load_recipe, load_recipe_with,
    recipe_schema,
};
/// Reading other files that people write as recipes are read: places, all findings at once, "did you mean", a schema.
pub mod reading {
    pub use crate::load::{Fields, Key, Reader, Shape, normal, schema_of};
}

pub use model::{Recipe, Skipped};
pub use plan::{PLAN_SCHEMA, Plan};
pub use redact::redact;
pub use run::{Staged, Surroundings, stage_and_judge, stage_recipe};
pub use secret::{REDACTED, Secret};
pub use steps::profile::verify as verify_profile;
pub use verify::{Verified, verify};
