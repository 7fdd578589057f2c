//! After a change: the files are judged at once, and after every further change; when nothing has changed for a
//! second, sshd is asked too, and SSH released if it was stopped for nothing. Between a package's weak file and
//! its repair there must be no time to log in; to judge files takes milliseconds, to ask sshd seconds.
//!
//! systemd does not look while the service runs that its path unit has started, so what is written meanwhile
//! must be noticed here. The names are those of `hardtack-guard.path`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use hardtack_credentials::AgentConfig;

use crate::host::Host;

/// As long must nothing change.
const REST: Duration = Duration::from_secs(1);
/// So often it is looked.
const PAUSE: Duration = Duration::from_millis(100);
/// Somebody who writes for longer starts the service again.
const LONGEST: Duration = Duration::from_secs(90);
const UNIT_FOLDERS: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];
const UNITS: [&str; 4] = ["ssh.service.d", "ssh@.service.d", "sshd.service.d", "sshd@.service.d"];
const FILES: [&str; 9] = [
    "/etc/ssh",
    "/etc/ssh/sshd_config.d",
    "/etc/pam.conf",
    "/etc/pam.d",
    "/usr/lib/pam.d",
    "/etc/default/ssh",
    "/etc/sysconfig/sshd",
    "/etc/systemd/system",
    "/run/systemd/system",
];

/// Judges until the files rest.
pub(super) fn run(host: &Host, config: &AgentConfig, now: fn() -> u64) {
    let started = Instant::now();
    let is_late = || started.elapsed() >= LONGEST;
    loop {
        let before = stamp(host);
        super::look_at_files(host, config, now());
        if !rests(host, before) && !is_late() {
            continue;
        }
        let changed = || stamp(host) != before && !is_late();
        let state = super::look_unless(host, config, now(), &changed);
        if is_late() || !(state.is_stale || changed()) {
            return;
        }
    }
}

/// Whether nothing changes for a second.
fn rests(host: &Host, before: u64) -> bool {
    let started = Instant::now();
    while started.elapsed() < REST {
        thread::sleep(PAUSE);
        if stamp(host) != before {
            return false;
        }
    }
    true
}

/// What changes with every file that is watched.
fn stamp(host: &Host) -> u64 {
    let mut hasher = DefaultHasher::new();
    let folders = UNIT_FOLDERS.iter().flat_map(|folder| UNITS.map(|unit| format!("{folder}/{unit}")));
    for path in FILES.iter().map(|&path| path.to_owned()).chain(folders) {
        one(host, &path, &mut hasher);
        for name in host.names(&path) {
            one(host, &format!("{path}/{name}"), &mut hasher);
        }
    }
    hasher.finish()
}

fn one(host: &Host, path: &str, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    if let Ok(metadata) = host.path(path).metadata() {
        (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()).hash(hasher);
        (metadata.ctime(), metadata.ctime_nsec(), metadata.mode()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn every_change_changes_the_stamp() {
        let tree = Tree::new().file("etc/pam.d/sshd", "a").file("etc/ssh/sshd_config", "b");
        let mut seen = vec![stamp(&tree.host())];
        let mut tree = tree;
        for path in [
            "etc/ssh/sshd_config.d/10.conf",
            "etc/pam.d/login",
            "etc/default/ssh",
            "etc/systemd/system/ssh.service.d/x.conf",
        ] {
            tree = tree.file(path, "c");
            let now = stamp(&tree.host());
            assert!(!seen.contains(&now), "{path}");
            seen.push(now);
        }
        assert_eq!(stamp(&tree.host()), stamp(&tree.host()));
    }
}
