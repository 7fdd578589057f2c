//! A recipe as it was written, and what the command line says besides.

use std::io::Read as _;
use std::path::Path;

use hardtack_guest::Stage;
use hardtack_inspect::facts::Facts;
use hardtack_recipe::{Given, HostFiles, RealFiles, Recipe, Row, load_matrix, load_recipe_with};

use crate::error::CliError;
use crate::provenance::Recorder;
use crate::talk;

/// A recipe is text that people write; this is a thousand times the largest one seen.
const LARGEST_RECIPE: u64 = 4 << 20;

/// A recipe's file, its variables, and the row of its matrix that is built.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) path: &'a Path,
    pub(super) set: &'a [(String, String)],
    pub(super) row: Option<usize>,
    /// Who keeps the digests of what is read, if anybody.
    pub(super) recorder: Option<&'a Recorder>,
}

impl<'a> Written<'a> {
    /// With the variables of the command line.
    pub(super) fn new(path: &'a Path, set: &'a [(String, String)]) -> Self {
        Self { path, set, row: None, recorder: None }
    }

    /// Reads the recipe before anything is known of an image: whatever is wrong with it on every image is told now.
    pub(super) fn read(self) -> Result<Recipe, CliError> {
        self.read_with(&|name| self.variable(name), self.files())
    }

    fn files(self) -> &'a dyn HostFiles {
        match self.recorder {
            Some(recorder) => recorder,
            None => &RealFiles,
        }
    }

    /// The same; `environment` and `files` are asked for what it refers to.
    pub(super) fn read_with(
        self,
        environment: &dyn Fn(&str) -> Option<String>,
        files: &dyn HostFiles,
    ) -> Result<Recipe, CliError> {
        let given = Given { set: self.set, row: self.row, facts: None };
        let recipe = load_recipe_with(self.path, &self.text()?, environment, files, given)?;
        if !recipe.conditional {
            told(&recipe);
        }
        Ok(recipe)
    }

    /// What the recipe says for the image of `stage`; `None` where that is `early`, which has no conditions.
    pub(super) fn settle(self, early: &Recipe, stage: &Stage<'_>) -> Result<Option<Recipe>, CliError> {
        if !early.conditional {
            return Ok(None);
        }
        let facts = Facts::read(stage)?;
        let given = Given { set: self.set, row: self.row, facts: Some(&facts) };
        let variable = |name: &str| self.variable(name);
        let recipe = load_recipe_with(self.path, &self.text()?, &variable, self.files(), given)?;
        told(&recipe);
        Ok(Some(recipe))
    }

    fn text(self) -> Result<String, CliError> {
        let text = text(self.path)?;
        if let Some(recorder) = self.recorder {
            recorder.see("recipe", self.path, text.as_bytes());
        }
        Ok(text)
    }

    fn variable(self, name: &str) -> Option<String> {
        self.recorder.map_or_else(|| variable(name), |recorder| recorder.variable(name))
    }

    /// The rows of its matrix.
    pub(super) fn rows(self) -> Result<Vec<Row>, CliError> {
        Ok(load_matrix(self.path, &text(self.path)?, &variable, &RealFiles)?)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn told(recipe: &Recipe) {
    if !recipe.told.is_empty() {
        talk::line(recipe.told.trim_end());
    }
}

fn text(path: &Path) -> Result<String, CliError> {
    let fail = |error| CliError::io(path, "read the recipe", error);
    let mut bytes = Vec::new();
    // The size that a pipe or a device names is not what comes out of it.
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(LARGEST_RECIPE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_RECIPE {
        let message = format!("{}: more than {LARGEST_RECIPE} bytes are no recipe", path.display());
        return Err(CliError::usage(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        CliError::usage(format!("{}:{}: the recipe is not UTF-8 text", path.display(), line + 1))
    })
}
