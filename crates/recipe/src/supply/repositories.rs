//! The supply of real builds: repositories, proved by signature and digest, and the lock file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hardtack_guest::Stage;
use hardtack_guest::dpkg::{Package, World};
use hardtack_repository::{
    Catalogue, Change, Error, Held, Image, Keys, Kind, Lock, Reason, Request, Settings, Solution, Source,
    Upgrade, resolve, sources,
};

use super::told::{ASKED, OF_PROFILE, UPGRADE};
use super::{Coming, Supplied, Supply};
use crate::StepError;
use crate::model::{DebFile, PackagesStep, Repository};

const STEP: &str = "packages";
/// A lock file has some 300 bytes for each package.
const LOCK_LIMIT: u64 = 16 << 20;
const ANEW: &str = "--update-packages-lock resolves anew and writes another lock file";

/// Repositories, and how they are asked.
#[derive(Debug)]
pub struct Repositories {
    /// The clock, the network, the cache.
    pub settings: Settings,
    /// Keys that count besides those of image and recipe: a name for messages, and the content.
    pub keyrings: Vec<(String, Vec<u8>)>,
    /// The lock file, instead of the recipe's.
    pub lock: Option<PathBuf>,
    /// Resolve anew and replace the lock file.
    pub update_lock: bool,
    found: RefCell<Option<(PathBuf, String)>>,
}

impl Repositories {
    /// Repositories without keys or a lock file of their own.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, keyrings: Vec::new(), lock: None, update_lock: false, found: RefCell::new(None) }
    }

    /// The lock file that is to be written, and its text; `None` when there is none, or it stands
    /// already.
    #[must_use]
    pub fn new_lock(&self) -> Option<(PathBuf, String)> {
        self.found.borrow().clone()
    }

    fn read_lock(&self, path: &Path) -> Result<Option<Lock>, StepError> {
        use std::io::Read as _;
        let name = path.display().to_string();
        let fail = |error: std::io::Error| StepError::local(STEP, format!("{name}: {error}"));
        if self.update_lock {
            return Ok(None);
        }
        let file = match hardtack_disk::open_regular(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let mut text = String::new();
        file.take(LOCK_LIMIT).read_to_string(&mut text).map_err(fail)?;
        Lock::parse(&text, &name).map(Some).map_err(refused)
    }

    fn sources(&self, step: &PackagesStep, stage: &Stage<'_>) -> Result<(Vec<Source>, Vec<String>), Error> {
        let mut all = Vec::new();
        let mut notes = Vec::new();
        let own = step.repositories.is_empty() || step.repositories.contains(&Repository::Image);
        if own {
            let (found, skipped) = sources::of_image(stage, self.settings.allow_trusted)?;
            all.extend(found);
            notes.extend(skipped.into_iter().map(|one| format!("{} is left out: {}", one.place, one.why)));
        }
        for (index, one) in step.repositories.iter().enumerate() {
            let Repository::Given(given) = one else { continue };
            all.extend(sources::of_recipe(stage, given, &format!("repository {} of the recipe", index + 1))?);
        }
        for source in &mut all {
            if let Keys::Rings(rings) = &mut source.keys {
                rings.extend(self.keyrings.iter().cloned());
            }
        }
        Ok((all, notes))
    }

    fn ask(
        &self,
        step: &PackagesStep,
        given: &[Package],
        stage: &Stage<'_>,
        lock: Option<(&Path, Option<&Lock>)>,
    ) -> Result<Supplied, StepError> {
        let (all, mut notes) = self.sources(step, stage).map_err(refused)?;
        if all.is_empty() {
            return Err(StepError::refused(
                STEP,
                "the image has no list of package sources, so no repository is known",
            )
            .hint("name one: `repository: {uri: …, suite: …, components: [main], keyring: …}`"));
        }
        let mut image = Image::read(stage).map_err(refused)?;
        notes.extend(image.ignored.iter().map(|what| format!("{what} is not followed")));
        image.held.retain(|held| !given.iter().any(|own| own.same_instance(&held.package)));
        image.held.extend(given.iter().map(|own| Held {
            package: own.clone(),
            recommends: Vec::new(),
            essential: false,
            hold: true,
            manual: true,
        }));
        let old = lock.and_then(|(_, lock)| lock);
        let catalogue = Catalogue::open(&all, &image.architectures, &self.settings, old).map_err(refused)?;
        notes.extend(catalogue.notes().iter().cloned());
        let mut request = Request {
            install: step.install.clone(),
            remove: step.remove.iter().chain(&step.purge).cloned().collect(),
            upgrade: step.upgrade,
            hold: step.hold.clone(),
            recommends: step.recommends.unwrap_or(false),
            ..Request::default()
        };
        let needed = needed_by(given, &image, &catalogue);
        request.install.extend(needed.iter().map(|(name, _)| name.clone()));
        if let Some((path, Some(old))) = lock {
            request = old.request(&path.display().to_string(), &catalogue, &request).map_err(refused)?;
        }
        let solution = resolve(&catalogue, &image, &request).map_err(|trouble| {
            let text = format!("the packages cannot be had together\n  {}", trouble.0.join("\n  "));
            match (old, meant(&step.install, &trouble.0, &catalogue)) {
                (Some(_), _) => StepError::refused(STEP, text).hint(ANEW),
                (None, Some(hint)) => StepError::refused(STEP, text).hint(hint),
                (None, None) => StepError::refused(STEP, text),
            }
        })?;
        only_named_go(&solution, step)?;
        for (name, why) in &solution.kept {
            notes.push(format!("{name} stays as it is: {why}"));
        }
        let fetched = catalogue.fetch(&solution, &self.settings, None).map_err(refused)?;
        if let Some((path, None)) = lock {
            let text = Lock::of(&catalogue, &solution).write();
            *self.found.borrow_mut() = Some((path.to_owned(), text));
        }
        let coming = fetched.iter().filter_map(|file| {
            let change = solution.changes.get(file.change)?;
            let (Kind::Install(offer) | Kind::Upgrade(offer)) = change.kind else { return None };
            let reason = match needed.iter().find(|(name, _)| *name == change.name) {
                Some((_, reason)) if change.reason == Reason::Asked => reason.clone(),
                _ => change.reason.clone(),
            };
            Some(Coming {
                deb: DebFile { name: file.file_name.clone(), path: file.path.clone() },
                label: label(change),
                automatic: change.from.is_none() && matches!(reason, Reason::NeededBy { .. }),
                why: match &reason {
                    Reason::Asked if step.of_profile.contains(&change.name) => OF_PROFILE.to_owned(),
                    reason => why(reason),
                },
                size: catalogue.offers().get(offer).map_or(0, |offer| offer.size),
            })
        });
        Ok(Supplied { coming: coming.collect(), notes })
    }
}

