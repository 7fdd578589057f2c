//! The lock file: what was taken, so that another build takes the same.
//!
//! JSON, sorted, one value a line: it is kept in version control beside the recipe, and read in differences.

use serde::{Deserialize, Serialize};

use crate::{Catalogue, Error, Kind, Request, Solution, date};

/// A repository that was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedRepository {
    /// Its address.
    pub uri: String,
    /// The suite.
    pub suite: String,
    /// `Date` of its `Release`, RFC 3339 in UTC.
    pub date: String,
    /// SHA-256 of what was signed.
    pub sha256: String,
}

/// A package that was taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// The address of its repository.
    pub repository: String,
    /// Its path there.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
}

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The format: 1.
    pub version: u32,
    /// Repositories, by address and suite.
    pub repositories: Vec<LockedRepository>,
    /// Packages, by name and architecture.
    pub packages: Vec<LockedPackage>,
    /// Packages that go, by name.
    pub removed: Vec<String>,
}

impl Lock {
    /// What a solution takes.
    #[must_use]
    pub fn of(catalogue: &Catalogue, solution: &Solution) -> Self {
        let mut lock =
            Self { version: 1, repositories: Vec::new(), packages: Vec::new(), removed: Vec::new() };
        for change in &solution.changes {
            let (Kind::Install(offer) | Kind::Upgrade(offer)) = change.kind else {
                lock.removed.push(change.name.clone());
                continue;
            };
            let Some(offer) = catalogue.offers.get(offer) else { continue };
            let Some(release) = catalogue.releases.get(offer.release) else { continue };
            lock.packages.push(LockedPackage {
                name: offer.package.name.clone(),
                architecture: offer.package.architecture.clone(),
                version: offer.package.version.to_string(),
                repository: release.uri.clone(),
                file: offer.file.clone(),
                size: offer.size,
                sha256: offer.sha256.clone(),
            });
        }
        // A directory of files has no Release, and nothing to compare later.
        lock.repositories = catalogue
            .releases
            .iter()
            .filter(|release| release.date != 0)
            .map(|release| LockedRepository {
                uri: release.uri.clone(),
                suite: release.suite.clone(),
                date: date::iso(release.date),
                sha256: release.sha256.clone(),
            })
            .collect();
        lock.repositories.sort();
        lock.repositories.dedup();
        lock.packages.sort();
        lock.removed.sort();
        lock
    }

    /// Reads one; `name` is what messages call it.
    ///
    /// # Errors
    /// Text that is no lock file, or one of another version.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Locked { lock: name.to_owned(), what };
        let lock: Self =
            serde_json::from_str(text).map_err(|error| wrong(format!("is no lock file: {error}")))?;
        if lock.version != 1 {
            return Err(wrong(format!("is of version {}, and 1 is what is known", lock.version)));
        }
        if let Some(bad) = lock.repositories.iter().find(|one| date::from_iso(&one.date).is_none()) {
            return Err(wrong(format!("{} {} has the date {:?}", bad.uri, bad.suite, bad.date)));
        }
        Ok(lock)
    }

    /// Its text, with a line end.
    #[must_use]
    pub fn write(&self) -> String {
        // Strings and numbers always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// When the `Release` of a repository was made, seconds since 1970.
    pub(crate) fn date_of(&self, uri: &str, suite: &str) -> Option<u64> {
        self.repositories
            .iter()
            .find(|one| one.uri == uri && one.suite == suite)
            .and_then(|one| date::from_iso(&one.date))
    }

    /// The request that takes exactly what the lock has. `name` is what messages call it.
    ///
    /// # Errors
    /// Something of it that the catalogue does not offer, or offers with another digest or from another
    /// repository; a repository that is not asked; a package that goes and is not asked to.
    pub fn request(&self, name: &str, catalogue: &Catalogue, wanted: &Request) -> Result<Request, Error> {
        let refused = |what: String| Error::Locked { lock: name.to_owned(), what };
        // A directory of files stands for all repositories, and has no Release to compare.
        let piled = |uri: &str| catalogue.releases.iter().any(|one| one.date == 0 && one.uri == uri);
        let is_pile = catalogue.releases.iter().all(|one| piled(&one.uri));
        for locked in self.repositories.iter().filter(|_| !is_pile) {
            let same = |one: &crate::Release| one.uri == locked.uri && one.suite == locked.suite;
            if !catalogue.releases.iter().any(same) {
                return Err(refused(format!(
                    "was made with {} {}, which neither the recipe nor the image names now",
                    locked.uri, locked.suite
                )));
            }
        }
        let plain = |text: &str| text.split(':').next().unwrap_or(text).to_owned();
        if let Some(gone) =
            self.removed.iter().find(|gone| !wanted.remove.iter().any(|one| plain(one) == plain(gone)))
        {
            return Err(refused(format!("removes {gone}, and the recipe does not ask for that")));
        }
        let mut exact = Vec::new();
        for package in &self.packages {
            let label = format!("{} {} ({})", package.name, package.version, package.architecture);
            let same: Vec<_> = catalogue
                .offers
                .iter()
                .filter(|offer| {
                    offer.package.name == package.name
                        && offer.package.architecture == package.architecture
                        && offer.package.version.to_string() == package.version
                })
                .collect();
            if same.is_empty() {
                let others: Vec<String> = catalogue
                    .offers
                    .iter()
                    .filter(|offer| offer.package.name == package.name)
                    .map(|offer| offer.package.version.to_string())
                    .collect();
                let others = if others.is_empty() {
                    "no version of it is".to_owned()
                } else {
                    format!("{} is", others.join(", "))
                };
                return Err(refused(format!(
                    "has {label}, which no repository offers now ({others}); make a new lock, or name a snapshot"
                )));
            }
            if !same.iter().any(|offer| offer.sha256 == package.sha256 && offer.size == package.size) {
                return Err(refused(format!(
                    "has {label} with the SHA-256 {}, and the repositories offer another file under that version",
                    package.sha256
                )));
            }
            let from = |offer: &&crate::Offer| match catalogue.releases.get(offer.release) {
                Some(release) => piled(&release.uri) || release.uri == package.repository,
                None => false,
            };
            if !same.into_iter().filter(|offer| offer.sha256 == package.sha256).any(|offer| from(&offer)) {
                return Err(refused(format!(
                    "has {label} from {}, and that repository does not offer it",
                    package.repository
                )));
            }
            exact.push((package.name.clone(), package.architecture.clone(), package.sha256.clone()));
        }
        Ok(Request { exact: Some(exact), removed: self.removed.clone(), ..wanted.clone() })
    }
}
