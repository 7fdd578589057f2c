//! What can be done with a set of `.deb` files, and removals, on one image: dependencies, classes, order.

use std::collections::{BTreeMap, BTreeSet};

use super::admin::info_file;
use super::boot;
use super::deb::Deb;
use super::departures::{Departing, departures};
use super::depends::{Group, Relation, Sense};
use super::install::World;
use super::package::{MultiArch, Package};
use super::status::State;
use crate::{Error, Stage};

/// How far a package can be taken without running scripts; the order is from far to near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// This very version is installed already.
    Present,
    /// No scripts: installed in full.
    Install,
    /// Scripts, but none that runs before unpacking: unpacked, configured at first boot.
    Unpack,
    /// A preinst, or scripts of the old version: kept whole and installed at first boot.
    Spool,
}

/// One package of the set.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The file.
    pub deb: Deb,
    /// How far it can be taken.
    pub class: Class,
    /// It is unpacked already (an earlier build did that) and only waits for its configuration.
    pub unpacked: bool,
    /// Why it is not simply installed, in words; empty if it is.
    pub reason: String,
}

/// Why the set cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// A dependency that nothing satisfies.
    Missing {
        /// Who needs it, "name version".
        by: String,
        /// What is needed.
        needed: Group,
        /// What is there under that name, "name version" each, where that is the trouble.
        found: Vec<String>,
    },
    /// Something else, a sentence.
    Other(String),
}

/// What comes and what goes.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// What comes, in the order of installation, and that of names where nothing else decides.
    pub coming: Vec<Planned>,
    /// What goes, by name.
    pub going: Vec<Departing>,
}

/// Works out what can be done with `debs`, and with the names in `remove` and `purge`.
pub fn resolve(
    stage: &Stage<'_>,
    world: &World,
    debs: Vec<Deb>,
    remove: &[String],
    purge: &[String],
) -> Result<Result<Changes, Vec<Complaint>>, Error> {
    let (mut going, mut complaints) = departures(stage, world, remove, purge)?;
    let mut planned = Vec::new();
    for deb in debs {
        if let Some(one) = classify(stage, world, deb, &mut complaints)? {
            planned.push(one);
        }
    }
    planned.sort_by(|a, b| key(&a.deb.package).cmp(&key(&b.deb.package)));
    for pair in planned.windows(2) {
        let (a, b) = (&pair[0].deb, &pair[1].deb);
        if a.package.name == b.package.name && a.package.same_instance(&b.package) {
            complaints.push(Complaint::Other(format!(
                "{} and {} are both the package {}",
                a.file_name,
                b.file_name,
                a.package.full_name()
            )));
        }
    }
    if !complaints.is_empty() {
        return Ok(Err(complaints));
    }
    for one in &going {
        if let Some(given) = planned.iter().find(|given| given.deb.package.same_instance(&one.package)) {
            complaints.push(Complaint::Other(format!(
                "{} is to be removed, and {} is to be installed",
                one.package.name, given.deb.file_name
            )));
        }
    }
    check(world, &planned, &going, &mut complaints);
    if !complaints.is_empty() {
        return Ok(Err(complaints));
    }
    loop {
        settle_classes(world, &mut planned, &going);
        if !settle_departures(world, &planned, &mut going) {
            break;
        }
    }
    Ok(Ok(Changes { coming: order(world, planned), going }))
}

fn key(package: &Package) -> (&str, &str) {
    (&package.name, &package.architecture)
}

