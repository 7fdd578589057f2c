//! sshd and PAM as they would judge, and who gets in by them.

use hardtack_guest::sshd::{self, Config};
use hardtack_guest::{Error, Stage, pam};
use hardtack_login::promise::asks_for_code;

use crate::model::{PamService, Sshd};

/// Directives that decide who gets in, and sshd's own values (sshd_config(5)).
pub(crate) const DECIDING: &[(&str, &str)] = &[
    ("Port", "22"),
    ("PermitRootLogin", "prohibit-password"),
    ("AuthenticationMethods", "any"),
    ("PubkeyAuthentication", "yes"),
    ("PasswordAuthentication", "yes"),
    ("KbdInteractiveAuthentication", "yes"),
    ("PermitEmptyPasswords", "no"),
    ("HostbasedAuthentication", "no"),
    ("GSSAPIAuthentication", "no"),
    ("UsePAM", "no"),
    ("AuthorizedKeysFile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("AuthorizedKeysCommand", "none"),
    ("TrustedUserCAKeys", "none"),
    ("AllowUsers", ""),
    ("AllowGroups", ""),
    ("DenyUsers", ""),
    ("DenyGroups", ""),
];

/// Services of PAM that let somebody in or become somebody else.
const SERVICES: &[&str] = &[
    "sshd",
    "login",
    "remote",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "polkit-1",
    "cockpit",
    "gdm-password",
    "lightdm",
    "vlock",
    "xrdp-sesman",
    "other",
];

pub(crate) fn sshd(stage: &Stage<'_>) -> Result<Option<(Sshd, Config)>, Error> {
    if let Some(version) = sshd::installed(stage)? {
        return read(stage, version, &version.to_string()).map(Some);
    }
    // rpm's images have no database that `installed` reads: the program is enough, with today's grammar.
    let there = stage.stat("/usr/sbin/sshd")?.is_some();
    if there { read(stage, sshd::NEWEST, "unknown").map(Some) } else { Ok(None) }
}

fn read(stage: &Stage<'_>, version: sshd::Version, shown: &str) -> Result<(Sshd, Config), Error> {
    let started = hardtack_login::service::started(stage)?;
    let config = Config::load_started(stage, version, &started.options, &started.file)?;
    let mut told = Sshd { version: shown.to_owned(), ..Sshd::default() };
    for (keyword, default) in DECIDING {
        let lines = config.global(keyword);
        let value = match lines.as_slice() {
            [] => (*default).to_owned(),
            lines => lines.iter().map(|line| line.value.as_str()).collect::<Vec<_>>().join(" "),
        };
        if !value.is_empty() {
            told.settings.insert(*keyword, value);
        }
    }
    for line in config.settings.iter().filter(|line| line.block.is_some()) {
        let block = line.block.and_then(|block| config.blocks.get(block));
        let criteria = block.map(|block| block.criteria.as_str()).unwrap_or_default();
        told.in_blocks.push(format!("Match {criteria}: {} {} ({})", line.written, line.value, line.place));
    }
    told.problems =
        config.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect();
    if let Some((what, file)) = started.fault {
        told.problems.push(format!("{file}: {what}"));
    }
    Ok((told, config))
}

pub(crate) fn pam(stage: &Stage<'_>) -> Vec<PamService> {
    let mut services = Vec::new();
    for name in SERVICES {
        let mut service = PamService { name: (*name).to_owned(), ..PamService::default() };
        match pam::service_path(stage, name) {
            Ok(None) => continue,
            Ok(Some(_)) => match asks_for_code(stage, name) {
                Ok(Some((code, password))) => {
                    (service.open, service.code, service.password) = (true, code, password)
                }
                Ok(None) => {}
                Err(error) => service.problem = Some(error.to_string()),
            },
            Err(error) => service.problem = Some(error.to_string()),
        }
        services.push(service);
    }
    services
}
