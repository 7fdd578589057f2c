//! `packages`: installed, removed and held without a package manager; `.deb` files of this machine,
//! and those that a [`Supply`] finds in repositories.
//!
//! A package without scripts is installed in full. One with scripts, but none that runs before
//! unpacking, is unpacked and configured at first boot. One with a preinst is kept whole in
//! [`SPOOL`] and installed at first boot. What a package depends on decides as well: nothing is
//! further than what it needs. [`hardtack_guest::dpkg`] knows how; this module decides and says so.

use std::collections::BTreeMap;

use hardtack_credentials::PackagesConfig;
use hardtack_guest::dpkg::departures::Departing;
use hardtack_guest::dpkg::install::Outcome;
use hardtack_guest::dpkg::lists::Available;
use hardtack_guest::dpkg::resolve::{Changes, Class, Complaint, Planned, resolve};
use hardtack_guest::dpkg::{Deb, Package, State, World, boot, extended, ldconfig};
use hardtack_guest::{Op, Set, Stage};

use crate::model::PackagesStep;
use crate::supply::{Supplied, Supply, told};
use crate::{Context, Note, StepError, Weight};

/// Where whole packages wait for the first boot, each with the list of its files beside it.
pub const SPOOL: &str = "/var/lib/hardtack/packages";

const STEP: &str = "packages";

/// Packages whose triggers need not run, and why the image is right without them. Whatever is not
/// here runs at first boot.
const HARMLESS: [(&str, &str); 12] = [
    ("man-db", "its index is rebuilt daily"),
    ("dbus", "it reads its configuration when it starts"),
    ("procps", "sysctl settings are applied at every boot"),
    ("doc-base", "an index of documentation"),
    ("desktop-file-utils", "an index of desktop entries"),
    ("mailcap", "an index of viewers"),
    ("mime-support", "an index of viewers"),
    ("hicolor-icon-theme", "an index of icons"),
    ("shared-mime-info", "an index of file types"),
    ("gnome-menus", "an index of menus"),
    ("menu", "an index of menus"),
    ("install-info", "an index of manuals"),
];

/// Asks the repositories, where the step needs any; called once, before the first pass.
///
/// # Errors
/// What the supply says; [`StepError::Local`] when there is none to ask.
pub fn supplied(
    settings: &PackagesStep,
    stage: &Stage<'_>,
    supply: Option<&dyn Supply>,
) -> Result<Option<Supplied>, StepError> {
    if !settings.asks_repositories() {
        return Ok(None);
    }
    if World::read(stage)?.is_none() {
        return Err(without_dpkg(stage)?);
    }
    let supply = supply.ok_or_else(|| {
        StepError::local(STEP, "packages are named, and no repository can be asked here")
            .hint("give their .deb files in `debs`")
    })?;
    let mut given = Vec::new();
    for file in &settings.debs {
        given.push(Deb::open(&file.name, &file.path)?.package);
    }
    supply.supply(settings, &given, stage).map(Some)
}

/// Installs and removes the packages, or says all at once why they cannot be.
pub fn apply(settings: &PackagesStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(mut world) = World::read(cx.stage)? else { return Err(without_dpkg(cx.stage)?) };
    let supplied = cx.supplied.clone();
    let supplied = supplied.as_deref();
    let mut debs = Vec::new();
    for file in settings.debs.iter().chain(supplied.into_iter().flat_map(Supplied::debs)) {
        debs.push(Deb::open(&file.name, &file.path)?);
    }
    let changes = match resolve(cx.stage, &world, debs, &settings.remove, &settings.purge)? {
        Ok(changes) => changes,
        Err(complaints) => return Err(refusal(cx.stage, &world, settings, &complaints)?),
    };
    tell(supplied, cx);

    let mut done = Done::default();
    remove(&changes.going, cx, &mut world, &mut done)?;
    install(&changes.coming, cx, &mut world, &mut done)?;
    // The databases are those of all packages; in the plan they stand with the last one.
    cx.stage.set_group(done.group.clone());
    run_triggers(cx, &mut world, &done.changed, &done.triggers)?;
    let held = hold(settings, &changes, &mut world)?;
    if !done.changed.is_empty() || done.removed || held.changed {
        world.write(cx.stage)?;
    }
    mark(settings, supplied, &changes, &world, cx)?;
    cx.stage.set_group(None);
    defer(cx, &world, &changes, held.later)
}

