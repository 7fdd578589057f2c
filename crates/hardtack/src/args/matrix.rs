//! `hardtack matrix`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::size::size;

const EXAMPLE: &str = "\
Examples:
  hardtack matrix images.yaml                                   # the jobs, one a line
  hardtack matrix images.yaml --format github --action OWNER/hardtack@v1 \\
      --before ./fetch-sources --cache .hardtack > .github/workflows/images.yml
  hardtack matrix images.yaml --format gitlab --image registry.example/hardtack > .gitlab-ci.yml
  hardtack matrix images.yaml --format k8s --image registry.example/hardtack --volume images | kubectl apply -f -

Run it in the directory in which the engine starts: that of the project, or the top of the volume. The
engine builds with `hardtack build --matrix FILE --only NUMBER`; the matrix file stays where it is. More
jobs than GitHub (256) or GitLab (200) take are built several by job.

Exit codes: 0 done, 2 wrong usage or matrix, 4 local input or output.";

/// List the jobs of a matrix, or write them for a CI engine.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct MatrixArgs {
    /// The matrix: recipes times sources.
    pub(crate) file: PathBuf,

    /// For whom.
    #[arg(long, value_enum, default_value_t = MatrixFormat::Text)]
    pub(crate) format: MatrixFormat,

    /// List this job only: by its name, or its number from 0. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Write to this file, whole or not at all.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace an existing file.
    #[arg(long)]
    pub(crate) force: bool,

    /// GitHub: the project's action, OWNER/REPOSITORY@REF, or ./DIRECTORY.
    #[arg(long, value_name = "ACTION", help_heading = "For engines")]
    pub(crate) action: Option<String>,

    /// GitLab, Kubernetes: the container image with hardtack; GitLab needs a shell in it.
    #[arg(long, value_name = "IMAGE", help_heading = "For engines")]
    pub(crate) image: Option<String>,

    /// Where finished images are kept between runs: a directory, or s3://BUCKET/PREFIX.
    #[arg(long, value_name = "WHERE", help_heading = "For engines")]
    pub(crate) cache: Option<String>,

    /// GitHub, GitLab: a command of the shell that brings the sources.
    #[arg(long, value_name = "COMMAND", help_heading = "For engines")]
    pub(crate) before: Option<String>,

    /// Kubernetes: the claim of the volume with matrix, recipes and sources; else hardtack.
    #[arg(long, value_name = "CLAIM", help_heading = "For engines")]
    pub(crate) volume: Option<String>,

    /// Kubernetes: the memory of one build; else 1G.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "For engines")]
    pub(crate) memory: Option<u64>,

    /// Kubernetes: so many builds at once; else 4.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000), help_heading = "For engines")]
    pub(crate) parallelism: Option<u16>,
}

/// Formats of a list of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatrixFormat {
    /// A table.
    Text,
    /// For programs.
    Json,
    /// For shells: number, name, recipe, source, output and NAME=VALUE, with tabs between them.
    Tsv,
    /// A workflow of GitHub Actions.
    Github,
    /// A pipeline of GitLab.
    Gitlab,
    /// An Indexed Job of Kubernetes.
    K8s,
}
