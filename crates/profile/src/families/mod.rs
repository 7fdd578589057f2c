//! The rules, one module for each kind; they stand here in the order of the benchmarks.

pub(crate) mod accounts;
mod aide;
mod auditd;
mod banners;
mod boot;
mod firewall;
mod logging;
mod mac;
mod modules;
mod mounts;
pub(crate) mod pam;
pub(crate) mod permissions;
mod processes;
mod services;
mod sshd;
mod sudo;
mod sysctl;
mod time;
mod updates;
mod users;

pub(crate) use sshd::{CLOUD_GROUP, CLOUD_KEYS, OUR_MODULI as MODULI};
pub(crate) use sudo::{CLOUD_SUDO, PATH as SUDOERS, ROTATE as SUDO_ROTATE};

use crate::Rule;

pub(crate) use aide::write as write_aide_database;
pub(crate) use firewall::Parts as Firewall;

/// All of them, and what they are about.
pub(crate) const ALL: &[(&str, &[Rule])] = &[
    ("File-system and network modules", modules::RULES),
    ("Partitions and mount options", mounts::RULES),
    ("Updates and packages", updates::RULES),
    ("AppArmor and SELinux", mac::RULES),
    ("Boot loader and kernel command line", boot::RULES),
    ("Processes", processes::RULES),
    ("Banners", banners::RULES),
    ("Services and clients", services::RULES),
    ("Time, cron and at", time::RULES),
    ("Kernel parameters", sysctl::RULES),
    ("Firewall", firewall::RULES),
    ("sshd", sshd::RULES),
    ("sudo and su", sudo::RULES),
    ("PAM", pam::RULES),
    ("Passwords, umask and time-outs", accounts::RULES),
    ("Logging", logging::RULES),
    ("auditd", auditd::RULES),
    ("AIDE", aide::RULES),
    ("File permissions", permissions::RULES),
    ("Users and groups", users::RULES),
];