/// What was done so far.
#[derive(Default)]
struct Done {
    changed: Vec<String>,
    triggers: BTreeMap<String, Vec<String>>,
    group: Option<(Op, String)>,
    removed: bool,
}

impl Done {
    fn add(&mut self, outcome: Outcome) {
        self.changed.extend(outcome.changed);
        for (package, trigger) in outcome.triggers {
            self.triggers.entry(package).or_default().push(trigger);
        }
    }
}

fn remove(
    going: &[Departing],
    cx: &mut Context<'_, '_>,
    world: &mut World,
    done: &mut Done,
) -> Result<(), StepError> {
    for one in going.iter().filter(|one| !one.waits()) {
        let verb = if one.purge { "purged" } else { "removed" };
        let group = Some((Op::Package, format!("{} {} {verb}", one.package.name, one.package.version)));
        cx.stage.set_group(group.clone());
        done.group = group;
        done.removed = true;
        done.add(world.remove(cx.stage, &one.package, one.purge)?);
    }
    Ok(())
}

fn install(
    coming: &[Planned],
    cx: &mut Context<'_, '_>,
    world: &mut World,
    done: &mut Done,
) -> Result<(), StepError> {
    for one in coming {
        let label = label(world, &one.deb.package);
        cx.stage.set_group(Some((Op::Package, label.clone())));
        match one.class {
            Class::Present => continue,
            Class::Install | Class::Unpack if one.unpacked => continue,
            Class::Install | Class::Unpack => {
                let mut outcome = world.unpack(cx.stage, &one.deb, one.class == Class::Install)?;
                done.group = Some((Op::Package, label.clone()));
                for path in std::mem::take(&mut outcome.kept) {
                    cx.warn(
                        STEP,
                        format!("{path} of the image is kept; {label} has another, now at {path}.dpkg-dist"),
                    );
                }
                done.add(outcome);
            }
            Class::Spool => spool(cx.stage, &one.deb)?,
        }
    }
    Ok(())
}

/// `name 1.0`, or `name 1.0 → 1.1` where the image has another version.
fn label(world: &World, package: &Package) -> String {
    let old = world.database.instance(package).filter(|entry| entry.state.is_unpacked());
    match old.and_then(|entry| entry.package.as_ref()).filter(|old| old.version != package.version) {
        Some(old) => format!("{} {} → {}", package.name, old.version, package.version),
        None => format!("{} {}", package.name, package.version),
    }
}

/// What repositories have given, for people.
fn tell(supplied: Option<&Supplied>, cx: &mut Context<'_, '_>) {
    let Some(supplied) = supplied else { return };
    for note in &supplied.notes {
        cx.info(STEP, note.clone());
    }
    if supplied.coming.is_empty() {
        return;
    }
    let (text, shown) = told(&supplied.coming);
    cx.add(Note { weight: Weight::Info, step: STEP, text, shown: Some(shown) });
}

/// What became of `hold`.
#[derive(Default)]
struct Holds {
    changed: bool,
    /// Those that can be held only when they are installed.
    later: Vec<String>,
}

