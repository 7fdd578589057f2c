//! `hardtack schema`.

use clap::{Args, ValueEnum};

const SCHEMA: &str = "\
Examples:
  hardtack schema recipe > recipe.schema.json
  hardtack schema matrix > matrix.schema.json

Editors with the YAML language server complete and check a recipe whose first line is
  # yaml-language-server: $schema=recipe.schema.json";

/// Print the JSON Schema of what people write.
#[derive(Args, Debug)]
#[command(after_help = SCHEMA)]
pub(crate) struct SchemaArgs {
    /// Of what.
    pub(crate) of: Of,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Of {
    /// Recipes.
    Recipe,
    /// Matrix files: recipes times sources.
    Matrix,
}
