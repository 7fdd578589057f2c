//! What removing packages comes to: which can go at once, which only at first boot, and which may not.

use super::admin::info_file;
use super::boot;
use super::install::World;
use super::package::Package;
use super::resolve::{Complaint, label};
use super::status::{Entry, State};
use crate::{Error, Stage};

/// A package that goes.
#[derive(Clone, Debug)]
pub struct Departing {
    /// The package, as the image has it.
    pub package: Package,
    /// Its configuration files go, too.
    pub purge: bool,
    /// Why its removal is finished at first boot only; empty when it is done at once.
    pub reason: String,
}

impl Departing {
    /// It waits for the first boot.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.reason.is_empty()
    }
}

/// The packages of `remove` and `purge` that the image has, and why some of them cannot go. One that
/// is not there (or, for `remove`, has only its configuration files left) is gone already.
///
/// # Errors
/// When the image cannot be read.
pub fn departures(
    stage: &Stage<'_>,
    world: &World,
    remove: &[String],
    purge: &[String],
) -> Result<(Vec<Departing>, Vec<Complaint>), Error> {
    let mut going: Vec<Departing> = Vec::new();
    let mut complaints = Vec::new();
    let wanted = purge.iter().map(|name| (name, true)).chain(remove.iter().map(|name| (name, false)));
    for (name, purge) in wanted {
        for entry in world.database.entries().iter().filter(|entry| is_meant(entry, name)) {
            let Some(package) = &entry.package else { continue };
            let nothing_left = match entry.state {
                State::NotInstalled => true,
                State::ConfigFiles => !purge,
                _ => false,
            };
            if nothing_left || going.iter().any(|known| known.package.same_instance(package)) {
                continue;
            }
            let why = match refused(entry, package) {
                None if entry.state.is_unpacked() => boot::refuses_removal(stage, world, package)?,
                why => why,
            };
            match why {
                Some(why) => complaints.push(Complaint::Other(why)),
                None => going.push(Departing {
                    package: package.clone(),
                    purge,
                    reason: scripts(stage, world, package)?,
                }),
            }
        }
    }
    going.sort_by_key(|one| one.package.full_name());
    Ok((going, complaints))
}

fn is_meant(entry: &Entry, name: &str) -> bool {
    let Some(package) = &entry.package else { return false };
    match name.split_once(':') {
        Some((name, architecture)) => package.name == name && package.architecture == architecture,
        None => package.name == name,
    }
}

fn refused(entry: &Entry, package: &Package) -> Option<String> {
    let name = label(package);
    if entry.is_vital {
        return Some(format!(
            "{name} cannot be removed: it is essential or protected, and no machine goes without"
        ));
    }
    if entry.want == "hold" {
        return Some(format!(
            "{name} cannot be removed: the image holds it (apt-mark unhold {})",
            package.name
        ));
    }
    if entry.reinstall_required || entry.state == State::HalfInstalled {
        return Some(format!("{name} cannot be removed: it is half-installed in the image"));
    }
    None
}

fn scripts(stage: &Stage<'_>, world: &World, package: &Package) -> Result<String, Error> {
    for script in ["prerm", "postrm"] {
        if stage.lstat(&info_file(package, world.info_format, script))?.is_some() {
            return Ok(format!("it has a {script}"));
        }
    }
    Ok(String::new())
}