pub(super) fn label(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

fn classify(
    stage: &Stage<'_>,
    world: &World,
    deb: Deb,
    complaints: &mut Vec<Complaint>,
) -> Result<Option<Planned>, Error> {
    let mut complain = |what: String| complaints.push(Complaint::Other(format!("{}: {what}", deb.file_name)));
    let own = &deb.package;
    if !world.architectures.takes(&own.architecture) {
        complain(format!("is for {}, and the image is {}", own.architecture, world.architectures.native));
        return Ok(None);
    }
    let mut planned =
        Planned { class: Class::Install, unpacked: false, reason: String::new(), deb: deb.clone() };
    let old = world.database.instance(own);
    let old_package = old.and_then(|entry| entry.package.as_ref().map(|package| (entry, package)));
    if let Some((entry, package)) = old_package {
        if entry.reinstall_required || entry.state == State::HalfInstalled {
            complain(format!(
                "the image has {} half-installed (Status {})",
                label(package),
                entry.state.name()
            ));
            return Ok(None);
        }
        if entry.state.is_unpacked() {
            if package.version > own.version {
                complain(format!("would replace the later version {} of the image", label(package)));
                return Ok(None);
            }
            if package.version == own.version && package.architecture == own.architecture {
                if entry.state.is_configured() {
                    planned.class = Class::Present;
                } else {
                    planned.class = Class::Unpack;
                    planned.unpacked = true;
                    planned.reason = "it is unpacked in the image and not configured".to_owned();
                }
                return Ok(Some(planned));
            }
            if boot::must_wait(stage, world, package)? {
                planned.class = Class::Spool;
                planned.reason = "the first boot runs the kernel of the version in the image".to_owned();
            }
            for script in ["prerm", "postrm"] {
                if stage.lstat(&info_file(package, world.info_format, script))?.is_some() {
                    planned.class = Class::Spool;
                    planned.reason = format!("the version in the image, {}, has a {script}", package.version);
                }
            }
        }
    }
    if own.multi_arch == MultiArch::Same {
        for entry in world.database.entries().iter().filter(|entry| entry.state.is_unpacked()) {
            let Some(other) = entry.package.as_ref().filter(|other| other.name == own.name) else { continue };
            if other.architecture != own.architecture && other.version != own.version {
                complain(format!(
                    "{}:{} in the image has another version, {}",
                    other.name, other.architecture, other.version
                ));
            }
        }
    }
    if let Some(why) = boot::refuses_arrival(stage, &deb)? {
        complain(why);
        return Ok(None);
    }
    if deb.members.contains_key("preinst") {
        planned.class = Class::Spool;
        planned.reason = "it has a preinst".to_owned();
    } else if planned.class != Class::Spool {
        let scripts = ["postinst", "config", "prerm", "postrm"];
        if let Some(script) = scripts.into_iter().find(|script| deb.members.contains_key(*script)) {
            planned.class = Class::Unpack;
            planned.reason = format!("it has a {script}");
        }
    }
    Ok(Some(planned))
}

/// The packages that will be there in the end; given ones first.
fn in_the_end<'a>(world: &'a World, planned: &'a [Planned], going: &'a [Departing]) -> Vec<&'a Package> {
    let mut all: Vec<&Package> = planned.iter().map(|one| &one.deb.package).collect();
    all.extend(kept(world, planned, going));
    all
}

/// What the image has now.
fn present(world: &World) -> impl Iterator<Item = &Package> {
    let unpacked = world.database.entries().iter().filter(|entry| entry.state.is_unpacked());
    unpacked.filter_map(|entry| entry.package.as_ref())
}

fn kept<'a>(
    world: &'a World,
    planned: &'a [Planned],
    going: &'a [Departing],
) -> impl Iterator<Item = &'a Package> {
    present(world)
        .filter(move |package| !planned.iter().any(|one| one.deb.package.same_instance(package)))
        .filter(move |package| !going.iter().any(|one| one.package.same_instance(package)))
}

fn satisfied(group: &Group, owner: &Package, all: &[&Package], native: &str) -> bool {
    group
        .0
        .iter()
        .any(|relation| all.iter().any(|package| relation.matches(package, owner, native, Sense::Positive)))
}