/// Holds packages as `apt-mark hold` does.
fn hold(settings: &PackagesStep, changes: &Changes, world: &mut World) -> Result<Holds, StepError> {
    let mut holds = Holds::default();
    for name in &settings.hold {
        let comes = changes.coming.iter().any(|one| {
            let package = &one.deb.package;
            one.class > Class::Install && (package.name == *name || package.full_name() == *name)
        });
        let state = world.database.by_name(name).map(|entry| entry.state);
        match state {
            // dpkg finishes nothing that is held.
            _ if comes => holds.later.push(name.clone()),
            Some(State::Installed) => holds.changed |= world.database.set_want(name, "hold")?,
            Some(state) if state.is_unpacked() => holds.later.push(name.clone()),
            _ => {
                let text = format!("`hold`: {name} is not in the image, and this step does not install it");
                return Err(StepError::refused(STEP, text));
            }
        }
    }
    Ok(holds)
}

/// apt's record of what came only for others.
fn mark(
    settings: &PackagesStep,
    supplied: Option<&Supplied>,
    changes: &Changes,
    world: &World,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let gone: Vec<Package> =
        changes.going.iter().filter(|one| !one.waits()).map(|one| one.package.clone()).collect();
    if supplied.is_none() && gone.is_empty() {
        return Ok(());
    }
    let automatic: Vec<&str> = supplied
        .into_iter()
        .flat_map(|supplied| &supplied.coming)
        .filter(|one| one.automatic)
        .map(|one| one.deb.name.as_str())
        .collect();
    let automatic: Vec<Package> = changes
        .coming
        .iter()
        .filter(|one| automatic.contains(&one.deb.file_name.as_str()))
        .map(|one| one.deb.package.clone())
        .collect();
    let manual: Vec<String> = settings
        .install
        .iter()
        .map(|name| name.split(['=', '/']).next().unwrap_or(name).to_owned())
        .collect();
    Ok(extended::mark(cx.stage, world, &automatic, &manual, &gone)?)
}

/// What is left for the first boot: told to the agent, counted for people.
fn defer(
    cx: &mut Context<'_, '_>,
    world: &World,
    changes: &Changes,
    hold: Vec<String>,
) -> Result<(), StepError> {
    let mut config = PackagesConfig { hold, ..PackagesConfig::default() };
    let mut told = Vec::new();
    let mut starts = Vec::new();
    for one in &changes.coming {
        let package = &one.deb.package;
        let label = label(world, package);
        match one.class {
            Class::Present | Class::Install => continue,
            Class::Unpack => {
                config.configure.push(package.full_name());
                told.push(format!("{label} (unpacked now, configured then: {})", one.reason));
            }
            Class::Spool => {
                config.install.push(spool_name(package));
                told.push(format!("{label} (installed then: {})", one.reason));
            }
        }
        starts.extend(boot::at_first_boot(&package.name).map(|what| format!("{}: {what}", package.name)));
    }
    for one in changes.going.iter().filter(|one| one.waits()) {
        let (list, verb) =
            if one.purge { (&mut config.purge, "purged") } else { (&mut config.remove, "removed") };
        list.push(one.package.full_name());
        told.push(format!("{} {} ({verb} then: {})", one.package.name, one.package.version, one.reason));
    }
    for entry in world.database.entries() {
        let Some(package) = entry.package.as_ref() else { continue };
        let waits = entry.state.is_unpacked() && entry.state != State::Installed;
        if waits && !config.configure.contains(&package.full_name()) {
            config.configure.push(package.full_name());
            let why = match entry.triggers_pending.join(", ") {
                none if none.is_empty() => format!("Status {}", entry.state.name()),
                pending => format!("triggers: {pending}"),
            };
            told.push(format!("{} {} ({why})", package.name, package.version));
        }
    }
    // dpkg finds the order itself, and a build of this build's output comes to the same text.
    config.configure.sort();
    if let Some(earlier) = cx.agent.packages.take() {
        keep(&mut config, earlier, world, changes, cx)?;
    }
    let waits = [&config.install, &config.configure, &config.remove, &config.purge];
    cx.agent.packages = waits.iter().any(|list| !list.is_empty()).then_some(config);
    if told.is_empty() {
        return Ok(());
    }
    let count = match told.len() {
        1 => "1 package is".to_owned(),
        many => format!("{many} packages are"),
    };
    let text = format!("{count} finished at first boot: {}", told.join(", "));
    if cx.options.no_deferred {
        return Err(StepError::refused(STEP, text)
            .hint("leave out --no-deferred, or install them in the image beforehand"));
    }
    cx.info(STEP, text);
    for what in starts {
        cx.info(STEP, what);
    }
    Ok(())
}

