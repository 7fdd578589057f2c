//! The jobs as lists, for people, programs and shells.

use hardtack_report::visible;
use serde_json::{Value, json};

use crate::job::{Job, Matrix};
use crate::outcome::{columns, described, pad};

/// For people.
#[must_use]
pub fn to_text(matrix: &Matrix, chosen: &[usize]) -> String {
    let rows: Vec<[String; 5]> = chosen
        .iter()
        .filter_map(|index| Some((index, matrix.jobs.get(*index)?)))
        .map(|(index, job)| {
            [index.to_string(), visible(&job.name), path(&job.recipe), path(&job.source), path(&job.output)]
        })
        .collect();
    let heads = ["", "job", "recipe", "source", "output"].map(str::to_owned);
    let wide: Vec<usize> = (0..heads.len())
        .map(|column| rows.iter().chain([&heads]).map(|row| columns(&row[column])).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(&wide).map(|(cell, wide)| pad(cell, *wide)).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// For programs.
#[must_use]
pub fn to_json(matrix: &Matrix, chosen: &[usize]) -> Value {
    let jobs: Vec<Value> =
        chosen.iter().filter_map(|index| Some(described(*index, matrix.jobs.get(*index)?))).collect();
    json!({"matrix": matrix.path.display().to_string(), "jobs": jobs})
}

/// For shells: a line for each job, with tabs between number, name, recipe, source, output, and each variable as
/// `NAME=VALUE`. Nothing of it holds a tab or a line break: neither names nor paths may, and such variables are told.
///
/// # Errors
/// The name of a job with a variable that has one.
pub fn to_tsv(matrix: &Matrix, chosen: &[usize]) -> Result<String, String> {
    let mut text = String::new();
    for index in chosen {
        let Some(job) = matrix.jobs.get(*index) else { continue };
        let mut fields: Vec<String> = vec![index.to_string(), job.name.clone()];
        fields.extend([&job.recipe, &job.source, &job.output].map(|path| path.display().to_string()));
        fields.extend(job.set.iter().map(|(name, value)| format!("{name}={value}")));
        if fields.iter().any(|field| field.contains(['\t', '\n', '\r'])) {
            return Err(job.name.clone());
        }
        text += &fields.join("\t");
        text.push('\n');
    }
    Ok(text)
}

fn path(path: &std::path::Path) -> String {
    visible(&path.display().to_string())
}

impl Job {
    /// The job's output, for messages.
    pub(crate) fn shown_output(&self) -> String {
        self.output.display().to_string()
    }
}
