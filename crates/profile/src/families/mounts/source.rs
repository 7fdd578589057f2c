//! What says how something is mounted: fstab, units of systemd, or the init by itself.
//!
//! systemd makes units of fstab's lines, which come behind the administrator's units of the same name and before those of
//! packages (systemd.unit(5), systemd-fstab-generator(8)).

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use super::fstab::{self, Fstab};
use super::{SHM, SHM_OPTIONS};
use crate::merged::{files, text};
use crate::{Error, units};

const ADMIN: &str = "/etc/systemd/system";
/// What Upstart's mountall mounts without being asked for.
const UPSTART: &str = "/lib/init/fstab";
/// There /dev/shm is a link to it.
const RUN_SHM: &str = "/run/shm";

/// How something is mounted.
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) options: Vec<String>,
    /// By a unit that is in the image.
    pub(super) unit: bool,
}

/// Where it really is mounted.
pub(super) fn really<'p>(stage: &Stage<'_>, path: &'p str) -> &'p str {
    let early = text(stage, UPSTART).unwrap_or_default();
    let is_run = early.lines().any(|line| line.split_whitespace().nth(1) == Some(RUN_SHM));
    if path == SHM && is_run { RUN_SHM } else { path }
}

/// All that mounts `path`; nothing where it is part of what is above it.
pub(super) fn of(stage: &Stage<'_>, path: &str) -> Result<Vec<Source>, Error> {
    let path = really(stage, path);
    let unit = unit(path);
    if units::is_masked(stage, &unit)? {
        return Ok(Vec::new());
    }
    let entries = match Fstab::read(stage) {
        Ok(fstab) => fstab.of(path),
        // What cannot be read mounts nothing.
        Err(_) => Vec::new(),
    };
    let admin = format!("{ADMIN}/{unit}");
    let is_admin = stage.lstat(&admin)?.is_some_and(|there| there.kind == FileType::Regular);
    let asked = !units::enabled(stage, &unit)?.is_empty();
    let drop_ins = drop_ins(stage, &unit)?;
    let whole = |place: Place, options: Vec<String>, unit: bool| match &drop_ins {
        Some((place, options)) => Source { place: place.clone(), options: options.clone(), unit },
        None => Source { place, options, unit },
    };
    if is_admin && (asked || !entries.is_empty()) {
        let options = text(stage, &admin).and_then(|text| mount_options(&text)).unwrap_or_default();
        return Ok(vec![whole(Place::file(admin), options, true)]);
    }
    if !entries.is_empty() {
        return Ok(entries.into_iter().map(|entry| whole(entry.place(), entry.options, false)).collect());
    }
    if asked && let Some(file) = units::file(stage, &unit)? {
        let options = text(stage, &file).and_then(|text| mount_options(&text)).unwrap_or_default();
        return Ok(vec![whole(Place::file(file), options, true)]);
    }
    if matches!(path, SHM | RUN_SHM) && (path == RUN_SHM || units::is_systemd(stage)?) {
        return Ok(vec![whole(Place::file(fstab::PATH), SHM_OPTIONS.map(str::to_owned).to_vec(), false)]);
    }
    Ok(Vec::new())
}

/// Nothing stands in the way of mounting it any more.
pub(super) fn unmask(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    let unit = unit(path);
    if units::is_masked(stage, &unit)? {
        stage.remove(&format!("{ADMIN}/{unit}"))?;
    }
    Ok(())
}

/// The unit's name: of the paths here, slashes are all that has to be written otherwise.
fn unit(path: &str) -> String {
    format!("{}.mount", path.trim_matches('/').replace('/', "-"))
}

/// What drop-ins say of the options, and where.
fn drop_ins(stage: &Stage<'_>, unit: &str) -> Result<Option<(Place, Vec<String>)>, Error> {
    let directories = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"]
        .map(|directory| format!("{directory}/systemd/system/{unit}.d"));
    let mut last = None;
    for path in files(stage, &directories.each_ref().map(String::as_str), ".conf")? {
        if let Some(options) = text(stage, &path).and_then(|text| mount_options(&text)) {
            last = Some((Place::file(path), options));
        }
    }
    Ok(last)
}

/// `Options=` of the section `[Mount]`, the last one.
fn mount_options(unit: &str) -> Option<Vec<String>> {
    let mut section = "";
    let mut last = None;
    for line in unit.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some(value) =
            line.strip_prefix("Options").and_then(|rest| rest.trim_start().strip_prefix('='))
            && section == "[Mount]"
        {
            last = Some(value.trim().replace("%%", "%"));
        }
    }
    Some(last?.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect())
}

/// Gives a unit these options.
pub(super) fn set(stage: &mut Stage<'_>, path: &str, wanted: &[&str]) -> Result<(), Error> {
    let Some(old) = stage.read_text(path)? else { return Ok(()) };
    let known = mount_options(&old);
    let mut options = known.clone().unwrap_or_default();
    fstab::merge(&mut options, wanted);
    if known.as_ref() == Some(&options) {
        return Ok(());
    }
    let line = format!("Options={}\n", options.join(",").replace('%', "%%"));
    let is_it = |line: &str| {
        line.trim_start().strip_prefix("Options").is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut new = String::new();
    for there in old.split_inclusive('\n') {
        if known.is_some() && is_it(there) {
            new.push_str(&line);
            continue;
        }
        new.push_str(there);
        if known.is_none() && there.trim() == "[Mount]" {
            if !there.ends_with('\n') {
                new.push('\n');
            }
            new.push_str(&line);
        }
    }
    super::write(stage, path, new)
}
