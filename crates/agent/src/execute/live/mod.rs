//! What only the running machine can decide ([`hardtack_modules::Action::Live`]).
//!
//! What each name asks for stands with `Action::Live` and in `hardtack_modules::live`; each has one function of
//! the same name here, in the file of its subject.

mod accounts;
mod apt_key;
mod block;
mod disk_setup;
mod fs_setup;
mod growpart;
mod host_keys;
mod packages;
mod passwords;
mod power_state;
mod program;
mod resizefs;
mod scripts;
mod services;
mod ssh;
mod swap;

pub(super) use packages::apt;
pub(crate) use power_state::wait as power_wait;
pub(super) use swap::fstab;

use hardtack_modules::live as name;

use super::Execution;
use crate::error::AgentError;

/// The arguments of one such action: names and values, in order; a name may come several times.
pub(super) struct Details<'a>(&'a [(String, String)]);

impl<'a> Details<'a> {
    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub(super) fn all(&self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a name that the module always gives.
    pub(super) fn need(&self, name: &str) -> Result<&'a str, AgentError> {
        self.get(name).ok_or_else(|| AgentError::text(format!("the action has no {name}: nothing is done")))
    }
}

/// Does what `what` names.
pub(super) fn live(
    cx: &mut Execution<'_>,
    what: &str,
    details: &[(String, String)],
) -> Result<(), AgentError> {
    let details = &Details(details);
    match what {
        "authorized-keys" => ssh::authorized_keys(cx, details),
        "authorized-keys-table" => ssh::authorized_keys_table(cx, details),
        "host-keys-on-console" => host_keys::host_keys_on_console(cx, details),
        "public-host-key" => host_keys::public_host_key(cx, details),
        "redhat-host-key" => host_keys::redhat_host_key(cx, details),
        "publish-host-keys" => host_keys::publish_host_keys(cx, details),
        "unlock-password" => passwords::unlock_password(cx, details),
        "random-passwords" => passwords::random_passwords(cx, details),
        "print-random-passwords" => passwords::print_random_passwords(cx, details),
        "shadow-ages" => accounts::shadow_ages(cx, details),
        "expire-password" => accounts::expire_password(cx, details),
        "restart-if-running" => services::restart_if_running(cx, details),
        "append-file" => scripts::append_file(cx, details),
        "run-parts" => scripts::run_parts(cx, details),
        name::GROWPART => growpart::growpart(cx, details),
        name::RESIZEFS => resizefs::resizefs(cx, details),
        name::DISK_SETUP => disk_setup::disk_setup(cx, details),
        name::FS_SETUP => fs_setup::fs_setup(cx, details),
        name::SWAP_FILE => swap::swap_file(cx, details),
        name::APT_KEY => apt_key::apt_key(cx, details),
        name::SNAP_REFRESH => packages::snap_refresh(cx, details),
        name::REBOOT_IF_REQUIRED => packages::reboot_if_required(cx, details),
        name::POWER_STATE => power_state::power_state(cx, details),
        _ => Err(AgentError::text(format!("this agent cannot do {what}"))),
    }
}
