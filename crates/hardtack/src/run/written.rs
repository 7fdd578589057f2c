//! A recipe as it was written, and what the command line says besides.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hardtack_guest::Stage;
use hardtack_inspect::facts::Facts;
use hardtack_recipe::{
    Given, HostFiles, HostType, LoadError, RealFiles, Recipe, Row, load_matrix, load_recipe_with,
};

use crate::error::CliError;
use crate::provenance::{Recorder, beside};
use crate::talk;
use crate::target::same_file;

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
    /// Who sees to it that none of it is the output, if anybody.
    pub(super) opened: Option<&'a Opened<'a>>,
}

impl<'a> Written<'a> {
    /// With the variables of the command line.
    pub(super) fn new(path: &'a Path, set: &'a [(String, String)]) -> Self {
        Self { path, set, row: None, recorder: None, opened: None }
    }

    /// Reads the recipe before anything is known of an image: whatever is wrong with it on every image is told now.
    pub(super) fn read(self) -> Result<Recipe, CliError> {
        self.read_with(&|name| self.variable(name), self.files())
    }

    fn files(self) -> &'a dyn HostFiles {
        match (self.opened, self.recorder) {
            (Some(opened), _) => opened,
            (None, Some(recorder)) => recorder,
            (None, None) => &RealFiles,
        }
    }

    /// The same; `environment` and `files` are asked for what it refers to.
    pub(super) fn read_with(
        self,
        environment: &dyn Fn(&str) -> Option<String>,
        files: &dyn HostFiles,
    ) -> Result<Recipe, CliError> {
        let given = Given { set: self.set, row: self.row, facts: None };
        let recipe = load_recipe_with(self.path, &self.text()?, environment, files, given);
        self.check(&recipe)?;
        let recipe = recipe?;
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
        let recipe = load_recipe_with(self.path, &self.text()?, &variable, self.files(), given);
        self.check(&recipe)?;
        let recipe = recipe?;
        told(&recipe);
        Ok(Some(recipe))
    }

    /// Refuses an output that the recipe reads.
    fn check(self, recipe: &Result<Recipe, LoadError>) -> Result<(), CliError> {
        let Some(opened) = self.opened else { return Ok(()) };
        if let Some(packages) = recipe.as_ref().ok().and_then(Recipe::packages) {
            packages.debs.iter().for_each(|deb| opened.note(&deb.path));
        }
        opened.check()
    }

    fn text(self) -> Result<String, CliError> {
        let text = text(self.path)?;
        if let Some(recorder) = self.recorder {
            recorder.recipe(self.path, text.as_bytes());
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

/// The host's files, and which of them a recipe opened.
pub(super) struct Opened<'a> {
    files: &'a dyn HostFiles,
    output: Option<&'a Path>,
    /// Secrets are read: one that comes from a pipe is there once.
    secrets: bool,
    paths: Mutex<BTreeSet<PathBuf>>,
}

impl<'a> Opened<'a> {
    /// For a build that makes `output`.
    pub(super) fn new(files: &'a dyn HostFiles, output: Option<&'a Path>) -> Self {
        Self { files, output, secrets: true, paths: Mutex::default() }
    }

    fn note(&self, path: &Path) {
        if let Ok(mut paths) = self.paths.lock() {
            paths.insert(path.to_owned());
        }
    }

    /// Refuses an output, or a record beside it, that was opened.
    fn check(&self) -> Result<(), CliError> {
        let (Some(output), Ok(paths)) = (self.output, self.paths.lock()) else { return Ok(()) };
        for (written, what) in [(output.to_owned(), ""), (beside(output), "the record of ")] {
            if let Some(path) = paths.iter().find(|path| same_file(&written, path)) {
                let message = format!(
                    "{}: {what}the output is a file that the recipe reads: {}",
                    written.display(),
                    path.display()
                );
                return Err(CliError::usage(message).hint("inputs are never changed; give another output"));
            }
        }
        Ok(())
    }
}

impl HostFiles for Opened<'_> {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.note(path);
        self.files.read(path, limit)
    }

    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.note(path);
        if self.secrets { self.files.read_secret(path, limit) } else { Ok(b"x".to_vec()) }
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        self.files.is_directory(path)
    }

    fn kind(&self, path: &Path, follow: bool) -> io::Result<(HostType, u32)> {
        self.files.kind(path, follow)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }
}

/// What a recipe refers to.
#[derive(Default)]
pub(super) struct References {
    /// The files that it includes, copies or takes packages from.
    pub(super) files: BTreeSet<PathBuf>,
    /// The environment variables that it asks for.
    pub(super) variables: BTreeSet<String>,
}

/// What a recipe refers to, as far as it can be read now, without its secrets: what is wrong with it is told by its build.
pub(super) fn references(recipe: &Path, set: &[(String, String)], row: Option<usize>) -> References {
    let asked = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        variable(name).or_else(|| Some("x".to_owned()))
    };
    let opened = Opened { secrets: false, ..Opened::new(&RealFiles, None) };
    // Nobody waits here for a recipe that comes from a pipe.
    if let Ok(content) = RealFiles.read(recipe, LARGEST_RECIPE)
        && let Ok(text) = String::from_utf8(content)
    {
        let loaded = load_recipe_with(recipe, &text, &environment, &opened, Given { set, row, facts: None });
        if let Some(packages) = loaded.as_ref().ok().and_then(Recipe::packages) {
            packages.debs.iter().for_each(|deb| opened.note(&deb.path));
        }
    }
    References { files: opened.paths.into_inner().unwrap_or_default(), variables: asked.into_inner() }
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
