//! What starts by itself: units of systemd, jobs of Upstart, scripts of System V.

use hardtack_guest::{FileType, Stage};

use crate::bench::root;
use crate::merged::names;
use crate::{Bench, Error};

const ADMIN: &str = "/etc/systemd/system";
/// Where packages put units.
const VENDOR: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];
const NOWHERE: &str = "/dev/null";

/// The file of a unit; `None` where the image has none, or it is masked.
pub(crate) fn file(stage: &Stage<'_>, unit: &str) -> Result<Option<String>, Error> {
    if is_masked(stage, unit)? {
        return Ok(None);
    }
    for directory in [ADMIN, VENDOR[0], VENDOR[1]] {
        let path = format!("{directory}/{unit}");
        if stage.stat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A link to /dev/null, or an empty file, stands in its place.
pub(crate) fn is_masked(stage: &Stage<'_>, unit: &str) -> Result<bool, Error> {
    let path = format!("{ADMIN}/{unit}");
    Ok(match stage.lstat(&path)? {
        Some(there) if there.kind == FileType::Symlink => {
            stage.read_link(&path)?.is_some_and(|target| target == NOWHERE)
        }
        Some(there) => there.kind == FileType::Regular && there.size == 0,
        None => false,
    })
}

/// Where it is asked for: links in `*.wants` and `*.requires`, of the administrator and of packages; start links of System
/// V; a job of Upstart that starts by itself. Empty: nothing starts it. A masked unit is started by nothing.
pub(crate) fn enabled(stage: &Stage<'_>, unit: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    if file(stage, unit)?.is_some() {
        for directory in [ADMIN, VENDOR[0], VENDOR[1]] {
            for name in names(stage, directory)? {
                if !name.ends_with(".wants") && !name.ends_with(".requires") {
                    continue;
                }
                let path = format!("{directory}/{name}/{unit}");
                if stage.lstat(&path)?.is_some() {
                    found.push(path);
                }
            }
        }
    }
    let job = unit.strip_suffix(".service").unwrap_or(unit);
    if !is_masked(stage, unit)? {
        for level in 2..=5 {
            let directory = format!("/etc/rc{level}.d");
            let is_start = |name: &String| {
                name.strip_prefix('S')
                    .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == job)
            };
            found.extend(
                names(stage, &directory)?
                    .into_iter()
                    .filter(is_start)
                    .map(|name| format!("{directory}/{name}")),
            );
        }
    }
    let conf = format!("/etc/init/{job}.conf");
    let text = |path: &str| crate::merged::text(stage, path).unwrap_or_default();
    let starts = text(&conf).lines().any(|line| line.trim_start().starts_with("start on"));
    let manual = text(&format!("/etc/init/{job}.override")).lines().any(|line| line.trim() == "manual");
    if starts && !manual {
        found.push(conf);
    }
    // One file of two directories that are links of each other counts once.
    let mut real = Vec::new();
    for path in found {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let place = format!("{}/{name}", stage.resolve(parent)?);
        if !real.contains(&place) {
            real.push(place);
        }
    }
    Ok(real)
}

/// Nothing can start it any more, under any of the three.
pub(crate) fn mask(bench: &mut Bench<'_, '_>, unit: &str) -> Result<(), Error> {
    let stage = &mut *bench.stage;
    if file(stage, unit)?.is_some() {
        let path = format!("{ADMIN}/{unit}");
        // A unit of the administrator's own would be lost: only packages' units are masked.
        if stage.lstat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
            return Err(Error::Refused {
                rule: "services",
                what: format!("{path} is a unit of the image's own, and would be lost"),
                hint: "take it out, or make an exception for this control".to_owned(),
            });
        }
        stage.symlink(&path, NOWHERE)?;
    }
    let job = unit.strip_suffix(".service").unwrap_or(unit);
    if stage.stat(&format!("/etc/init/{job}.conf"))?.is_some() {
        stage.write(&format!("/etc/init/{job}.override"), "manual\n", root(0o644))?;
    }
    for level in 2..=5 {
        let directory = format!("/etc/rc{level}.d");
        for name in names(stage, &directory)? {
            let Some(rest) = name.strip_prefix('S') else { continue };
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits != 2 || &rest[2..] != job {
                continue;
            }
            let path = format!("{directory}/{name}");
            let Some(target) = stage.read_link(&path)? else { continue };
            let number = rest[..2].parse::<u32>().unwrap_or(50);
            stage.remove(&path)?;
            stage.symlink(&format!("{directory}/K{:02}{job}", 100 - number.clamp(1, 99)), &target)?;
        }
    }
    Ok(())
}

/// `target` wants the unit, which the image has.
pub(crate) fn enable(bench: &mut Bench<'_, '_>, unit: &str, target: &str) -> Result<(), Error> {
    if let Some(path) = file(bench.stage, unit)? {
        let directory = format!("{ADMIN}/{target}.wants");
        if bench.stage.stat(&directory)?.is_none() {
            bench.stage.mkdir(&directory, root(0o755))?;
        }
        bench.stage.symlink(&format!("{directory}/{unit}"), &path)?;
    }
    Ok(())
}
