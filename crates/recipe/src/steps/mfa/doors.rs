//! Every way in that asks for less: one sentence each, short enough for a console.

use hardtack_credentials::AccountConfig;
use hardtack_guest::accounts;

use crate::model::{Console, MfaStep, Others, Scope};
use crate::{Context, StepError};

/// Longest sentence, so that the list fits on a console of 80 columns.
const WIDTH: usize = 78;

/// Services of `/etc/pam.d` that prove nobody's identity, or that have a sentence of their own.
const QUIET: &[&str] = &[
    "atd",
    "chfn",
    "chpasswd",
    "chsh",
    "cron",
    "crond",
    "login",
    "newusers",
    "other",
    "passwd",
    "ppp",
    "remote",
    "runuser",
    "runuser-l",
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "systemd-user",
    "useradd",
    "userdel",
    "usermod",
];

/// What sudo asks of those whom it lets do all.
pub(super) const FREE: &str = "for nothing (NOPASSWD)";
/// Whom cloud-init makes.
pub(super) const CLOUD_USER: &str = "cloud-init's user";

/// The first boot gives a user a rule of sudo without a password.
pub(super) fn asks_nothing(account: &AccountConfig) -> bool {
    account.sudo.iter().any(|rule| rule.contains("NOPASSWD"))
}

pub(super) fn find(step: &MfaStep, cx: &Context<'_, '_>) -> Result<Vec<String>, StepError> {
    let mut doors = Vec::new();
    console(step, cx, &mut doors)?;
    if step.others == Others::Publickey {
        doors.push("SSH: users that are not listed log in with their key alone".to_owned());
    }
    if step.scope == Scope::Sshd {
        if exists(cx, "/etc/pam.d/su")? {
            doors.push("su asks for the password only".to_owned());
        }
        other_services(cx, &mut doors)?;
    }
    sudo(step, cx, &mut doors)?;
    if boot_loader_is_open(cx)? {
        doors.push("GRUB's editor on the console: a root shell for whoever types there".to_owned());
    }
    if root_has_password(cx)? {
        doors.push("emergency mode on the console asks for root's password only".to_owned());
    }
    for (path, name) in [
        ("/usr/sbin/dropbear", "dropbear"),
        ("/usr/sbin/tinysshd", "tinysshd"),
        ("/usr/sbin/in.telnetd", "telnetd"),
    ] {
        if exists(cx, path)? {
            doors.push(format!("{name} is installed: another way in that knows no codes"));
        }
    }
    if step.others == Others::Refuse {
        for user in accounts::users(cx.stage)? {
            let secret = format!("{}/.google_authenticator", user.home.trim_end_matches('/'));
            if !step.users.contains(&user.name) && user.home.starts_with('/') && exists(cx, &secret)? {
                doors.push(format!("{} is not listed, but the image has a secret for it", user.name));
            }
        }
    }
    Ok(doors.into_iter().map(|door| door.chars().take(WIDTH).collect()).collect())
}

fn exists(cx: &Context<'_, '_>, path: &str) -> Result<bool, StepError> {
    Ok(cx.stage.stat(path)?.is_some())
}

fn text(cx: &Context<'_, '_>, path: &str) -> Result<String, StepError> {
    let file = cx.stage.stat(path)?.is_some_and(|found| found.kind == hardtack_guest::FileType::Regular);
    let bytes = if file { cx.stage.read(path)?.unwrap_or_default() } else { Vec::new() };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of all files of a directory that are no comments.
fn lines_below(cx: &Context<'_, '_>, directory: &str) -> Result<Vec<String>, StepError> {
    let mut lines = Vec::new();
    if cx.stage.stat(directory)?.is_some_and(|found| found.kind == hardtack_guest::FileType::Directory) {
        for entry in cx.stage.list(directory)? {
            let text = text(cx, &format!("{directory}/{}", entry.name))?;
            lines
                .extend(text.lines().map(str::trim).filter(|line| !line.starts_with('#')).map(str::to_owned));
        }
    }
    Ok(lines)
}

fn console(step: &MfaStep, cx: &Context<'_, '_>, doors: &mut Vec<String>) -> Result<(), StepError> {
    if step.console == Console::Password && exists(cx, "/etc/pam.d/login")? {
        doors.push("console logins (serial, VGA) ask for the password only".to_owned());
    }
    for directory in ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
        if !exists(cx, directory)? {
            continue;
        }
        for unit in cx.stage.list(directory)?.into_iter().filter(|entry| entry.name.contains("getty@")) {
            let path = format!("{directory}/{}", unit.name);
            let mut lines = lines_below(cx, &path)?;
            lines.extend(text(cx, &path)?.lines().map(str::to_owned));
            let auto = lines.iter().any(|line| line.starts_with("ExecStart") && line.contains("autologin"));
            if auto && step.console != Console::Locked {
                doors.push(format!("{} logs somebody in without asking", unit.name.trim_end_matches(".d")));
            }
        }
    }
    Ok(())
}

