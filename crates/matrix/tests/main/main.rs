//! Matrix files, what is made of them, and what is said of their runs.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod engines;
mod load;
mod runs;

use std::path::Path;

use hardtack_matrix::{Matrix, load_matrix};

/// The jobs of a file that is right.
fn matrix(path: &str, text: &str) -> Matrix {
    load_matrix(Path::new(path), text).unwrap()
}

/// Where virtual environments go that have no better place.
fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A matrix of so many jobs.
fn many(jobs: usize) -> Matrix {
    let includes: String = (0..jobs)
        .map(|index| {
            format!("- {{recipe: r.yaml, source: s.raw, name: job-{index}, output: out/{index}.raw}}\n")
        })
        .collect();
    matrix("ci/images.yaml", &format!("matrix: 1\ninclude:\n{includes}"))
}