fn check(world: &World, planned: &[Planned], going: &[Departing], complaints: &mut Vec<Complaint>) {
    let native = &world.architectures.native;
    let all = in_the_end(world, planned, going);
    for one in planned {
        let own = &one.deb.package;
        for group in own.pre_depends.iter().chain(&own.depends) {
            if !satisfied(group, own, &all, native) {
                let found =
                    all.iter().filter(|package| group.0.iter().any(|relation| relation.names(package)));
                complaints.push(Complaint::Missing {
                    by: label(own),
                    needed: group.clone(),
                    found: found.map(|package| label(package)).collect(),
                });
            }
        }
        for (verb, relation) in negative(own) {
            for other in all.iter().filter(|other| other.name != own.name) {
                if relation.matches(other, own, native, Sense::Negative) {
                    complaints.push(Complaint::Other(format!(
                        "{} {verb} {relation}, and {} is there; it goes when `remove` names it",
                        label(own),
                        label(other)
                    )));
                }
            }
        }
    }
    // What the image had before: only what these packages change can be worse than it was.
    let before: Vec<&Package> = present(world).collect();
    for own in kept(world, planned, going) {
        for group in own.pre_depends.iter().chain(&own.depends) {
            let named = |package: &Package| group.0.iter().any(|relation| relation.names(package));
            let leaving = going.iter().find(|one| named(&one.package));
            let concerned = leaving.is_some() || planned.iter().any(|one| named(&one.deb.package));
            if !concerned || !satisfied(group, own, &before, native) || satisfied(group, own, &all, native) {
                continue;
            }
            complaints.push(Complaint::Other(match leaving {
                Some(one) => format!(
                    "{} cannot be removed: {} of the image needs {group}; remove {} too, or keep both",
                    label(&one.package),
                    label(own),
                    own.name
                ),
                None => format!("{} of the image needs {group}, which would be replaced", label(own)),
            }));
        }
        for (verb, relation) in negative(own) {
            for one in planned.iter().filter(|one| one.class != Class::Present) {
                let other = &one.deb.package;
                if other.name != own.name && relation.matches(other, own, native, Sense::Negative) {
                    complaints.push(Complaint::Other(format!(
                        "{} of the image {verb} {relation}, and {} is given",
                        label(own),
                        label(other)
                    )));
                }
            }
        }
    }
}

fn negative(package: &Package) -> impl Iterator<Item = (&'static str, &Relation)> {
    let conflicts = package.conflicts.iter().map(|relation| ("conflicts with", relation));
    conflicts.chain(package.breaks.iter().map(|relation| ("breaks", relation)))
}

/// A package can be no further than what it depends on.
fn settle_classes(world: &World, planned: &mut [Planned], going: &[Departing]) {
    let native = &world.architectures.native;
    loop {
        let mut changes: BTreeMap<usize, (Class, String)> = BTreeMap::new();
        for (index, one) in planned.iter().enumerate() {
            if one.class == Class::Present || one.unpacked {
                continue;
            }
            let own = &one.deb.package;
            let mut worst = (one.class, one.reason.clone());
            let fields = own
                .depends
                .iter()
                .map(|group| (group, false))
                .chain(own.pre_depends.iter().map(|group| (group, true)));
            for (group, before_unpacking) in fields {
                let Some((class, by)) = nearest(world, planned, group, own, native) else { continue };
                let class = if before_unpacking && class == Class::Unpack { Class::Spool } else { class };
                if class > worst.0 {
                    worst = (class, format!("it depends on {by}, which is configured only at first boot"));
                }
            }
            // An old version that stays until first boot, and that this package cannot live with.
            for (_, relation) in negative(own) {
                for other in planned.iter().filter(|other| other.class == Class::Spool) {
                    let old =
                        world.database.instance(&other.deb.package).and_then(|entry| entry.package.as_ref());
                    let bites = old.is_some_and(|old| {
                        old.name != own.name && relation.matches(old, own, native, Sense::Negative)
                    });
                    if bites && worst.0 < Class::Spool {
                        worst = (
                            Class::Spool,
                            format!("{} is replaced only at first boot", other.deb.package.name),
                        );
                    }
                }
            }
            // And one that only goes at first boot.
            for leaving in going.iter().filter(|leaving| leaving.waits()) {
                let bites = negative(own)
                    .any(|(_, relation)| relation.matches(&leaving.package, own, native, Sense::Negative));
                if bites && leaving.package.name != own.name && worst.0 < Class::Spool {
                    worst = (Class::Spool, format!("{} is removed only at first boot", leaving.package.name));
                }
            }
            if worst.0 > one.class {
                changes.insert(index, worst);
            }
        }
        if changes.is_empty() {
            return;
        }
        for (index, (class, reason)) in changes {
            planned[index].class = class;
            planned[index].reason = reason;
        }
    }
}