/// What an earlier build has left for the first boot and this one says nothing of. What is unpacked stands in the
/// database, and needs no list.
fn keep(
    config: &mut PackagesConfig,
    earlier: PackagesConfig,
    world: &World,
    changes: &Changes,
    cx: &Context<'_, '_>,
) -> Result<(), StepError> {
    let coming: Vec<&Package> = changes.coming.iter().map(|one| &one.deb.package).collect();
    let going: Vec<&Package> = changes.going.iter().map(|one| &one.package).collect();
    let is_there = |name: &str| {
        world.database.entries().iter().any(|entry| {
            let package = entry.package.as_ref().filter(|_| entry.state.is_unpacked());
            package.is_some_and(|package| package.full_name() == name)
        })
    };
    let mut waiting = Vec::new();
    for file in &earlier.install {
        let is_of = |package: &&&Package| {
            let mut parts = file.split('_');
            parts.next() == Some(package.name.as_str())
                && parts.nth(1) == Some(format!("{}.deb", package.architecture).as_str())
        };
        let is_done = world.database.entries().iter().any(|entry| {
            let package = entry.package.as_ref().filter(|_| entry.state == State::Installed);
            package.is_some_and(|package| spool_name(package) == *file)
        });
        let is_spoken_of = coming.iter().chain(&going).any(|package| is_of(&package));
        if !is_spoken_of && !is_done && cx.stage.stat(&format!("{SPOOL}/{file}"))?.is_some() {
            waiting.push(file.clone());
        }
    }
    let goes = |name: &str| is_there(name) && !coming.iter().any(|package| package.full_name() == name);
    join(&mut config.install, earlier.install, |file| waiting.iter().any(|known| known == file));
    join(&mut config.remove, earlier.remove, goes);
    join(&mut config.purge, earlier.purge, goes);
    join(&mut config.hold, earlier.hold, |_| true);
    Ok(())
}

/// Puts those of `earlier` that stay in front, in the order that they had.
fn join(list: &mut Vec<String>, earlier: Vec<String>, stays: impl Fn(&str) -> bool) {
    let mut all: Vec<String> =
        earlier.into_iter().filter(|name| list.contains(name) || stays(name)).collect();
    for name in list.drain(..) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    *list = all;
}

/// ldconfig is done here; triggers of other packages are noted, so that dpkg runs them at first
/// boot, unless nothing depends on them.
fn run_triggers(
    cx: &mut Context<'_, '_>,
    world: &mut World,
    changed: &[String],
    triggers: &BTreeMap<String, Vec<String>>,
) -> Result<(), StepError> {
    for (package, names) in triggers {
        let mut names = names.clone();
        names.sort();
        names.dedup();
        if package == "libc-bin" && names.iter().any(|name| name == "ldconfig") {
            match ldconfig::update(cx.stage, changed)? {
                ldconfig::Outcome::Done => names.retain(|name| name != "ldconfig"),
                ldconfig::Outcome::NotHere(why) => {
                    cx.info(STEP, format!("/etc/ld.so.cache is renewed at first boot only: {why}"));
                }
            }
        }
        if names.is_empty() {
            continue;
        }
        let plain = package.split(':').next().unwrap_or(package);
        if let Some((_, why)) = HARMLESS.iter().find(|(known, _)| *known == plain) {
            cx.info(STEP, format!("the trigger {} of {plain} is left out: {why}", names.join(", ")));
            continue;
        }
        world.database.add_pending(package, &names)?;
    }
    Ok(())
}

