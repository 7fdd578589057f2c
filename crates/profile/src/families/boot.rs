//! The boot loader and the kernel command line.

pub(super) mod cmdline;
mod password;

use hardtack_report::Place;

use crate::{Bench, Error, Finding, Level, Measure, Rule, View};
use cmdline::Words;
use password::Password;

/// The menus of GRUB, and RHEL's file with the password.
const MENUS: [&str; 3] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub2/user.cfg"];
const MENU_MODE: u32 = 0o600;

/// The menu is root's.
struct MenuMode;

impl Measure for MenuMode {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for path in MENUS {
            if bench.stage.stat(path)?.is_some_and(|there| there.mode & !MENU_MODE != 0 || there.uid != 0) {
                bench.restrict(bench.stage.resolve(path)?.as_str(), MENU_MODE)?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        let mut found = false;
        for path in MENUS {
            if let Some(there) = view.stage.stat(path)? {
                found = true;
                if there.mode & !MENU_MODE != 0 || (there.uid, there.gid) != (0, 0) {
                    let is = format!("mode {:04o}, of {}:{}", there.mode, there.uid, there.gid);
                    faults.push((Place::file(path), format!("{is}; it shall be root's, 0600")));
                }
            }
        }
        if !found {
            return Ok(Finding::NotApplicable("the image has no menu of GRUB".to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "cmd-apparmor",
        "1.3.1.2",
        Level::One,
        "the kernel is told to use AppArmor",
        "another security module could take its place, and nothing would be confined",
        &Words { words: &["apparmor=1", "security=apparmor"], apparmor: true },
    ),
    Rule::new(
        "boot-password",
        "1.4.1",
        Level::One,
        "the boot menu is changed with a password only, and boots without one",
        "whoever is at the console could start a shell of root's by a word on the kernel's command line",
        &Password,
    ),
    Rule::new(
        "boot-cfg-mode",
        "1.4.2",
        Level::One,
        "the boot menu is read by root only",
        "it holds the hash of the menu's password, and tells how the machine is started",
        &MenuMode,
    )
    .baseline(),
    Rule::new(
        "cmd-no-ipv6",
        "3.1.1",
        Level::None,
        "the kernel has no IPv6",
        "an address that nobody knows of is guarded by nobody; ::1, metadata services and clouds with IPv6 alone need it",
        &Words { words: &["ipv6.disable=1"], apparmor: false },
    ),
    Rule::new(
        "cmd-audit",
        "6.2.1.3",
        Level::Two,
        "processes that start before auditd are watched, too",
        "what began before auditd did leaves no trace for as long as it runs",
        &Words { words: &["audit=1"], apparmor: false },
    ),
    Rule::new(
        "cmd-audit-backlog",
        "6.2.1.4",
        Level::Two,
        "nothing is lost before auditd starts",
        "the kernel keeps 64 events by default; a boot makes more",
        &Words { words: &["audit_backlog_limit=8192"], apparmor: false },
    ),
    Rule::new(
        "cmd-slab-nomerge",
        "",
        Level::None,
        "the kernel's memory is cleared, shuffled and kept apart",
        "an error in one part of the kernel reaches less of the others; some percent of speed go",
        &Words {
            words: &[
                "slab_nomerge",
                "init_on_alloc=1",
                "init_on_free=1",
                "page_alloc.shuffle=1",
                "randomize_kstack_offset=on",
            ],
            apparmor: false,
        },
    ),
    Rule::new(
        "cmd-vsyscall-none",
        "",
        Level::None,
        "the kernel has no vsyscall page and no debugfs",
        "both are at known places; containers of CentOS 6 and tools of BPF need them",
        &Words { words: &["vsyscall=none", "debugfs=off"], apparmor: false },
    ),
    Rule::new(
        "cmd-lockdown",
        "",
        Level::None,
        "root cannot change the running kernel",
        "modules that nobody signed are refused; kexec and kdump, too",
        &Words { words: &["lockdown=integrity"], apparmor: false },
    ),
];

#[cfg(test)]
mod tests;
