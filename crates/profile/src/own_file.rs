//! Files that are ours alone.

use std::collections::BTreeMap;

use hardtack_guest::Stage;

use crate::Error;
use crate::bench::root;

/// By these words a file is known for ours.
pub(crate) const MARK: &str = "Made by hardtack";
const HEADER: &str = "# Made by hardtack for a hardening profile; the next build writes it again.\n";

/// All files that rules write as ours alone: those that no rule wants any more are taken away.
pub(crate) const PATHS: &[&str] = &[
    "/etc/sysctl.d/99-zz-hardtack.conf",
    "/etc/grub.d/01_hardtack",
    "/etc/modprobe.d/60-hardtack.conf",
    crate::families::accounts::PROFILE_D,
    "/etc/security/limits.d/60-hardtack.conf",
    "/etc/systemd/coredump.conf.d/60-hardtack.conf",
    "/etc/systemd/system/polkit.service.d/60-hardtack.conf",
    "/etc/systemd/system/systemd-logind.service.d/60-hardtack.conf",
    crate::families::pam::DROP_IN,
    "/etc/systemd/timesyncd.conf.d/50-hardtack.conf",
    "/etc/chrony/sources.d/hardtack.sources",
    "/etc/systemd/journald.conf.d/zz-hardtack.conf",
    "/etc/rsyslog.d/00-hardtack.conf",
    "/etc/apt/apt.conf.d/99hardtack-upgrades",
    "/etc/audit/rules.d/50-scope.rules",
    "/etc/audit/rules.d/50-user_emulation.rules",
    "/etc/audit/rules.d/50-sudo.rules",
    "/etc/audit/rules.d/50-time-change.rules",
    "/etc/audit/rules.d/50-system_locale.rules",
    "/etc/audit/rules.d/50-privileged.rules",
    "/etc/audit/rules.d/50-access.rules",
    "/etc/audit/rules.d/50-identity.rules",
    "/etc/audit/rules.d/50-perm_mod.rules",
    "/etc/audit/rules.d/50-mounts.rules",
    "/etc/audit/rules.d/50-session.rules",
    "/etc/audit/rules.d/50-login.rules",
    "/etc/audit/rules.d/50-delete.rules",
    "/etc/audit/rules.d/50-MAC-policy.rules",
    "/etc/audit/rules.d/50-perm_chng.rules",
    "/etc/audit/rules.d/50-usermod.rules",
    "/etc/audit/rules.d/50-kernel_modules.rules",
    "/etc/audit/rules.d/99-finalize.rules",
    "/etc/hardtack/aide.conf",
    "/etc/aide/aide.conf.d/10_hardtack_audit_tools",
    "/etc/hardtack/firewall.nft",
    "/etc/hardtack/firewall.v4",
    "/etc/hardtack/firewall.v6",
    "/usr/sbin/hardtack-firewall",
    "/etc/systemd/system/hardtack-firewall.service",
    "/etc/systemd/system/hardtack-firewall-rollback.service",
    "/etc/init/hardtack-firewall.conf",
    "/etc/init/hardtack-firewall-rollback.conf",
    "/etc/apt/apt.conf.d/zz-hardtack-signatures",
    "/etc/apt/apt.conf.d/zz-hardtack-upgrades",
    crate::families::SUDOERS,
    crate::families::SUDO_ROTATE,
    crate::families::CLOUD_SUDO,
    crate::families::CLOUD_GROUP,
    crate::families::CLOUD_KEYS,
    crate::families::MODULI,
    crate::first_boot::SCRIPT,
    crate::first_boot::UNIT,
    crate::first_boot::JOB,
];

/// The files that this run wants.
#[derive(Default)]
pub(crate) struct OwnFiles(BTreeMap<&'static str, (u32, String)>);

impl OwnFiles {
    pub(crate) fn line(&mut self, path: &'static str, mode: u32, line: String) {
        let (_, text) = self.0.entry(path).or_insert_with(|| (mode, HEADER.to_owned()));
        if !text.lines().any(|there| there == line) {
            text.push_str(&line);
            text.push('\n');
        }
    }

    pub(crate) fn whole(&mut self, path: &'static str, mode: u32, content: String) {
        self.0.insert(path, (mode, content));
    }

    /// Writes them, and takes away what an earlier build has left.
    pub(crate) fn write(self, stage: &mut Stage<'_>) -> Result<(), Error> {
        for path in PATHS.iter().filter(|path| !self.0.contains_key(**path)) {
            if stage.read_text(path).ok().flatten().is_some_and(|text| text.contains(MARK)) {
                stage.remove(path)?;
            }
        }
        for (path, (mode, content)) in self.0 {
            debug_assert!(PATHS.contains(&path), "{path} is missing in own_file::PATHS");
            if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
                && stage.stat(parent)?.is_none()
            {
                stage.mkdir(parent, root(0o755))?;
            }
            stage.write(path, content, root(mode))?;
            // Nothing in them is a secret, whoever may read them in the guest.
            stage.show_content(path)?;
        }
        Ok(())
    }
}
