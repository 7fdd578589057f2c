//! Where packages come from: the image's lists of sources, and what a recipe names.

use hardtack_guest::Stage;

use crate::Error;

/// With what the signature of a repository is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Keyrings, binary or armored, each with the name that messages have for it.
    Rings(Vec<(String, Vec<u8>)>),
    /// `trusted=yes`: nothing is checked.
    Trusted,
}

/// One repository: some suites at some addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File and line, or what the recipe calls it.
    pub place: String,
    /// Addresses, the first that answers is taken: `http:`, `https:`, `file:`.
    pub uri: String,
    /// The suite (`trixie`), or a path that ends with a slash for a flat repository.
    pub suite: String,
    /// Components; none for a flat repository.
    pub components: Vec<String>,
    /// Architectures; `None` for those of the image.
    pub architectures: Option<Vec<String>>,
    /// Keys.
    pub keys: Keys,
    /// Only these fingerprints of the keys; empty for all of them.
    pub fingerprints: Vec<String>,
    /// `check-valid-until=no`.
    pub check_valid_until: bool,
    /// `valid-until-max`, seconds.
    pub valid_until_max: Option<u64>,
    /// `by-hash=no`.
    pub by_hash: Option<bool>,
}

/// A repository as a recipe writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Addresses.
    pub uris: Vec<String>,
    /// Suites.
    pub suites: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// Architectures; empty for those of the image.
    pub architectures: Vec<String>,
    /// A keyring's name and content, binary or armored; `None` takes what the image trusts.
    pub keyring: Option<(String, Vec<u8>)>,
}

/// An entry that is not used, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// File and line.
    pub place: String,
    /// Why.
    pub why: String,
}

/// The repositories of an image, and entries of its lists that were left out.
pub fn of_image(_stage: &Stage<'_>, _allow_trusted: bool) -> Result<(Vec<Source>, Vec<Skipped>), Error> {
    Err(Error::source("sources", "not there yet"))
}

/// The repositories that a recipe names; `place` is what messages call it.
pub fn of_recipe(_stage: &Stage<'_>, _given: &Given, place: &str) -> Result<Vec<Source>, Error> {
    Err(Error::source(place, "not there yet"))
}
