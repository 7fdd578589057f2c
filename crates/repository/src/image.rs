//! What an image holds, as far as it matters to an installation.

use std::collections::BTreeSet;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Package;
use hardtack_guest::dpkg::admin::Architectures;
use hardtack_guest::dpkg::depends::Group;

use crate::Error;

/// An installed package.
#[derive(Clone, Debug)]
pub struct Held {
    /// Name, version, relations.
    pub package: Package,
    /// `Recommends`.
    pub recommends: Vec<Group>,
    /// `Essential: yes` or `Protected: yes`.
    pub essential: bool,
    /// `hold`.
    pub hold: bool,
    /// Asked for by somebody, not only a dependency.
    pub manual: bool,
}

/// The packages of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its architectures.
    pub architectures: Architectures,
    /// What is installed, by name and architecture.
    pub held: Vec<Held>,
    /// `APT::Default-Release`.
    pub default_release: Option<String>,
    /// Settings of apt that are not honoured, by file and line.
    pub ignored: Vec<String>,
}

impl Image {
    /// Reads an image.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let _ = (stage, BTreeSet::<String>::new());
        Err(Error::source("image", "not there yet"))
    }
}