/// Display managers, cockpit, FTP servers and the like.
fn other_services(cx: &Context<'_, '_>, doors: &mut Vec<String>) -> Result<(), StepError> {
    if !exists(cx, "/etc/pam.d")? {
        return Ok(());
    }
    // What a package brought and a diversion put aside is no program's service.
    let aside = hardtack_guest::dpkg::diversions::diversions(cx.stage)?;
    for entry in cx.stage.list("/etc/pam.d")? {
        let name = entry.name;
        if aside.iter().any(|known| known.to.strip_prefix("/etc/pam.d/") == Some(&name)) {
            continue;
        }
        if QUIET.contains(&name.as_str())
            || name.starts_with("common-")
            || name.contains(".pam-")
            || name.contains(".dpkg-")
        {
            continue;
        }
        let text = text(cx, &format!("/etc/pam.d/{name}"))?;
        let asks = hardtack_guest::pam::parse(&text).iter().any(|line| match &line.entry {
            hardtack_guest::pam::Entry::Include { service, .. } => {
                matches!(service.as_str(), "common-auth" | "password-auth" | "system-auth")
            }
            hardtack_guest::pam::Entry::Module { module, .. } => module.ends_with("pam_unix.so"),
        });
        if asks && !text.contains("pam_google_authenticator") {
            doors.push(format!("{name} (PAM service) asks for the password only"));
        }
    }
    Ok(())
}

fn sudo(step: &MfaStep, cx: &Context<'_, '_>, doors: &mut Vec<String>) -> Result<(), StepError> {
    if !exists(cx, "/usr/bin/sudo")? && !exists(cx, "/etc/sudoers")? {
        return Ok(());
    }
    let mut rules: Vec<String> = text(cx, "/etc/sudoers")?
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    rules.extend(lines_below(cx, "/etc/sudoers.d")?);
    let mut free: Vec<String> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.contains("NOPASSWD")) {
        free.extend(rule.split_whitespace().next().map(str::to_owned));
    }
    for account in &cx.agent.accounts {
        if asks_nothing(account) {
            free.push(account.name.clone());
        }
    }
    let mut cloud = text(cx, "/etc/cloud/cloud.cfg")?.lines().map(str::to_owned).collect::<Vec<_>>();
    cloud.extend(lines_below(cx, "/etc/cloud/cloud.cfg.d")?);
    if free.is_empty()
        && cloud.iter().any(|line| !line.trim_start().starts_with('#') && line.contains("NOPASSWD"))
    {
        free.push(CLOUD_USER.to_owned());
    }
    free.sort();
    free.dedup();
    if !free.is_empty() {
        doors.push(format!("sudo asks {} {FREE}", free.join(", ")));
    } else if step.scope == Scope::Sshd {
        doors.push("sudo asks for the password only".to_owned());
    }
    Ok(())
}

fn boot_loader_is_open(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    for path in ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/menu.lst", "/etc/default/grub"] {
        let text = text(cx, path)?;
        if !text.is_empty() {
            return Ok(path.ends_with("default/grub") || !text.contains("superusers"));
        }
    }
    Ok(false)
}

fn root_has_password(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    Ok(accounts::password_field(cx.stage, "root")?.is_some_and(|field| !field.starts_with(['!', '*'])))
}
