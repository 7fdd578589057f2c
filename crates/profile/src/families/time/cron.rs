//! cron and at.

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View, units};

const CRONS: [&str; 4] = ["cron.service", "crond.service", "cronie.service", "bcron.service"];

/// cron is enabled.
pub(super) struct Runs;

impl Measure for Runs {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for unit in CRONS {
            units::install(bench, unit)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        for unit in CRONS {
            if !units::enabled(view.stage, unit)?.is_empty() {
                return Ok(Finding::Pass);
            }
        }
        for unit in CRONS {
            let job = unit.strip_suffix(".service").unwrap_or(unit);
            let masked = units::is_masked(view.stage, unit)?;
            for program in [format!("/usr/sbin/{job}"), format!("/etc/init/{job}.conf")] {
                if masked || view.stage.stat(&program)?.is_some() || units::file(view.stage, unit)?.is_some()
                {
                    return Ok(Finding::fail(format!("{unit} is not enabled, or masked")));
                }
            }
        }
        Ok(Finding::NotApplicable("the image has no cron; its timers are systemd's".to_owned()))
    }
}

/// Root's, with no more than this mode, where they are there.
pub(super) struct Mode(pub(super) &'static [&'static str], pub(super) u32);

impl Measure for Mode {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|path| bench.restrict(path, self.1))
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        let mut found = false;
        for path in self.0 {
            let Some(there) = view.stage.stat(path)? else { continue };
            found = true;
            if there.mode & !self.1 != 0 {
                faults.push((
                    Place::file(*path),
                    format!("its mode is {:04o}, not {:04o}", there.mode, self.1),
                ));
            }
            if (there.uid, there.gid) != (0, 0) {
                faults
                    .push((Place::file(*path), format!("it is of {}:{}, not of root", there.uid, there.gid)));
            }
        }
        if !found {
            return Ok(Finding::NotApplicable(format!("there is no {}", self.0.join(", "))));
        }
        Ok(Finding::of(faults))
    }
}

/// A list of those who may, and none of those who may not.
pub(super) struct Allow {
    pub(super) allow: &'static str,
    pub(super) deny: &'static str,
    /// Who must read it, if the image has the group.
    pub(super) group: Option<&'static str>,
}

impl Allow {
    /// Mode and group: whoever is named in it is only let in if the program can read it.
    fn wanted(&self, stage: &Stage<'_>) -> (u32, u32) {
        let named = text(stage, self.allow).is_some_and(|text| !text.trim().is_empty());
        let group = self.group.or(named.then_some("crontab"));
        match group.and_then(|name| gid(stage, name)) {
            Some(gid) => (0o640, gid),
            None => (0o600, 0),
        }
    }
}

/// The number of a group of the image.
fn gid(stage: &Stage<'_>, name: &str) -> Option<u32> {
    text(stage, "/etc/group")?.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

impl Measure for Allow {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let (mode, gid) = self.wanted(bench.stage);
        bench.stage.remove(self.deny)?;
        if bench.stage.stat(self.allow)?.is_none() {
            bench.stage.write(self.allow, "", Set::all(mode, 0, gid))?;
        } else {
            bench.stage.set_mode(self.allow, mode)?;
            bench.stage.set_owner(self.allow, 0, gid)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        if view.stage.lstat(self.deny)?.is_some() {
            faults.push((Place::file(self.deny), "it is there: who is not in it may".to_owned()));
        }
        let (mode, gid) = self.wanted(view.stage);
        match view.stage.stat(self.allow)? {
            None => {
                faults.push((Place::file(self.allow), "it is not there: others than root may".to_owned()))
            }
            Some(there) => {
                // Who must read it is in its group; a list that nobody but root needs may be of crontab's, too.
                let unread = gid != 0 && there.mode & 0o040 == 0;
                if there.mode & !0o640 != 0 || unread {
                    let what = format!("its mode is {:04o}, not {mode:04o}", there.mode);
                    faults.push((Place::file(self.allow), what));
                }
                let other = self.group.is_none() && self::gid(view.stage, "crontab") == Some(there.gid);
                if there.uid != 0 || there.gid != gid && !other {
                    let what = format!("it is of {}:{}, not of 0:{gid}", there.uid, there.gid);
                    faults.push((Place::file(self.allow), what));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}
