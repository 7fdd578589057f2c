//! No two files that a matrix writes are one, and none of them is one that a job reads.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use hardtack_matrix::Matrix;

use crate::error::CliError;
use crate::provenance::beside;
use crate::run::written::{References, references};
use crate::target::{identity, place};

/// Files, and what they are.
#[derive(Default)]
pub(super) struct Known {
    files: HashMap<(u64, u64), &'static str>,
    places: HashMap<PathBuf, &'static str>,
}

impl Known {
    /// All that jobs read, chosen or not, and the matrix itself.
    pub(super) fn inputs(matrix: &Matrix) -> Self {
        let mut known = Self::default();
        let mut read = BTreeSet::new();
        for job in &matrix.jobs {
            for path in references_once(&mut read, job).files {
                known.add(&path, "a file that a recipe reads");
            }
            known.add(&job.source, "a source");
        }
        // The plainest word for a file is what counts.
        matrix.jobs.iter().for_each(|job| known.add(&job.recipe, "a recipe"));
        known.add(&matrix.path, "the matrix");
        known
    }

    pub(super) fn add(&mut self, path: &Path, what: &'static str) {
        if let Some(identity) = identity(path) {
            self.files.insert(identity, what);
        }
        self.places.insert(place(path), what);
    }

    /// Refuses to write `path` where it is one of these files.
    pub(super) fn refuse(&self, path: &Path, written: &str) -> Result<(), CliError> {
        let same = identity(path).and_then(|identity| self.files.get(&identity));
        match same.or_else(|| self.places.get(&place(path))) {
            Some(what) => Err(CliError::usage(format!("{}: {written} is {what}", path.display()))
                .hint("it would be replaced; give another name")),
            None => Ok(()),
        }
    }
}

/// A recipe, its variables, and its row.
type Asked<'m> = (&'m Path, &'m [(String, String)], Option<usize>);

/// What a job's recipe refers to, unless it was given before.
fn references_once<'m>(read: &mut BTreeSet<Asked<'m>>, job: &'m hardtack_matrix::Job) -> References {
    match read.insert((&job.recipe, &job.set, job.row)) {
        true => references(&job.recipe, &job.set, job.row),
        false => References::default(),
    }
}

/// The environment variables that any of the recipes asks for.
pub(super) fn variables(matrix: &Matrix) -> Vec<String> {
    let mut read = BTreeSet::new();
    let all = matrix.jobs.iter().flat_map(|job| references_once(&mut read, job).variables);
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Everything that is wrong with the names of what is written, before anything is. The directories of outputs are there.
pub(super) fn check(matrix: &Matrix, chosen: &[usize], junit: Option<&Path>) -> Result<(), CliError> {
    let inputs = Known::inputs(matrix);
    let mut written: HashMap<PathBuf, String> = HashMap::new();
    let mut one = |path: &Path, what: String| {
        inputs.refuse(path, &what)?;
        match written.insert(place(path), what.clone()) {
            Some(before) => Err(CliError::usage(format!("{}: {what} is {before}, too", path.display()))
                .hint("give one of them another name")),
            None => Ok(()),
        }
    };
    for job in chosen.iter().filter_map(|index| matrix.jobs.get(*index)) {
        one(&job.output, format!("the output of `{}`", job.name))?;
        one(&beside(&job.output), format!("the record of `{}`", job.name))?;
    }
    junit.map_or(Ok(()), |path| one(path, "the report of --junit".to_owned()))
}

/// Refuses to write a list of the jobs over what they read or make.
pub(super) fn check_list(matrix: &Matrix, output: &Path) -> Result<(), CliError> {
    let mut known = Known::inputs(matrix);
    for job in &matrix.jobs {
        known.add(&job.output, "an image of the matrix");
        known.add(&beside(&job.output), "a record of the matrix");
    }
    known.refuse(output, "the output")
}
