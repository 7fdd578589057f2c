//! Who may read and write what sshd reads.

use hardtack_guest::sshd::{DROP_IN, MAIN_FILE};
use hardtack_guest::{FileType, Stage};
use hardtack_report::Place;

use super::server;
use crate::merged::names;
use crate::{Bench, Error, Finding, Measure, View};

const SSH: &str = "/etc/ssh";
const DROP_INS: &str = "/etc/ssh/sshd_config.d";
/// Of Red Hat: ssh-keysign reads host keys as this group.
const KEYS_GROUP: &str = "ssh_keys";

/// Which files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// sshd_config and its drop-ins.
    Config,
    /// Private host keys.
    Private,
    /// Public host keys.
    Public,
}

impl Files {
    fn mode(self) -> u32 {
        if self == Self::Public { 0o644 } else { 0o600 }
    }

    fn paths(self, stage: &Stage<'_>) -> Result<Vec<String>, Error> {
        let (directory, fits): (&str, fn(&str) -> bool) = match self {
            Self::Config => (DROP_INS, |name| name.ends_with(".conf")),
            Self::Private => (SSH, |name| name.starts_with("ssh_host_") && name.ends_with("_key")),
            Self::Public => (SSH, |name| name.starts_with("ssh_host_") && name.ends_with("_key.pub")),
        };
        let mut paths: Vec<String> = Vec::new();
        if self == Self::Config {
            paths.push(MAIN_FILE.to_owned());
        }
        paths.extend(
            names(stage, directory)?
                .iter()
                .filter(|name| fits(name))
                .map(|name| format!("{directory}/{name}")),
        );
        let mut files = Vec::new();
        for path in paths {
            if stage.stat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
                files.push(path);
            }
        }
        Ok(files)
    }
}

/// Red Hat's group for host keys, by the image's own numbers.
fn keys_group(stage: &Stage<'_>) -> Result<Option<u32>, Error> {
    Ok(hardtack_guest::accounts::group_id(stage, KEYS_GROUP)?)
}

/// Root's, and no mode wider than this.
pub(super) struct Modes(pub(super) Files);

impl Measure for Modes {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let group = keys_group(bench.stage)?;
        for path in self.0.paths(bench.stage)? {
            let there = bench.stage.stat(&path)?;
            let red_hat = self.0 == Files::Private
                && there.is_some_and(|there| Some(there.gid) == group && there.mode & 0o7777 == 0o640);
            // Ours is made when all rules have run.
            if !red_hat && path != DROP_IN {
                bench.restrict(&path, self.0.mode())?;
            }
        }
        bench.private_sshd |= self.0 == Files::Config;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if matches!(server::version(view.stage), Ok(None)) {
            return Ok(server::absent());
        }
        let group = keys_group(view.stage)?;
        let mut faults = Vec::new();
        for path in self.0.paths(view.stage)? {
            let Some(there) = view.stage.stat(&path)? else { continue };
            let wide = there.mode & 0o7777 & !self.0.mode();
            let keys = self.0 == Files::Private && Some(there.gid) == group && wide & !0o040 == 0;
            if there.uid != 0 || (there.gid != 0 && !keys) {
                faults.push((
                    Place::file(&path),
                    format!("belongs to {}:{}, not to root", there.uid, there.gid),
                ));
            }
            if wide != 0 && !keys {
                let what = format!("has the mode {:04o}; at most {:04o}", there.mode & 0o7777, self.0.mode());
                faults.push((Place::file(&path), what));
            }
        }
        Ok(Finding::of(faults))
    }
}
