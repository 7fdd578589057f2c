//! The same jobs for engines that people already run, and as lists.
//!
//! What is written names the matrix file and the jobs' numbers only, besides labels for people: recipes, variables and
//! digests stay in the matrix file, and secrets come from the engine's own into the environment, by name.

mod github;
mod gitlab;
mod kubernetes;
mod list;
mod quote;

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::job::Matrix;

pub use list::{to_json, to_text, to_tsv};

/// What an engine is told besides the jobs.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// `OWNER/REPOSITORY@REF` of the project's action (GitHub).
    pub action: &'a str,
    /// The environment variables that the recipes ask for: each is a secret of that name (GitHub).
    pub variables: &'a [String],
    /// The container image with the program (GitLab, Kubernetes).
    pub image: &'a str,
    /// Where finished images are kept between runs, if anywhere: a directory, or `s3://BUCKET/PREFIX`.
    pub cache: Option<&'a str>,
    /// A command that brings the sources, if one does (GitHub, GitLab).
    pub before: Option<&'a str>,
    /// The claim of the volume that holds matrix, recipes and sources, and gets the images (Kubernetes).
    pub volume: &'a str,
    /// Bytes of memory that one build gets (Kubernetes).
    pub memory: u64,
    /// Builds at once (Kubernetes).
    pub parallelism: usize,
}

/// Why an engine cannot have these jobs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// A path that the engine takes for something else.
    #[error("{engine}: `{path}`: {why}")]
    Path {
        /// The engine.
        engine: &'static str,
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A workflow of GitHub Actions.
///
/// # Errors
/// Paths that GitHub takes for something else.
pub fn to_github(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    github::render(matrix, wanted)
}

/// A pipeline of GitLab.
///
/// # Errors
/// Paths that GitLab takes for something else.
pub fn to_gitlab(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    gitlab::render(matrix, wanted)
}

/// An Indexed Job of Kubernetes.
///
/// # Errors
/// Paths that are not below the volume.
pub fn to_kubernetes(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    kubernetes::render(matrix, wanted)
}

/// The matrix file as commands name it: from where the engine starts them.
fn file(matrix: &Matrix, engine: &'static str) -> Result<String, Refused> {
    relative(&matrix.path, engine)
}

/// A path as text, if it is below the directory that the engine starts in.
fn relative(path: &Path, engine: &'static str) -> Result<String, Refused> {
    let plain = hardtack_recipe::reading::normal(path);
    let refuse = |why| Refused::Path { engine, path: path.display().to_string(), why };
    if plain.is_absolute() || plain.starts_with("..") {
        return Err(refuse(
            "the path is not below the directory of the project; run `hardtack matrix` from there",
        ));
    }
    let text = plain.to_str().ok_or_else(|| refuse("the path is not UTF-8"))?;
    // Lines end at these, too, for YAML 1.1.
    if text.chars().any(|character| character.is_control() || "\u{2028}\u{2029}".contains(character)) {
        return Err(refuse("the path holds a line break or another control character"));
    }
    // What starts with a hyphen could be an option.
    Ok(if text.starts_with('-') { format!("./{text}") } else { text.to_owned() })
}

/// A name for what an engine keeps of this matrix, which no other matrix of the project has: a label of RFC 1123 of at most
/// so many characters. Where the file's name alone does not tell it, a part of the path's digest stands behind it.
fn slug(path: &str, most: usize) -> String {
    const PREFIX: &str = "hardtack-";
    const DIGITS: usize = 8;
    let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let room = most.saturating_sub(PREFIX.len());
    let whole = !stem.is_empty() && stem.len() <= room && stem.bytes().all(fine) && !stem.ends_with('-');
    if whole && path == format!("{stem}.yaml") {
        return format!("{PREFIX}{stem}");
    }
    let kept = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let short: String = stem.to_lowercase().chars().map(kept).take(room.saturating_sub(DIGITS + 1)).collect();
    let digest = Sha256::digest(path.as_bytes());
    let digits: String = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    match short.trim_matches('-') {
        "" => format!("{PREFIX}{digits}"),
        short => format!("{PREFIX}{short}-{digits}"),
    }
}

/// The numbers of the jobs in so many groups at most, in order and nearly equal.
fn groups(jobs: usize, most: usize) -> Vec<std::ops::Range<usize>> {
    let groups = jobs.min(most).max(1);
    (0..groups).map(|group| jobs * group / groups..jobs * (group + 1) / groups).collect()
}

/// What people see of a group.
fn label(matrix: &Matrix, group: &std::ops::Range<usize>) -> String {
    let name = |index: usize| matrix.jobs.get(index).map_or("", |job| job.name.as_str());
    match group.len() {
        1 => name(group.start).to_owned(),
        more => format!("{} and {} more", name(group.start), more - 1),
    }
}
