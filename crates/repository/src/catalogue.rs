//! What repositories offer: fetched, proved, indexed.

use std::path::{Path, PathBuf};

use hardtack_guest::dpkg::admin::Architectures;
use hardtack_guest::dpkg::depends::Group;
use hardtack_guest::dpkg::{Deb, Package};

use crate::cache::{Cache, Wanted, copy};
use crate::network::Client;
use crate::place::Place;
use crate::{Error, Kind, Lock, Settings, Solution, Source, index, release};

/// A `Release` that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The address of the repository.
    pub uri: String,
    /// The suite as asked for.
    pub suite: String,
    /// `Codename`, else `Suite`.
    pub codename: String,
    /// `Origin`.
    pub origin: String,
    /// `Label`.
    pub label: String,
    /// `Suite`.
    pub archive: String,
    /// `Date`, seconds since 1970.
    pub date: u64,
    /// The SHA-256 of what was signed.
    pub sha256: String,
    /// The fingerprint of the key that signed; `None` for `trusted=yes` and for files of a directory.
    pub key: Option<String>,
    /// `NotAutomatic: yes`.
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades: yes`.
    pub but_automatic_upgrades: bool,
    /// Updates of security, told by `Suite`, `Codename` or `Label` ending in `-security`.
    pub security: bool,
}

impl Release {
    /// apt's priority of what it offers (`apt_preferences(5)`), without pins.
    #[must_use]
    pub fn priority(&self, default_release: Option<&str>) -> i32 {
        let is_default = default_release.is_some_and(|name| self.is_called(name));
        match (is_default, self.not_automatic, self.but_automatic_upgrades) {
            (true, _, _) => 990,
            (false, true, true) => 100,
            (false, true, false) => 1,
            (false, false, _) => 500,
        }
    }

    /// True when `name` means it: the suite as asked for, `Suite` or `Codename`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        [&self.suite, &self.archive, &self.codename].iter().any(|known| known.as_str() == name)
    }
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
#[derive(Debug, Default)]
pub struct Catalogue {
    pub(crate) releases: Vec<Release>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) notes: Vec<String>,
}

impl Catalogue {
    /// Fetches and proves. With a lock, a release older than its is refused.
    ///
    /// # Errors
    /// The first thing that does not come or cannot be trusted; nothing is used of the rest.
    pub fn open(
        sources: &[Source],
        architectures: &Architectures,
        settings: &Settings,
        lock: Option<&Lock>,
    ) -> Result<Self, Error> {
        let mut catalogue = Self::default();
        if let Some(directory) = settings.offline.as_deref().filter(|directory| is_pile(directory)) {
            catalogue.add_pile(directory)?;
            return Ok(catalogue);
        }
        let client = settings.network.as_ref().map(Client::new).transpose()?;
        let cache = Cache::open(settings.cache.clone())?;
        for source in sources {
            let known = catalogue
                .releases
                .iter()
                .any(|release| release.uri == source.uri && release.suite == source.suite);
            let place = Place::of(&source.uri, client.as_ref(), settings);
            let proved = release::read(source, &place, &cache, settings, lock, &mut catalogue.notes)?;
            let number = catalogue.releases.len();
            let wanted = wanted(source, architectures, &proved);
            let mut found = known;
            for component in components(source) {
                for architecture in &wanted {
                    let directory = match component {
                        Some(component) => format!("{component}/binary-{architecture}/"),
                        None => String::new(),
                    };
                    let component = component.unwrap_or_default();
                    found |= index::read(
                        &proved,
                        &directory,
                        component,
                        number,
                        &place,
                        &cache,
                        &mut catalogue.offers,
                    )?;
                }
                if component.is_none() && found {
                    break;
                }
            }
            if !found {
                let what = format!(
                    "{}: {} lists no Packages for {} in {}",
                    source.place,
                    place.name(&proved.base),
                    wanted.join(" and "),
                    if source.components.is_empty() { "it".to_owned() } else { source.components.join(", ") },
                );
                catalogue.notes.push(what);
            }
            catalogue.releases.push(proved.release);
        }
        Ok(catalogue)
    }

    /// A directory of `.deb` files: somebody's own, as those that a recipe names.
    fn add_pile(&mut self, directory: &Path) -> Result<(), Error> {
        let wrong = |error: std::io::Error| Error::file(directory, error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|ending| ending == "deb") {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let deb = Deb::open(&name, &path)?;
            let content = std::fs::read(&path).map_err(|error| Error::file(&path, error))?;
            let recommends = index::recommends(&deb.control)
                .map_err(|what| Error::malformed(&*name, None, format!("field Recommends: {what}")))?;
            self.offers.push(Offer {
                recommends,
                essential: index::is_essential(&deb.control),
                release: 0,
                component: String::new(),
                file: name,
                size: content.len() as u64,
                sha256: crate::cache::digest(&content),
                package: deb.package,
            });
        }
        self.releases.push(Release {
            uri: directory.display().to_string(),
            suite: "./".to_owned(),
            codename: String::new(),
            origin: String::new(),
            label: String::new(),
            archive: String::new(),
            date: 0,
            sha256: String::new(),
            key: None,
            not_automatic: false,
            but_automatic_upgrades: false,
            security: false,
        });
        Ok(())
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

    /// What somebody should know: expired and taken nevertheless, nothing found.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Brings the `.deb` files of a solution to `directory`, or to the cache when it is `None`.
    ///
    /// # Errors
    /// A file that does not come, or is another than the signed index says.
    pub fn fetch(
        &self,
        solution: &Solution,
        settings: &Settings,
        directory: Option<&Path>,
    ) -> Result<Vec<Fetched>, Error> {
        let client = settings.network.as_ref().map(Client::new).transpose()?;
        let pile = settings.offline.as_deref().filter(|pile| is_pile(pile));
        let cache = Cache::open(settings.cache.clone().filter(|_| pile.is_none()))?;
        let mut fetched = Vec::new();
        for (change, what) in solution.changes.iter().enumerate() {
            let (Kind::Install(offer) | Kind::Upgrade(offer)) = what.kind else { continue };
            let Some(offer) = self.offers.get(offer) else { continue };
            let Some(release) = self.releases.get(offer.release) else { continue };
            let package = &offer.package;
            let version = package.version.to_string().replace(':', "%3a");
            let file_name = format!("{}_{version}_{}.deb", package.name, package.architecture);
            let place = Place::of(&release.uri, client.as_ref(), settings);
            let name = place.name(&offer.file);
            let wanted = Wanted { sha256: &offer.sha256, size: offer.size, name: &name };
            if let Some(pile) = pile {
                let path = pile.join(&offer.file);
                let mut file =
                    hardtack_disk::open_regular(&path).map_err(|error| Error::file(&path, error))?;
                copy(&mut file, &mut std::io::sink(), wanted)?;
                fetched.push(Fetched { change, path, file_name });
                continue;
            }
            let to = directory.map(|directory| directory.join(&file_name));
            let path = cache.file(wanted, to, || place.open(&offer.file))?.ok_or_else(|| match place {
                Place::Nowhere(_) => Error::Offline {
                    file: name.clone(),
                    what: "is not in the cache, and there is no network".to_owned(),
                },
                _ => Error::Network {
                    url: name.clone(),
                    what: "is in the index, and not there; the mirror is being updated, or lost it"
                        .to_owned(),
                },
            })?;
            fetched.push(Fetched { change, path, file_name });
        }
        Ok(fetched)
    }
}

/// True for a directory with `.deb` files and without `dists`.
fn is_pile(directory: &Path) -> bool {
    !directory.join("dists").is_dir()
        && std::fs::read_dir(directory).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|ending| ending == "deb"))
        })
}

fn components(source: &Source) -> Vec<Option<&str>> {
    if source.components.is_empty() {
        vec![None]
    } else {
        source.components.iter().map(|component| Some(component.as_str())).collect()
    }
}

/// The architectures whose indexes are read.
fn wanted(source: &Source, architectures: &Architectures, proved: &release::Proved) -> Vec<String> {
    if source.components.is_empty() {
        return vec![architectures.native.clone()];
    }
    let own =
        || [&architectures.native].into_iter().chain(&architectures.foreign).cloned().collect::<Vec<_>>();
    let mut wanted = source.architectures.clone().unwrap_or_else(own);
    wanted.retain(|name| architectures.takes(name));
    if !proved.architectures.is_empty() {
        wanted.retain(|name| proved.architectures.contains(name));
        if proved.architectures.iter().any(|name| name == "all") && !proved.no_all {
            wanted.push("all".to_owned());
        }
    }
    wanted.dedup();
    wanted
}
