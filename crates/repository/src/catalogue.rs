//! What repositories offer: fetched, proved, indexed.

use std::path::PathBuf;

use hardtack_guest::dpkg::Package;
use hardtack_guest::dpkg::admin::Architectures;
use hardtack_guest::dpkg::depends::Group;

use crate::{Error, Lock, Settings, Solution, Source};

/// A `Release` that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The address of the repository.
    pub uri: String,
    /// The suite as asked for.
    pub suite: String,
    /// `Codename`, else `Suite`.
    pub codename: String,
    /// `Origin` and `Label`.
    pub origin: String,
    /// `Label`.
    pub label: String,
    /// `Suite`.
    pub archive: String,
    /// `Date`, seconds since 1970.
    pub date: u64,
    /// The SHA-256 of what was signed.
    pub sha256: String,
    /// The fingerprint of the key that signed; `None` for `trusted=yes`.
    pub key: Option<String>,
    /// `NotAutomatic: yes`.
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades: yes`.
    pub but_automatic_upgrades: bool,
    /// Updates of security: told by `Label` and `Suite`.
    pub security: bool,
}

/// A package that a repository offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name, version, relations.
    pub package: Package,
    /// `Recommends`.
    pub recommends: Vec<Group>,
    /// `Essential: yes` or `Protected: yes`.
    pub essential: bool,
    /// Which release offers it: an index into [`Catalogue::releases`].
    pub release: usize,
    /// The component, empty in a flat repository.
    pub component: String,
    /// Its path in the repository.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// A `.deb` at hand, its size and digest checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The index of its change in [`Solution::changes`].
    pub change: usize,
    /// Where it is.
    pub path: PathBuf,
    /// `NAME_VERSION_ARCH.deb`.
    pub file_name: String,
}

/// All that some repositories offer.
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) releases: Vec<Release>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) notes: Vec<String>,
}

impl Catalogue {
    /// Fetches and proves. With a lock, a release older than its is refused, and so is a package of
    /// another digest than it has.
    pub fn open(
        sources: &[Source],
        _architectures: &Architectures,
        _settings: &Settings,
        _lock: Option<&Lock>,
    ) -> Result<Self, Error> {
        Err(Error::source(sources.first().map_or("sources", |source| &source.place), "not there yet"))
    }

    /// The releases.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// All packages.
    #[must_use]
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// What somebody should know: expired and taken nevertheless, skipped.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Brings the `.deb` files of a solution to `directory` (the cache when `None`).
    pub fn fetch(
        &self,
        _solution: &Solution,
        _settings: &Settings,
        _directory: Option<&std::path::Path>,
    ) -> Result<Vec<Fetched>, Error> {
        Err(Error::source("fetch", "not there yet"))
    }
}