impl Supply for Repositories {
    fn supply(
        &self,
        step: &PackagesStep,
        given: &[Package],
        stage: &Stage<'_>,
    ) -> Result<Supplied, StepError> {
        let path = self.lock.as_deref().or(step.lock.as_deref());
        let lock = match path {
            Some(path) => Some((path, self.read_lock(path)?)),
            None => None,
        };
        let locked = lock.as_ref().and_then(|(_, lock)| lock.as_ref());
        if all_there(locked, step, given, stage)? {
            return Ok(Supplied::default());
        }
        self.ask(step, given, stage, lock.as_ref().map(|(path, lock)| (*path, lock.as_ref())))
    }
}

/// Whether the image has all that is asked for, and nobody need be asked. What may be newer is known
/// without repositories only where a lock says it.
fn all_there(
    lock: Option<&Lock>,
    step: &PackagesStep,
    given: &[Package],
    stage: &Stage<'_>,
) -> Result<bool, StepError> {
    if lock.is_none() && step.upgrade != Upgrade::None {
        return Ok(false);
    }
    let Some(world) = World::read(stage)? else { return Ok(false) };
    let unpacked = || {
        world
            .database
            .entries()
            .iter()
            .filter(|entry| entry.state.is_unpacked())
            .filter_map(|entry| entry.package.as_ref())
    };
    let native = &world.architectures.native;
    let locked = lock.into_iter().flat_map(|lock| &lock.packages).all(|one| {
        unpacked().any(|package| {
            package.name == one.name
                && package.architecture == one.architecture
                && package.version.to_string() == one.version
        })
    });
    let wanted = step.install.iter().all(|text| {
        let (text, version) =
            text.split_once('=').map_or((text.as_str(), None), |(text, version)| (text, Some(version)));
        // Whether what is there is of that suite, only the lock or the repository knows.
        let (text, suite) = text.split_once('/').map_or((text, None), |(text, suite)| (text, Some(suite)));
        let (name, architecture) =
            text.split_once(':').map_or((text, native.as_str()), |(name, architecture)| (name, architecture));
        (suite.is_none() || lock.is_some())
            && unpacked().any(|package| {
                (package.architecture == architecture || package.architecture == "all")
                    && (package.name == name
                        || version.is_none() && package.provides.iter().any(|one| one.name == name))
                    && version.is_none_or(|version| package.version.to_string() == version)
            })
    });
    let given = given
        .iter()
        .all(|own| unpacked().any(|package| package.same_instance(own) && package.version == own.version));
    Ok(locked && wanted && given)
}

