//! `cloud-agents`: programs of clouds that run commands or bring keys do nothing any more.
//!
//! Offline nothing can be asked to stop; so everything that would start the program is switched off, and sshd is
//! not told of it any more. Packages whose removal runs no script are removed. What switches off stays when a
//! package comes again: masks of units are the administrator's (systemd.unit(5)), and so are overrides of Upstart.

use hardtack_guest::dpkg::resolve::resolve;
use hardtack_guest::dpkg::{Database, World};
use hardtack_guest::sshd::{self, Config, Place};
use hardtack_guest::{FileType, Set};
use hardtack_inspect::ways::NEVER;
use hardtack_inspect::ways::agents::{CLOUD_AGENTS, CloudAgent, find, names_agent};
use hardtack_login::service;

use super::packages;
use crate::model::PackagesStep;
use crate::{Context, StepError};

pub(crate) const STEP: &str = "cloud-agents";
const UNITS: &str = "/etc/systemd/system";
const DROP_IN: &str = "50-hardtack.conf";
/// Lines of sshd's that name one program; more are nobody's.
const MOST_LINES: usize = 100;

/// Switches off the one that recipes call `id`.
///
/// # Errors
/// The image cannot be read or changed, or something would still start it.
pub fn apply(id: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(agent) = CLOUD_AGENTS.iter().find(|agent| agent.id == id) else {
        return Err(StepError::usage(STEP, format!("nobody knows a program {id}")));
    };
    let comes = is_to_come(agent, cx);
    let found = find(cx.stage, &configs(cx)?)?;
    let Some(found) = found.into_iter().find(|found| found.agent.id == id) else {
        return if comes { units(agent, true, cx) } else { Ok(()) };
    };
    keys(agent, cx)?;
    let of_snap = found.places.iter().any(|place| place.contains("/snap"));
    units(agent, comes || of_snap, cx)?;
    jobs(agent, cx)?;
    remove_packages(agent, cx)?;
    let left = find(cx.stage, &configs(cx)?)?;
    match left.iter().find(|found| found.agent.id == id).filter(|found| found.active) {
        None => Ok(()),
        Some(found) => {
            let what = format!("{id}: nothing is known that starts {}", found.places.join(", "));
            Err(StepError::refused(STEP, what)
                .hint("take the program out with a step `packages` or `files`, or `keep` it"))
        }
    }
}

/// sshd's configuration, by each way in which it is started.
fn configs(cx: &Context<'_, '_>) -> Result<Vec<Config>, StepError> {
    let Some(version) = sshd::installed(cx.stage)?.or_else(|| {
        let there = cx.stage.stat("/usr/sbin/sshd").ok().flatten();
        there.map(|_| sshd::NEWEST)
    }) else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for start in service::all(&*cx.stage)?.into_iter().filter(|start| start.other.is_none()) {
        all.push(Config::load_started(&*cx.stage, version, &start.options, &start.file)?);
    }
    Ok(all)
}

/// The package is installed at first boot.
fn is_to_come(agent: &CloudAgent, cx: &Context<'_, '_>) -> bool {
    let waiting = cx.agent.packages.iter().flat_map(|packages| &packages.install);
    waiting.filter_map(|file| file.split('_').next()).any(|name| agent.packages.contains(&name))
}

/// sshd asks the program for no keys.
fn keys(agent: &CloudAgent, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for _ in 0..MOST_LINES {
        let line = configs(cx)?
            .into_iter()
            .flat_map(|config| config.settings)
            .find(|line| line.keyword == "AuthorizedKeysCommand" && names_agent(agent, &line.words));
        let Some(line) = line else { return Ok(()) };
        match mask_of(&line.place) {
            Some(mask) => cx.stage.symlink(&mask, "/dev/null")?,
            None if is_of_sshd(&line.place) => sshd::comment_out(cx.stage, &line.place)?,
            None => {
                let what = format!("{}: {} names {}", line.place, line.written, agent.id);
                return Err(StepError::refused(STEP, what).hint("take the option out of the image"));
            }
        }
    }
    Err(StepError::refused(STEP, format!("{}: sshd's configuration names it too often", agent.id)))
}

/// A drop-in that a package brings is switched off by one of the administrator's with its name.
fn mask_of(place: &Place) -> Option<String> {
    ["/usr/lib/systemd/system/", "/lib/systemd/system/", "/usr/local/lib/systemd/system/"]
        .iter()
        .find_map(|folder| place.file.strip_prefix(folder))
        .filter(|rest| rest.contains(".d/"))
        .map(|rest| format!("{UNITS}/{rest}"))
}

/// A line of a configuration, not of what starts sshd.
fn is_of_sshd(place: &Place) -> bool {
    !service::decides(&place.file) && !place.file.contains("/systemd/")
}

/// Masks what starts it; `all`: also what only comes later.
fn units(agent: &CloudAgent, all: bool, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for unit in agent.units {
        let path = format!("{UNITS}/{unit}");
        let own = cx.stage.lstat(&path)?;
        let mut there = own.is_some();
        for folder in ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
            there |= cx.stage.lstat(&format!("{folder}/{unit}"))?.is_some();
        }
        if !there && !all {
            continue;
        }
        // snapd writes its units there anew; a drop-in stays, and so does another file of the administrator's.
        let is_file = own.is_some_and(|own| own.kind != FileType::Symlink);
        if unit.starts_with("snap.") || is_file {
            let text = format!("# The recipe switches this off.\n[Unit]\n{NEVER}\n");
            cx.stage.write(&format!("{path}.d/{DROP_IN}"), text, Set::all(0o644, 0, 0))?;
        } else if cx.stage.read_link(&path)?.is_none_or(|target| target != "/dev/null") {
            cx.stage.symlink(&path, "/dev/null")?;
        }
    }
    Ok(())
}

/// Upstart starts nothing whose override says `manual` (init(5)).
fn jobs(agent: &CloudAgent, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for job in agent.jobs {
        if cx.stage.stat(&format!("/etc/init/{job}.conf"))?.is_none() {
            continue;
        }
        let path = format!("/etc/init/{job}.override");
        let mut text = cx.stage.read_text(&path)?.unwrap_or_default();
        if !text.lines().any(|line| line.trim() == "manual") {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str("manual\n");
            cx.stage.write(&path, text, Set::all(0o644, 0, 0))?;
        }
    }
    Ok(())
}

/// Removes packages where no script must run for it; says where one must.
fn remove_packages(agent: &CloudAgent, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(database) = Database::read(cx.stage)? else { return Ok(()) };
    let is_there = |name: &&&str| database.by_name(name).is_some_and(|entry| entry.state.is_unpacked());
    let names: Vec<String> = agent.packages.iter().filter(is_there).map(|name| (*name).to_owned()).collect();
    for name in names {
        let Some(world) = World::read(cx.stage)? else { return Ok(()) };
        let one = [name.clone()];
        let why = match resolve(cx.stage, &world, Vec::new(), &one, &[])? {
            Err(_) => "other packages need it".to_owned(),
            Ok(changes) => match changes.going.iter().find(|going| going.waits()) {
                Some(going) => going.reason.clone(),
                None => {
                    let step = PackagesStep { remove: one.to_vec(), ..PackagesStep::default() };
                    packages::apply(&step, cx)?;
                    cx.info(STEP, format!("the package {name} is removed"));
                    continue;
                }
            },
        };
        cx.info(STEP, format!("the package {name} stays ({why}): what starts it is masked"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