/// `NAME_VERSION_ARCHITECTURE.deb`, as apt names downloads.
fn spool_name(package: &Package) -> String {
    let version = package.version.to_string().replace(':', "%3a");
    format!("{}_{version}_{}.deb", package.name, package.architecture)
}

fn spool(stage: &mut Stage<'_>, deb: &Deb) -> Result<(), StepError> {
    let path = format!("{SPOOL}/{}", spool_name(&deb.package));
    let bytes = deb.bytes()?;
    let list: String = deb
        .entries(hardtack_guest::dpkg::deb::DATA_LIMIT)?
        .iter()
        .filter(|entry| entry.path != "/")
        .map(|entry| format!("{}\n", entry.path))
        .collect();
    stage.write(&path, bytes, Set::all(0o644, 0, 0))?;
    stage.write(&format!("{path}.list"), list.into_bytes(), Set::all(0o644, 0, 0))?;
    Ok(())
}

/// An image without dpkg's database: what it is instead.
fn without_dpkg(stage: &Stage<'_>) -> Result<StepError, StepError> {
    for (path, what) in [
        ("/var/lib/rpm", "its packages are rpm"),
        ("/usr/lib/sysimage/rpm", "its packages are rpm"),
        ("/lib/apk/db/installed", "its packages are apk"),
        ("/var/lib/pacman", "its packages are pacman's"),
    ] {
        if stage.stat(path)?.is_some() {
            let what = format!("the image has no /var/lib/dpkg/status: {what} ({path})");
            return Ok(StepError::refused(STEP, what).hint("only images with dpkg take .deb files"));
        }
    }
    Ok(StepError::refused(STEP, "the image has no /var/lib/dpkg/status, so no dpkg")
        .hint("only images with dpkg take .deb files"))
}

fn refusal(
    stage: &Stage<'_>,
    world: &World,
    settings: &PackagesStep,
    complaints: &[Complaint],
) -> Result<StepError, StepError> {
    let mut lines = Vec::new();
    let mut missing = Vec::new();
    let mut given: Vec<Package> = Vec::new();
    for file in &settings.debs {
        given.push(Deb::open(&file.name, &file.path)?.package);
    }
    for complaint in complaints {
        match complaint {
            Complaint::Other(text) => lines.push(text.clone()),
            Complaint::Missing { by, needed, found } => {
                let there = match found.join(", ") {
                    none if none.is_empty() => "neither the image nor the given files have it".to_owned(),
                    found => format!("what is there is {found}"),
                };
                lines.push(format!("{by} needs {needed}; {there}"));
                if let Some(owner) =
                    given.iter().find(|package| format!("{} {}", package.name, package.version) == *by)
                {
                    missing.push((needed.clone(), owner.clone()));
                }
            }
        }
    }
    let text = format!("the packages cannot be installed\n  {}", lines.join("\n  "));
    let error = StepError::refused(STEP, text);
    if missing.is_empty() {
        return Ok(error);
    }
    let mut present = given;
    present.extend(
        world
            .database
            .entries()
            .iter()
            .filter(|entry| entry.state.is_unpacked())
            .filter_map(|entry| entry.package.clone()),
    );
    let offers = Available::read(stage)?.find_all(&missing, &present, &world.architectures.native);
    Ok(error.hint(match &offers[..] {
        [] => {
            let mut names: Vec<&str> = Vec::new();
            for relation in missing.iter().filter_map(|(needed, _)| needed.0.first()) {
                if !names.contains(&relation.name.as_str()) {
                    names.push(&relation.name);
                }
            }
            format!(
                "on a machine of the image's release `apt-get download {}` fetches what is missing, to lie beside the \
                 others; or take it from a repository: `packages: {{install: [{}]}}`",
                names.join(" "),
                names.join(", ")
            )
        }
        offers => {
            let files: Vec<String> = offers
                .iter()
                .map(|offer| format!("{} {}: {}", offer.package.name, offer.package.version, offer.file_name))
                .collect();
            format!("add these, as the image's package lists have them\n  {}", files.join("\n  "))
        }
    }))
}