/// Nothing goes before what still needs it; true when that made something wait.
fn settle_departures(world: &World, planned: &[Planned], going: &mut [Departing]) -> bool {
    let native = &world.architectures.native;
    let before: Vec<&Package> = present(world).collect();
    let mut changed = false;
    loop {
        // What is there between the build and the end of the first boot.
        let waiting: Vec<Package> =
            going.iter().filter(|one| one.waits()).map(|one| one.package.clone()).collect();
        let spooled = |package: &Package| {
            planned.iter().any(|one| one.class == Class::Spool && one.deb.package.same_instance(package))
        };
        let mut between: Vec<&Package> =
            kept(world, planned, going).chain(present(world).filter(|package| spooled(package))).collect();
        between.extend(waiting.iter());
        between.extend(planned.iter().filter(|one| one.class != Class::Spool).map(|one| &one.deb.package));
        let mut next: Option<(usize, String)> = None;
        for own in &between {
            for group in own.pre_depends.iter().chain(&own.depends) {
                if !satisfied(group, own, &before, native) || satisfied(group, own, &between, native) {
                    continue;
                }
                let fits = |one: &Departing| {
                    let matches =
                        |relation: &Relation| relation.matches(&one.package, own, native, Sense::Positive);
                    !one.waits() && group.0.iter().any(matches)
                };
                if let Some(index) = going.iter().position(fits) {
                    next = Some((index, format!("{} needs it until then", own.name)));
                }
            }
        }
        let Some((index, reason)) = next else { return changed };
        going[index].reason = reason;
        changed = true;
    }
}

/// The best class among what satisfies the group, and who that is.
fn nearest(
    world: &World,
    planned: &[Planned],
    group: &Group,
    own: &Package,
    native: &str,
) -> Option<(Class, String)> {
    let fits = |package: &Package| {
        group.0.iter().any(|relation| relation.matches(package, own, native, Sense::Positive))
    };
    let given = planned
        .iter()
        .filter(|one| fits(&one.deb.package))
        .map(|one| (one.class, one.deb.package.name.clone()));
    let image =
        world.database.entries().iter().filter(|entry| entry.state.is_unpacked()).filter_map(|entry| {
            let package = entry.package.as_ref()?;
            let replaced = planned.iter().any(|one| one.deb.package.same_instance(package));
            let class = if entry.state.is_configured() { Class::Present } else { Class::Unpack };
            (!replaced && fits(package)).then(|| (class, package.name.clone()))
        });
    given.chain(image).min()
}

/// Dependencies first; circles are cut where they are entered.
fn order(world: &World, planned: Vec<Planned>) -> Vec<Planned> {
    let native = &world.architectures.native;
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut order: Vec<usize> = Vec::new();
    for start in 0..planned.len() {
        // (package, its dependencies still to visit), as a stack: sets can be deep.
        let mut pending = vec![(start, None::<Vec<usize>>)];
        while let Some((index, needs)) = pending.pop() {
            let mut needs = match needs {
                Some(needs) => needs,
                None => {
                    if !done.insert(index) {
                        continue;
                    }
                    let own = &planned[index].deb.package;
                    let groups: Vec<&Group> = own.pre_depends.iter().chain(&own.depends).collect();
                    let needed = |other: &Package| {
                        groups.iter().any(|group| {
                            group
                                .0
                                .iter()
                                .any(|relation| relation.matches(other, own, native, Sense::Positive))
                        })
                    };
                    (0..planned.len())
                        .rev()
                        .filter(|other| *other != index && needed(&planned[*other].deb.package))
                        .collect()
                }
            };
            match needs.pop() {
                Some(next) => {
                    pending.push((index, Some(needs)));
                    if !done.contains(&next) {
                        pending.push((next, None));
                    }
                }
                None => order.push(index),
            }
        }
    }
    let mut slots: Vec<Option<Planned>> = planned.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| slots[index].take()).collect()
}
