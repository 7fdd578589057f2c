//! Modes and owners of what is auditd's.

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use super::{ETC, RULES_D};
use crate::merged::names;
use crate::{Bench, Error, Finding, Measure, View};

const LOGS: &str = "/var/log/audit";
const TOOLS: [&str; 6] = ["auditctl", "aureport", "ausearch", "autrace", "auditd", "augenrules"];
const MOST: usize = 10_000;

/// Nothing of it is anybody else's.
pub(super) struct Access;

/// A path, the bits it may have, and whether its group may be another one than root's: logs have adm's.
type Limit = (String, u32, bool);

fn limits(stage: &Stage<'_>) -> Result<Vec<Limit>, Error> {
    let mut limits = vec![
        (LOGS.to_owned(), 0o750, true),
        (ETC.to_owned(), 0o750, false),
        (RULES_D.to_owned(), 0o750, false),
    ];
    let mut of = |directory: &str, suffixes: &[&str], group: bool| -> Result<(), Error> {
        let all = names(stage, directory)?;
        let named = all.iter().filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)));
        limits.extend(named.take(MOST).map(|name| (format!("{directory}/{name}"), 0o640, group)));
        Ok(())
    };
    of(LOGS, &[""], true)?;
    of(ETC, &[".conf", ".rules"], false)?;
    of(RULES_D, &[".rules"], false)?;
    for tool in TOOLS {
        limits.push((format!("/usr/sbin/{tool}"), 0o755, false));
        limits.push((format!("/sbin/{tool}"), 0o755, false));
    }
    limits.retain(|(path, ..)| {
        stage.lstat(path).ok().flatten().is_some_and(|there| there.kind != FileType::Symlink)
    });
    Ok(limits)
}

impl Measure for Access {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (path, mode, group) in limits(bench.stage)? {
            let Some(there) = bench.stage.lstat(&path)? else { continue };
            if there.mode & !mode != 0 {
                bench.stage.set_mode(&path, there.mode & mode)?;
            }
            let gid = if group { there.gid } else { 0 };
            if there.uid != 0 || there.gid != gid {
                bench.stage.set_owner(&path, 0, gid)?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let limits = limits(view.stage)?;
        if limits.is_empty() {
            return Ok(Finding::NotApplicable(
                "auditd is not in the image; its package makes them so".to_owned(),
            ));
        }
        let mut faults = Vec::new();
        for (path, mode, group) in limits {
            let Some(there) = view.stage.lstat(&path)? else { continue };
            if there.mode & 0o7777 & !mode != 0 {
                faults.push((
                    Place::file(&path),
                    format!("{path} is {:04o}; {mode:04o} at most", there.mode & 0o7777),
                ));
            }
            if there.uid != 0 || !group && there.gid != 0 {
                faults.push((
                    Place::file(&path),
                    format!("{path} belongs to {}:{}, not to root", there.uid, there.gid),
                ));
            }
        }
        Ok(Finding::of(faults))
    }

    fn is_late(&self) -> bool {
        true
    }
}
