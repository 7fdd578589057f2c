//! `hardtack schema`.

use std::path::PathBuf;

use clap::Args;

const SCHEMA: &str = "\
Examples:
  hardtack schema recipe > recipe.schema.json";

/// Print the JSON Schema of what people write.
#[derive(Args, Debug)]
#[command(after_help = SCHEMA)]
pub(crate) struct SchemaArgs {
    /// What it is about.
    pub(crate) of: PathBuf,
}
