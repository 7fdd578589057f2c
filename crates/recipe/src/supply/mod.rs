//! Packages by name: what a repository's answer is to a step, the same in both passes of a build.

mod repositories;
mod told;

use std::fmt;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Package;

use crate::StepError;
use crate::model::{DebFile, PackagesStep};

pub use repositories::Repositories;
pub(crate) use told::told;

/// Where packages come from that a recipe names.
pub trait Supply: fmt::Debug {
    /// What `step` comes to on this image, with the files at hand. `given` are the packages of the
    /// step's own `.deb` files.
    ///
    /// # Errors
    /// [`StepError::Remote`] when a repository cannot be reached, [`StepError::Refused`] when what it
    /// has is not to be trusted or does not fit, [`StepError::Local`] for files of this machine.
    fn supply(
        &self,
        step: &PackagesStep,
        given: &[Package],
        stage: &Stage<'_>,
    ) -> Result<Supplied, StepError>;
}

/// What a supply has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supplied {
    /// What comes, by name.
    pub coming: Vec<Coming>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl Supplied {
    /// The files.
    pub fn debs(&self) -> impl Iterator<Item = &DebFile> {
        self.coming.iter().map(|one| &one.deb)
    }
}

/// A package from a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Its file, of proved content.
    pub deb: DebFile,
    /// `name 1.0`, or `name 1.0 → 1.1`.
    pub label: String,
    /// Why it comes, in words.
    pub why: String,
    /// New in the image, and only because another package needs it.
    pub automatic: bool,
    /// Bytes of the file.
    pub size: u64,
}
