//! One image to build, and many of them.

use std::path::{Path, PathBuf};

use hardtack_recipe::Row;
use hardtack_yaml::did_you_mean;

/// One image to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, which no other has.
    pub name: String,
    /// The recipe's file.
    pub recipe: PathBuf,
    /// The row of the recipe's own matrix that it is, from 0.
    pub row: Option<usize>,
    /// Values for variables of the recipe.
    pub set: Vec<(String, String)>,
    /// The image to start from.
    pub source: PathBuf,
    /// The SHA-256 that the source must have, in small letters.
    pub digest: Option<String>,
    /// The image to make.
    pub output: PathBuf,
}

/// All jobs of a file, in the order in which they are numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// The file.
    pub path: PathBuf,
    /// Its jobs.
    pub jobs: Vec<Job>,
}

/// So many names are shown to somebody who named none.
const SHOWN: usize = 12;

/// No job is called so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no job is `{asked}`: {known}")]
pub struct NotThere {
    /// What was asked for.
    pub asked: String,
    /// What there is.
    known: String,
}

impl Matrix {
    /// The numbers of the jobs that `only` names, each by its name or its number from 0, in the order of the file; of all
    /// where nothing is named.
    ///
    /// # Errors
    /// A name or number that no job has.
    pub fn chosen(&self, only: &[String]) -> Result<Vec<usize>, NotThere> {
        let mut chosen = vec![only.is_empty(); self.jobs.len()];
        for asked in only {
            let named = self.jobs.iter().position(|job| job.name == *asked);
            // No name is a number.
            let index = named.or_else(|| asked.parse().ok().filter(|index| *index < self.jobs.len()));
            match index.and_then(|index| chosen.get_mut(index)) {
                Some(mark) => *mark = true,
                None => return Err(NotThere { asked: asked.clone(), known: self.known(asked) }),
            }
        }
        Ok(chosen.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(index, _)| index).collect())
    }

    fn known(&self, asked: &str) -> String {
        let names = self.jobs.iter().map(|job| job.name.as_str());
        match did_you_mean(asked, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let last = self.jobs.len().saturating_sub(1);
                let some: Vec<&str> = self.jobs.iter().take(SHOWN).map(|job| job.name.as_str()).collect();
                let more = if self.jobs.len() > SHOWN { ", …" } else { "" };
                format!("there are {}{more}, numbered from 0 to {last}", some.join(", "))
            }
        }
    }
}

/// The rows of a recipe's own matrix, as jobs that are named by their outputs.
#[must_use]
pub fn matrix_of_rows(recipe: &Path, rows: &[Row]) -> Matrix {
    let mut jobs: Vec<Job> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let file = row.output.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let taken = |name: &str| jobs.iter().any(|job| job.name == name);
        let plain = !file.is_empty() && !is_number(&file) && !taken(&file);
        // Outputs differ, so their paths do.
        let name = if plain { file } else { row.output.display().to_string() };
        let name = if is_number(&name) { format!("row-{name}") } else { name };
        jobs.push(Job {
            name,
            recipe: recipe.to_owned(),
            row: Some(index),
            set: Vec::new(),
            source: row.source.clone(),
            digest: None,
            output: row.output.clone(),
        });
    }
    Matrix { path: recipe.to_owned(), jobs }
}

/// A name of digits alone could be a job's number.
pub(crate) fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}