/// "did you mean …?" for names that no repository has.
fn meant(wishes: &[String], troubles: &[String], catalogue: &Catalogue) -> Option<String> {
    /// So many are looked for: each is compared with all names of the catalogue.
    const MOST: usize = 3;
    let names: BTreeSet<&str> = catalogue.offers().iter().map(|offer| offer.package.name.as_str()).collect();
    let told =
        |wish: &&String| troubles.iter().any(|trouble| trouble.starts_with(&format!("{wish}: no repo")));
    let bare = |wish: &String| wish.split(['=', '/', ':']).next().unwrap_or_default().to_owned();
    let unknown = wishes.iter().filter(told).map(bare).filter(|name| !names.contains(name.as_str()));
    let near: Vec<&str> = unknown
        .take(MOST)
        .filter_map(|name| hardtack_yaml::did_you_mean(&name, names.iter().copied()))
        .collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
}

/// What the given files need and neither the image nor they themselves have.
fn needed_by(given: &[Package], image: &Image, catalogue: &Catalogue) -> Vec<(String, Reason)> {
    use hardtack_guest::dpkg::depends::Sense;
    let native = &image.architectures.native;
    let mut needed: Vec<(String, Reason)> = Vec::new();
    for own in given {
        for group in own.pre_depends.iter().chain(&own.depends) {
            let fits = |package: &Package| {
                group.0.iter().any(|relation| relation.matches(package, own, native, Sense::Positive))
            };
            if image.held.iter().any(|held| fits(&held.package)) {
                continue;
            }
            let offered = group.0.iter().find(|relation| {
                let mut offers = catalogue.offers().iter();
                offers.any(|offer| relation.matches(&offer.package, own, native, Sense::Positive))
            });
            if let Some(relation) = offered
                && !needed.iter().any(|(name, _)| *name == relation.name)
            {
                let reason = Reason::NeededBy { package: own.name.clone(), relation: group.to_string() };
                needed.push((relation.name.clone(), reason));
            }
        }
    }
    needed
}

/// What goes without being named is somebody's loss.
fn only_named_go(solution: &Solution, step: &PackagesStep) -> Result<(), StepError> {
    let named = |name: &str| {
        let plain = name.split(':').next().unwrap_or(name);
        step.remove
            .iter()
            .chain(&step.purge)
            .any(|known| known == name || known.split(':').next() == Some(plain))
    };
    let lines: Vec<String> = solution
        .changes
        .iter()
        .filter(|change| change.kind == Kind::Remove && !named(&change.name))
        .map(|change| format!("{} ({})", label(change), why(&change.reason)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let text = format!("packages would go that the recipe does not name\n  {}", lines.join("\n  "));
    Err(StepError::refused(STEP, text).hint("put them into `remove`, if they may go"))
}

fn label(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{} {from} → {to}", change.name),
        (None, Some(version)) | (Some(version), None) => format!("{} {version}", change.name),
        (None, None) => change.name.clone(),
    }
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::Asked => ASKED.to_owned(),
        Reason::Upgrade => UPGRADE.to_owned(),
        Reason::NeededBy { package, relation } => format!("{package} needs {relation}"),
        Reason::ConflictsWith(package) => format!("it cannot stand beside {package}"),
        Reason::LosesDependency(package) => format!("it needs {package}"),
    }
}

fn refused(error: Error) -> StepError {
    let text = error.to_string();
    match error {
        Error::Network { .. } => StepError::remote(STEP, text)
            .hint("with all that is needed in the cache or in a mirror, --offline asks nobody"),
        Error::File { .. } => StepError::local(STEP, text),
        Error::Offline { .. } => {
            StepError::local(STEP, text).hint("run once without --offline, which fills the cache")
        }
        Error::Locked { .. } => StepError::refused(STEP, text).hint(ANEW),
        Error::Untrusted { .. } => StepError::refused(STEP, text)
            .hint("give the keys that sign it: `keyring:` in the recipe, or --keyring FILE"),
        Error::Guest(source) => StepError::from(source),
        _ => StepError::refused(STEP, text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn change(name: &str, kind: Kind) -> Change {
        Change {
            name: name.to_owned(),
            from: Some("1".to_owned()),
            to: None,
            kind,
            reason: Reason::ConflictsWith("x".to_owned()),
        }
    }

    #[test]
    fn what_goes_unnamed_is_told_by_name() {
        let solution =
            Solution { changes: vec![change("a", Kind::Remove), change("b", Kind::Remove)], kept: vec![] };
        let step = PackagesStep { remove: vec!["a".to_owned()], ..PackagesStep::default() };
        let error = only_named_go(&solution, &step).unwrap_err().to_string();
        assert!(error.contains("b 1 (it cannot stand beside x)") && !error.contains("a 1"), "{error}");
        let step = PackagesStep { purge: vec!["a".to_owned(), "b".to_owned()], ..PackagesStep::default() };
        only_named_go(&solution, &step).unwrap();
    }
}
