//! A pipeline of GitLab.

use std::collections::BTreeSet;

use super::quote::{comment, shell, yaml};
use super::{Refused, Wanted, file, groups, label, relative, slug};
use crate::job::Matrix;

/// Jobs that `parallel: matrix` makes (<https://docs.gitlab.com/ci/yaml/#parallelmatrix>). More images are built several by
/// job.
const MOST: usize = 200;
/// The name of a job with all its variables has at most 255 characters; this leaves room for the rest.
const LONGEST_LABEL: usize = 100;
/// Characters of what is kept under a name.
const LONGEST_NAME: usize = 50;
const ENGINE: &str = "GitLab";

pub(super) fn render(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    let path = file(matrix, ENGINE)?;
    let mut jobs = String::new();
    for group in groups(matrix.jobs.len(), MOST) {
        let only: Vec<String> = group.clone().map(|index| index.to_string()).collect();
        jobs += &format!(
            "      - HARDTACK_ONLY: {}\n        HARDTACK_NAME: {}\n",
            yaml(&only.join(" ")),
            yaml(&plain(&label(matrix, &group))),
        );
    }
    let mut paths = String::new();
    for path in kept(matrix)? {
        paths += &format!("      - {}\n", yaml(&path));
    }
    let before = wanted.before.map_or_else(String::new, |command| format!("    - {}\n", yaml(command)));
    let cache = wanted.cache.map_or_else(String::new, |place| format!(" --cache {}", shell(place)));
    let carried = match wanted.cache.filter(|place| !place.contains("://")) {
        Some(place) => {
            let place = relative(std::path::Path::new(place), ENGINE)?;
            format!(
                "  cache:\n    key: {}-$CI_NODE_INDEX\n    paths:\n      - {}\n    when: always\n",
                slug(&path, LONGEST_NAME),
                yaml(&pattern(&place)?)
            )
        }
        None => String::new(),
    };
    // Numbers and spaces: the shell makes words of them.
    let build = format!(
        "hardtack build --matrix {}{cache} --junit hardtack.xml $(for job in $HARDTACK_ONLY; do echo \"--only $job\"; done)",
        shell(&path)
    );
    Ok(format!(
        "# Written by: hardtack matrix {command} --format gitlab\n\
         hardtack:\n  image:\n    name: {image}\n    entrypoint: [\"\"]\n  \
         parallel:\n    matrix:\n{jobs}{carried}  \
         script:\n    - hardtack --version\n{before}    - {build}\n  \
         artifacts:\n    when: always\n    paths:\n{paths}    reports:\n      junit: hardtack.xml\n",
        command = comment(&shell(&path)),
        image = yaml(wanted.image),
        build = yaml(&build),
    ))
}

/// What of the project's directory is kept: the directories of outputs; the outputs themselves where they lie beside all else.
fn kept(matrix: &Matrix) -> Result<BTreeSet<String>, Refused> {
    let mut paths = BTreeSet::new();
    for job in &matrix.jobs {
        let output = relative(&job.output, ENGINE)?;
        match output.rsplit_once('/').filter(|(folder, _)| *folder != ".") {
            Some((folder, _)) => {
                paths.insert(format!("{}/", pattern(folder)?));
            }
            None => {
                let output = pattern(&output)?;
                paths.insert(format!("{output}.provenance.json"));
                paths.insert(output);
            }
        }
    }
    Ok(paths)
}

/// A path that GitLab takes as it stands.
fn pattern(path: &str) -> Result<String, Refused> {
    if path.contains(['*', '?', '[', ']', '{', '}', '\\', '$']) {
        let why = "GitLab takes the path for a pattern or a variable; give it another name";
        return Err(Refused::Path { engine: ENGINE, path: path.to_owned(), why });
    }
    Ok(path.to_owned())
}

/// A label in which GitLab finds no variable: `$` begins one. The label is for people only.
fn plain(label: &str) -> String {
    let fine = |character: char| character.is_alphanumeric() || " ._-+".contains(character);
    label.chars().take(LONGEST_LABEL).map(|character| if fine(character) { character } else { '_' }).collect()
}
