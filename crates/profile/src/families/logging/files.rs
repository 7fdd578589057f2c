//! The files of /var/log.

use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use crate::merged::names;
use crate::{Bench, Error, Finding, Measure, View};

/// Deeper, and more, than logs lie.
const DEPTH: usize = 12;
const MOST: usize = 50_000;
/// So many are told one by one.
const TOLD: usize = 20;

pub(super) struct Access;

/// The most that a file may have: 0640, but for those that login(1) and its like write as utmp's.
fn most(path: &str, checked: bool) -> u32 {
    let name = path.rsplit('/').next().unwrap_or(path);
    let packages = ["/var/log/apt/", "/var/log/unattended-upgrades/"];
    match name.split(['.', '-']).next().unwrap_or(name) {
        "wtmp" | "lastlog" | "btmp" => 0o664,
        // Made anew at each boot, by the clouds' agents.
        "cloud" | "waagent" if checked => 0o644,
        // Made anew, open, whenever packages change: they tell no more than dpkg's database does.
        "dpkg" | "alternatives" if checked => 0o644,
        _ if checked && packages.iter().any(|directory| path.starts_with(directory)) => 0o644,
        _ => 0o640,
    }
}

/// All regular files that are too open, and their modes; those of the journal are systemd's.
fn open(stage: &Stage<'_>, checked: bool) -> Result<Vec<(String, u32, u32)>, Error> {
    let mut found = Vec::new();
    let mut pending = vec![("/var/log".to_owned(), 0)];
    let mut seen = 0;
    while let Some((directory, depth)) = pending.pop() {
        for name in names(stage, &directory)? {
            seen += 1;
            if seen > MOST {
                return Ok(found);
            }
            let path = format!("{directory}/{name}");
            match stage.lstat(&path)? {
                Some(there)
                    if there.kind == FileType::Directory && depth < DEPTH && path != "/var/log/journal" =>
                {
                    pending.push((path, depth + 1));
                }
                Some(there) if there.kind == FileType::Regular => {
                    let most = most(&path, checked);
                    if there.mode & !most != 0 {
                        found.push((path, there.mode, most));
                    }
                }
                _ => {}
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

impl Measure for Access {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (path, mode, most) in open(bench.stage, false)? {
            bench.stage.set_mode(&path, mode & most)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = open(view.stage, true)?;
        let more = found.len().saturating_sub(TOLD);
        let mut faults: Vec<(Place, String)> = found
            .into_iter()
            .take(TOLD)
            .map(|(path, mode, most)| (Place::file(path), format!("its mode is {mode:04o}, not {most:04o}")))
            .collect();
        if more > 0 {
            faults.push((Place::file("/var/log"), format!("{more} more files are too open")));
        }
        Ok(Finding::of(faults))
    }
}
