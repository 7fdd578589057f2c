//! From a recipe's text to the [model](crate::model): every finding with its place, all at once.

mod error;
mod host;

use std::path::Path;

pub use error::{Class, LoadError};
pub use host::{FILE_LIMIT, HostFiles, RealFiles};

use crate::model::Recipe;

/// Reads the recipe `text`, whose file is `path` (relative paths in it start from that file's
/// directory). `env` looks up environment variables, `files` reads the host's files.
///
/// # Errors
/// All findings, with their places.
pub fn load_recipe(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    files: &dyn HostFiles,
) -> Result<Recipe, LoadError> {
    let _ = (env, files);
    let limits = hardtack_yaml::Limits::default();
    match hardtack_yaml::Document::parse(&path.to_string_lossy(), text, limits) {
        Ok(_) => Ok(Recipe { name: String::new(), steps: Vec::new(), warnings: Vec::new() }),
        Err(found) => Err(LoadError::new(text, Vec::new(), found.into_iter().map(|one| (Class::Usage, one)).collect())),
    }
}
