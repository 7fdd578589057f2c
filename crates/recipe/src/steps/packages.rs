//! `packages`: `.deb` files, installed without a package manager.
//!
//! A package without scripts is installed in full. One with scripts, but none that runs before
//! unpacking, is unpacked and configured at first boot. One with a preinst is kept whole in
//! [`SPOOL`] and installed at first boot. What a package depends on decides as well: nothing is
//! further than what it needs. [`hardtack_guest::dpkg`] knows how; this module decides and says so.

use std::collections::BTreeMap;

use hardtack_credentials::PackagesConfig;
use hardtack_guest::dpkg::lists::Available;
use hardtack_guest::dpkg::resolve::{Class, Complaint, Planned, resolve};
use hardtack_guest::dpkg::{Deb, Package, State, World, ldconfig};
use hardtack_guest::{Op, Set, Stage};

use crate::model::PackagesStep;
use crate::{Context, StepError};

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

/// Installs the packages, or says all at once why they cannot be.
pub fn apply(settings: &PackagesStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(mut world) = World::read(cx.stage)? else { return Err(without_dpkg(cx.stage)?) };
    let mut debs = Vec::new();
    for file in &settings.debs {
        debs.push(Deb::open(&file.name, &file.path)?);
    }
    let planned = match resolve(cx.stage, &world, debs)? {
        Ok(planned) => planned,
        Err(complaints) => return Err(refusal(cx.stage, &world, settings, &complaints)?),
    };

    let mut changed = Vec::new();
    let mut triggers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = None;
    for one in &planned {
        let label = format!("{} {}", one.deb.package.name, one.deb.package.version);
        cx.stage.set_group(Some((Op::Package, label.clone())));
        match one.class {
            Class::Present => continue,
            Class::Install | Class::Unpack if one.unpacked => continue,
            Class::Install | Class::Unpack => {
                let outcome = world.unpack(cx.stage, &one.deb, one.class == Class::Install)?;
                group = Some((Op::Package, label.clone()));
                changed.extend(outcome.changed);
                for (package, trigger) in outcome.triggers {
                    triggers.entry(package).or_default().push(trigger);
                }
                for path in outcome.kept {
                    cx.warn(
                        STEP,
                        format!("{path} of the image is kept; {label} has another, now at {path}.dpkg-dist"),
                    );
                }
            }
            Class::Spool => spool(cx.stage, &one.deb)?,
        }
    }
    // The databases are those of all packages; in the plan they stand with the last one.
    cx.stage.set_group(group);
    run_triggers(cx, &mut world, &changed, &triggers)?;
    if !changed.is_empty() {
        world.write(cx.stage)?;
    }
    cx.stage.set_group(None);
    defer(cx, &world, &planned)
}

/// What is left for the first boot: told to the agent, counted for people.
fn defer(cx: &mut Context<'_, '_>, world: &World, planned: &[Planned]) -> Result<(), StepError> {
    let mut config = PackagesConfig::default();
    let mut told = Vec::new();
    for one in planned {
        let package = &one.deb.package;
        match one.class {
            Class::Present | Class::Install => {}
            Class::Unpack => {
                config.configure.push(package.full_name());
                told.push(format!(
                    "{} {} (unpacked now, configured then: {})",
                    package.name, package.version, one.reason
                ));
            }
            Class::Spool => {
                config.install.push(spool_name(package));
                told.push(format!("{} {} (installed then: {})", package.name, package.version, one.reason));
            }
        }
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
    if told.is_empty() {
        cx.agent.packages = None;
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
    cx.agent.packages = Some(config);
    Ok(())
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
        [] => "put the missing .deb files beside the others; the image has no package lists that know them"
            .to_owned(),
        offers => {
            let files: Vec<String> = offers
                .iter()
                .map(|offer| format!("{} {}: {}", offer.package.name, offer.package.version, offer.file_name))
                .collect();
            format!("add these, as the image's package lists have them\n  {}", files.join("\n  "))
        }
    }))
}
