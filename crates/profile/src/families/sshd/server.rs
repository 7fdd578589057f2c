//! The image's sshd, and what it makes of its configuration.

use hardtack_guest::Stage;
use hardtack_guest::sshd::{self, Config, Keyword, MAIN_FILE, Setting, Version};
use hardtack_login::service;
use hardtack_report::Place;

use crate::{Bench, Error, Finding, View};

pub(super) const PROGRAM: &str = "/usr/sbin/sshd";

/// A place, and what is wrong there.
pub(super) type Fault = (Place, String);

/// The release of the image's sshd: that of the package database, or the newest grammar where there is only the program
/// (images of RPM). `None`: there is none.
pub(super) fn version(stage: &Stage<'_>) -> Result<Option<Version>, Error> {
    match sshd::installed(stage)? {
        Some(version) => Ok(Some(version)),
        None => Ok(stage.stat(PROGRAM)?.map(|_| Version::UNKNOWN)),
    }
}

/// The release of the package database: only for it anything is written.
pub(super) fn installed(bench: &Bench<'_, '_>) -> Result<Option<Version>, Error> {
    Ok(sshd::installed(bench.stage)?)
}

/// The word as this release takes it; `None`: it would not start with it, or would pass over it.
pub(super) fn known(keyword: &str, version: Version) -> Option<&'static Keyword> {
    sshd::find(keyword).filter(|word| word.known_to(version) && !word.without_effect(version))
}

/// Writes a directive that this release knows, once.
pub(super) fn set(bench: &mut Bench<'_, '_>, version: Version, keyword: &str, value: &str) {
    let wanted = sshd::Directive::new(keyword, value);
    if known(keyword, version).is_some() && !bench.directives.contains(&wanted) {
        bench.sshd(keyword, value);
    }
}

/// Judges every way in which the image starts sshd. Damage, and what sshd would not start with, is a fault.
pub(super) fn judge(
    view: &View<'_>,
    judge: impl Fn(&Config) -> Result<Vec<Fault>, Error>,
) -> Result<Finding, Error> {
    let version = match version(view.stage) {
        Ok(Some(version)) => version,
        Ok(None) => return Ok(absent()),
        Err(error) => return Ok(Finding::fail(error.to_string())),
    };
    let configs = match configs(view.stage, version) {
        Ok(configs) => configs,
        Err(error) => return Ok(Finding::fail_at(MAIN_FILE, error.to_string())),
    };
    let mut faults: Vec<Fault> = Vec::new();
    for config in &configs {
        let stops = config.problems.iter().filter(|problem| problem.unknown_word.is_none());
        let stops = stops.map(|problem| (place(&problem.place), problem.what.clone()));
        for fault in stops.chain(judge(config)?) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    Ok(Finding::of(faults))
}

pub(super) fn absent() -> Finding {
    Finding::NotApplicable("the image has no openssh-server".to_owned())
}

fn configs(stage: &Stage<'_>, version: Version) -> Result<Vec<Config>, hardtack_guest::Error> {
    let mut configs = Vec::new();
    for start in service::all(stage)? {
        configs.push(Config::load_started(stage, version, &start.options, &start.file)?);
    }
    if configs.is_empty() {
        configs.push(Config::load(stage, version)?);
    }
    Ok(configs)
}

pub(super) fn place(place: &sshd::Place) -> Place {
    Place { path: place.file.clone(), line: Some(place.line) }
}

/// All lines that decide a word: the global ones, and those of `Match` blocks that replace them for some.
pub(super) fn deciding<'c>(config: &'c Config, keyword: &str) -> (Vec<&'c Setting>, Vec<&'c Setting>) {
    (config.global(keyword), config.overrides(keyword).collect())
}

/// Where somebody looks for a line that is missing.
pub(super) fn nowhere() -> Place {
    Place::file(MAIN_FILE)
}
