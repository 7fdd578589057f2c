//! Many images: recipes times sources, what became of each, and the same jobs for the engines of others.
//!
//! * [`load_matrix`]: from a matrix file to [`Job`]s, with every finding at its place; [`matrix_schema`] is made of the same
//!   table of keys.
//! * [`Outcome`] and [`Run`]: what became of the jobs, as a table, as JSON, as JUnit's XML.
//! * [`engine`]: the same jobs as a workflow of GitHub Actions, a pipeline of GitLab, an Indexed Job of Kubernetes.
//!
//! Who starts processes is the program: nothing here runs, reads the environment or the clock.

#![forbid(unsafe_code)]

pub mod engine;
mod job;
mod keys;
mod load;
mod outcome;

pub use job::{Job, Matrix, NotThere, matrix_of_rows};
pub use keys::matrix_schema;
pub use load::load_matrix;
pub use outcome::{Outcome, Run, Verdict};
