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

pub(crate) use firewall::Parts as Firewall;

/// All of them.
pub(crate) const ALL: &[&[Rule]] = &[
    modules::RULES,
    mounts::RULES,
    updates::RULES,
    mac::RULES,
    boot::RULES,
    processes::RULES,
    banners::RULES,
    services::RULES,
    time::RULES,
    sysctl::RULES,
    firewall::RULES,
    sshd::RULES,
    sudo::RULES,
    pam::RULES,
    accounts::RULES,
    logging::RULES,
    auditd::RULES,
    aide::RULES,
    permissions::RULES,
    users::RULES,
];
