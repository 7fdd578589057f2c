//! What starts by itself: units of systemd, jobs of Upstart, scripts of System V.
//!
//! Jobs of Upstart count where systemd is not the image's init: Ubuntu 16.04 has both in its packages. A System V script
//! counts where systemd does not start it by a unit of the same name.

mod install;
mod preset;

use hardtack_guest::{FileType, Stage};

use crate::bench::root;
use crate::merged::{names, text};
use crate::{Bench, Error};

pub(crate) use install::install;

const ADMIN: &str = "/etc/systemd/system";
/// Where systemd looks for units, the first one wins (systemd.unit(5)); what it makes in /run is no image's.
const DIRECTORIES: [&str; 4] =
    [ADMIN, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const NOWHERE: &str = "/dev/null";
/// A link to a link to a link is somebody's joke.
const MOST_ALIASES: usize = 8;

/// systemd is what the kernel starts first. A tree without any init, as in tests, has all of them.
pub(crate) fn is_systemd(stage: &Stage<'_>) -> Result<bool, Error> {
    let init = stage.read_link("/sbin/init").ok().flatten();
    Ok(match init {
        Some(target) => target.ends_with("/systemd"),
        None => {
            stage.stat("/sbin/init")?.is_none()
                && (stage.stat("/lib/systemd/systemd")?.is_some()
                    || stage.stat("/usr/lib/systemd/systemd")?.is_some())
        }
    })
}

/// Upstart is what the kernel starts first.
pub(crate) fn is_upstart(stage: &Stage<'_>) -> Result<bool, Error> {
    let has = stage.stat("/sbin/upstart")?.is_some() || stage.stat("/etc/init/rc-sysinit.conf")?.is_some();
    Ok(has && !is_systemd(stage)?)
}

/// What has to be started at boot, in an image that starts by scripts of System V alone: none of ours are written.
pub(crate) fn no_starter(rule: &'static str, what: &str, rules: &str) -> Error {
    Error::Refused {
        rule,
        what: format!("the image starts by System V init, and {what} would be started by a unit or job only"),
        hint: format!("use an image with systemd or Upstart, or make exceptions for {rules}"),
    }
}

/// The file of a unit; `None` where the image has none, or it is masked.
pub(crate) fn file(stage: &Stage<'_>, unit: &str) -> Result<Option<String>, Error> {
    if is_masked(stage, unit)? {
        return Ok(None);
    }
    for directory in DIRECTORIES {
        let path = format!("{directory}/{unit}");
        if matches!(stage.stat(&path), Ok(Some(there)) if there.kind == FileType::Regular) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A link to /dev/null, or an empty file, is what systemd finds first, under this name or the one it stands for.
pub(crate) fn is_masked(stage: &Stage<'_>, unit: &str) -> Result<bool, Error> {
    let mut name = unit.to_owned();
    for _ in 0..MOST_ALIASES {
        let Some(path) = first(stage, &name)? else { return Ok(false) };
        if stage.resolve(&path).is_ok_and(|real| real.as_str() == NOWHERE) {
            return Ok(true);
        }
        if matches!(stage.stat(&path), Ok(Some(there)) if there.kind == FileType::Regular && there.size == 0)
        {
            return Ok(true);
        }
        match real_name(stage, &path, &name)? {
            Some(real) => name = real,
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// What systemd finds first under this name.
fn first(stage: &Stage<'_>, unit: &str) -> Result<Option<String>, Error> {
    for directory in DIRECTORIES {
        let path = format!("{directory}/{unit}");
        if stage.lstat(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The other name that the file `path` of a unit leads to.
fn real_name(stage: &Stage<'_>, path: &str, unit: &str) -> Result<Option<String>, Error> {
    let target = stage.read_link(path)?;
    let name = target.as_deref().and_then(|target| target.rsplit('/').next());
    Ok(name.filter(|name| *name != unit && name.contains('.')).map(str::to_owned))
}

/// The unit and its other names: links beside the units that lead to it.
fn with_aliases(stage: &Stage<'_>, unit: &str) -> Result<Vec<String>, Error> {
    let mut all = vec![unit.to_owned()];
    for directory in DIRECTORIES {
        for name in names(stage, directory)? {
            let path = format!("{directory}/{name}");
            if !all.contains(&name) && real_name(stage, &path, &name)?.as_deref() == Some(unit) {
                all.push(name);
            }
        }
    }
    Ok(all)
}

/// Where it is asked for: links in `*.wants` and `*.requires`, of the administrator and of packages; what a first boot
/// makes of presets; start links of System V; a job of Upstart that starts by itself. Empty: nothing starts it. A masked
/// unit is started by nothing.
pub(crate) fn enabled(stage: &Stage<'_>, unit: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let unit_file = file(stage, unit)?;
    if let Some(path) = &unit_file {
        let called = with_aliases(stage, unit)?;
        for directory in DIRECTORIES {
            for name in names(stage, directory)? {
                if ![".wants", ".requires", ".upholds"].iter().any(|end| name.ends_with(end)) {
                    continue;
                }
                for unit in &called {
                    let path = format!("{directory}/{name}/{unit}");
                    if stage.lstat(&path)?.is_some() {
                        found.push(path);
                    }
                }
            }
        }
        if found.is_empty() && preset::enables(stage, unit, path)? {
            found.push(path.clone());
        }
    }
    let job = unit.strip_suffix(".service").unwrap_or(unit);
    if unit_file.is_none() && !is_masked(stage, unit)? && (job != unit || !unit.contains('.')) {
        for (path, _, _) in start_links(stage, job)? {
            found.push(path);
        }
    }
    if !is_systemd(stage)? && starts_itself(stage, job) {
        found.push(format!("/etc/init/{job}.conf"));
    }
    // One file of two directories that are links of each other counts once.
    let mut real = Vec::new();
    let mut places = Vec::new();
    for path in found {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let place = format!("{}/{name}", stage.resolve(parent)?);
        if !places.contains(&place) {
            places.push(place);
            real.push(path);
        }
    }
    Ok(real)
}

/// Start links of a System V script: path, directory, and the number in its name.
fn start_links(stage: &Stage<'_>, job: &str) -> Result<Vec<(String, String, u32)>, Error> {
    let mut links = Vec::new();
    for level in 2..=5 {
        let directory = format!("/etc/rc{level}.d");
        for name in names(stage, &directory)? {
            let Some((number, rest)) = name.strip_prefix('S').and_then(|rest| rest.split_at_checked(2))
            else {
                continue;
            };
            if let Ok(number) = number.parse()
                && rest == job
            {
                links.push((format!("{directory}/{name}"), directory.clone(), number));
            }
        }
    }
    Ok(links)
}

/// A job of Upstart that is started by events: the last of its stanzas wins, those of the override behind its own (init(5)).
fn starts_itself(stage: &Stage<'_>, job: &str) -> bool {
    let mut starts = false;
    for end in ["conf", "override"] {
        for line in text(stage, &format!("/etc/init/{job}.{end}")).unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("start"), Some("on")) => starts = true,
                (Some("manual"), _) => starts = false,
                _ => {}
            }
        }
    }
    starts
}

/// Nothing can start it any more, under any of the three.
pub(crate) fn mask(bench: &mut Bench<'_, '_>, unit: &str) -> Result<(), Error> {
    let stage = &mut *bench.stage;
    let systemd = is_systemd(stage)?;
    let job = unit.strip_suffix(".service").unwrap_or(unit).to_owned();
    let links = start_links(stage, &job)?;
    // systemd starts a System V script by a unit that it makes of it, unless one of this name is masked.
    if file(stage, unit)?.is_some() || systemd && !links.is_empty() && !is_masked(stage, unit)? {
        let mut name = unit.to_owned();
        for _ in 0..MOST_ALIASES {
            let path = format!("{ADMIN}/{name}");
            // A unit of the administrator's own would be lost: only packages' units are masked.
            if stage.lstat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
                return Err(Error::Refused {
                    rule: "services",
                    what: format!("{path} is a unit of the image's own, and masking it would lose it"),
                    hint: "take it out of the image, or make an exception for the control of this service"
                        .to_owned(),
                });
            }
            let real = first(stage, &name)?.map(|path| real_name(stage, &path, &name)).transpose()?.flatten();
            stage.symlink(&path, NOWHERE)?;
            match real {
                Some(real) if file(stage, &real)?.is_some() => name = real,
                _ => break,
            }
        }
    }
    if systemd {
        return Ok(());
    }
    if starts_itself(stage, &job) {
        let path = format!("/etc/init/{job}.override");
        let mut content = stage.read_text(&path)?.unwrap_or_default();
        if !content.is_empty() && !content.ends_with('\n') {
            content.push('\n');
        }
        stage.write(&path, content + "manual\n", root(0o644))?;
    }
    for (path, directory, number) in links {
        let Some(target) = stage.read_link(&path)? else { continue };
        stage.remove(&path)?;
        stage.symlink(&format!("{directory}/K{:02}{job}", 100 - number.clamp(1, 99)), &target)?;
    }
    Ok(())
}

/// `target` wants the unit, which the image has.
pub(crate) fn enable(bench: &mut Bench<'_, '_>, unit: &str, target: &str) -> Result<(), Error> {
    let Some(path) = file(bench.stage, unit)? else { return Ok(()) };
    let directory = format!("{ADMIN}/{target}.wants");
    if bench.stage.stat(&directory)?.is_none() {
        bench.stage.mkdir(&directory, root(0o755))?;
    }
    let link = format!("{directory}/{unit}");
    // A link that leads there by another way stays: /lib is /usr/lib today.
    if bench.stage.lstat(&link)?.is_none() || bench.stage.resolve(&link)? != bench.stage.resolve(&path)? {
        bench.stage.symlink(&link, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
