//! `hardtack matrix`: the jobs of a matrix for people, programs and engines.

use hardtack_matrix::engine::{self, Wanted};

use super::{places, read};
use crate::args::{MatrixArgs, MatrixFormat};
use crate::cache_place;
use crate::document;
use crate::error::CliError;

/// What one build of Kubernetes gets: twice what `memory::BUILD` counts with, since there a limit kills.
const MEMORY: u64 = 1 << 30;
const PARALLELISM: u16 = 4;

/// Lists the jobs, or writes them for an engine.
pub(crate) fn run(arguments: &MatrixArgs) -> Result<u8, CliError> {
    use MatrixFormat::{Github, Gitlab, Json, K8s, Text, Tsv};
    let format = arguments.format;
    for (given, name, formats) in [
        (!arguments.only.is_empty(), "only", &[Text, Json, Tsv][..]),
        (arguments.action.is_some(), "action", &[Github]),
        (arguments.image.is_some(), "image", &[Gitlab, K8s]),
        (arguments.cache.is_some(), "cache", &[Github, Gitlab, K8s]),
        (arguments.before.is_some(), "before", &[Github, Gitlab]),
        (arguments.volume.is_some(), "volume", &[K8s]),
        (arguments.memory.is_some(), "memory", &[K8s]),
        (arguments.parallelism.is_some(), "parallelism", &[K8s]),
    ] {
        if given && !formats.contains(&format) {
            return Err(CliError::usage(format!("--{name} is nothing for this --format")));
        }
    }
    arguments.cache.as_deref().map_or(Ok(()), cache_place::check)?;
    let matrix = read(&arguments.file)?;
    let chosen =
        matrix.chosen(&arguments.only).map_err(|error| CliError::usage(format!("--only: {error}")))?;
    let default_image = format!("hardtack:{}", env!("CARGO_PKG_VERSION"));
    // The other engines hand all that they keep to all jobs.
    let variables = if format == Github { places::variables(&matrix) } else { Vec::new() };
    let wanted = Wanted {
        variables: &variables,
        action: arguments.action.as_deref().unwrap_or_default(),
        image: arguments.image.as_deref().unwrap_or(&default_image),
        cache: arguments.cache.as_deref(),
        before: arguments.before.as_deref(),
        volume: arguments.volume.as_deref().unwrap_or("hardtack"),
        memory: arguments.memory.unwrap_or(MEMORY),
        parallelism: arguments.parallelism.unwrap_or(PARALLELISM).into(),
    };
    let refused = |error: engine::Refused| CliError::usage(error.to_string());
    let text = match format {
        Text => engine::to_text(&matrix, &chosen),
        Json => format!("{:#}\n", engine::to_json(&matrix, &chosen)),
        Tsv => engine::to_tsv(&matrix, &chosen).map_err(|job| {
            CliError::usage(format!("a variable of the job `{job}` has a tab or a line break"))
                .hint("take --format json")
        })?,
        Github if wanted.action.is_empty() => {
            return Err(CliError::usage("--format github needs --action")
                .hint("the project's action as your workflows name it: --action OWNER/hardtack@v1"));
        }
        Github => engine::to_github(&matrix, &wanted).map_err(refused)?,
        Gitlab => engine::to_gitlab(&matrix, &wanted).map_err(refused)?,
        K8s => engine::to_kubernetes(&matrix, &wanted).map_err(refused)?,
    };
    if let Some(output) = &arguments.output {
        places::check_list(&matrix, output)?;
    }
    document::write(&text, arguments.output.as_deref(), arguments.force, &[(&arguments.file, "matrix")])?;
    Ok(0)
}
