//! Where packages come from: the image's lists of sources, and what a recipe names.
//!
//! Formats: `sources.list(5)` and `deb822` there. Entries of `deb-src` are no packages and left out silently; what
//! cannot be used here is left out by name ([`Skipped`]).

mod list;
mod trust;

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

/// One suite at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File and line, or what the recipe calls it.
    pub place: String,
    /// The address, without a slash at its end: `http:`, `https:`, `file:`.
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
    /// `check-valid-until=no` makes it false.
    pub check_valid_until: bool,
    /// `valid-until-max`, seconds.
    pub valid_until_max: Option<u64>,
    /// `by-hash=no` and `by-hash=force`; `None` does what the `Release` says.
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
///
/// # Errors
/// A file that cannot be read or understood, a keyring that is not there, `trusted=yes` without
/// `allow_trusted`.
pub fn of_image(stage: &Stage<'_>, allow_trusted: bool) -> Result<(Vec<Source>, Vec<Skipped>), Error> {
    let mut found = list::Found::default();
    list::one_line(stage, "/etc/apt/sources.list", &mut found)?;
    let folder = "/etc/apt/sources.list.d";
    let mut names: Vec<String> = stage.list(folder)?.into_iter().map(|entry| entry.name).collect();
    names.sort();
    for name in names {
        // apt's own rule for names in such directories; it ignores the others too.
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let path = format!("{folder}/{name}");
        if plain && name.ends_with(".list") {
            list::one_line(stage, &path, &mut found)?;
        } else if plain && name.ends_with(".sources") {
            list::stanzas(stage, &path, &mut found)?;
        }
    }
    let mut sources = Vec::new();
    for entry in found.entries {
        let keys = trust::keys(stage, &entry, allow_trusted)?;
        sources.extend(entry.expand(&keys)?);
    }
    Ok((sources, found.skipped))
}

/// The repositories that a recipe names; `place` is what messages call it.
///
/// # Errors
/// An address that cannot be used, an unusable combination, a keyring of the image that cannot be read.
pub fn of_recipe(stage: &Stage<'_>, given: &Given, place: &str) -> Result<Vec<Source>, Error> {
    let mut entry = list::Entry::new(place);
    entry.uris.clone_from(&given.uris);
    entry.suites.clone_from(&given.suites);
    entry.components.clone_from(&given.components);
    if !given.architectures.is_empty() {
        entry.options.insert("architectures".to_owned(), given.architectures.join(" "));
    }
    let keys = match &given.keyring {
        Some(ring) => trust::Found { keys: Keys::Rings(vec![ring.clone()]), fingerprints: Vec::new() },
        None => trust::keys(stage, &entry, false)?,
    };
    entry.expand(&keys)
}
