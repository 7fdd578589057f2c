//! After all steps: is what they promise still true, and can anybody log in?

use hardtack_guest::accounts::{self, User};
use hardtack_guest::sshd::{self, Config, Connection, in_pattern_list};
use hardtack_guest::{FileType, Stage};
use serde_yaml::Value;

use crate::model::{Factor, MfaStep, Others, Recipe};
use crate::steps;
use crate::{Context, StepError};

const STEP: &str = "mfa";

/// Evaluates sshd and PAM once more (a `files` entry may have undone a step) and looks for a user
/// that can log in over SSH. `kept` is what an earlier build demands of logins, where the recipe does not.
///
/// # Errors
/// Something does not hold any more, or nobody could log in.
pub(crate) fn check(
    recipe: &Recipe,
    kept: Option<&MfaStep>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if let Some(step) = recipe.mfa() {
        steps::mfa::prove(step, cx)?;
    }
    let mfa = recipe.mfa().or(kept);
    if let Some(step) = recipe.sshd() {
        steps::sshd::prove(step, mfa, cx)?;
    }
    if let Some(promise) = cx.agent.promise.clone() {
        steps::mfa::refuse_weakness(&promise, cx)?;
    }
    match mfa {
        Some(step) => {
            let enrols = kept.is_some() || recipe.agent().is_some() || cx.agent.packages.is_some();
            somebody(step, enrols, cx)
        }
        None if recipe.sshd().is_some() => some_method(cx),
        None => Ok(()),
    }
}

/// Without factors only what shuts every door is certain: users may come with the launch.
fn some_method(cx: &Context<'_, '_>) -> Result<(), StepError> {
    let Some(version) = sshd::installed(cx.stage)? else { return Ok(()) };
    let config = Config::load(cx.stage, version)?;
    let methods = [
        "PubkeyAuthentication",
        "PasswordAuthentication",
        "KbdInteractiveAuthentication",
        "ChallengeResponseAuthentication",
        "GSSAPIAuthentication",
        "HostbasedAuthentication",
    ];
    let off = |name: &str| {
        let lines = config.global(name);
        match lines.first() {
            Some(line) => line.words == ["no"],
            None => matches!(name, "GSSAPIAuthentication" | "HostbasedAuthentication"),
        }
    };
    if methods.iter().all(|name| off(name)) {
        return Err(StepError::refused("sshd", "every authentication method is off: nobody could log in"));
    }
    Ok(())
}

fn somebody(step: &MfaStep, enrols: bool, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(version) = sshd::installed(cx.stage)? else { return Ok(()) };
    let config = Config::load(cx.stage, version)?;
    let guest = Guest { default_user: cloud_default_user(cx.stage)?, config };
    let mut open = false;
    let mut reasons = Vec::new();
    for name in &step.users {
        let found = obstacles(name, &step.factors, enrols, &guest, cx)?;
        open |= found.is_empty();
        if let Some(first) = found.first() {
            reasons.push(format!("{name}: {first}"));
        }
    }
    if !open && step.others != Others::Refuse {
        let factors = if step.others == Others::Publickey { &[Factor::Publickey][..] } else { &step.factors };
        let mut names: Vec<String> = accounts::users(cx.stage)?.into_iter().map(|user| user.name).collect();
        names.extend(guest.default_user.clone());
        names.retain(|name| !step.users.contains(name));
        for name in names {
            open |= obstacles(&name, factors, enrols, &guest, cx)?.is_empty();
        }
    }
    if !open {
        let what = format!("nobody could log in: {}", reasons.join("; "));
        return Err(StepError::refused(STEP, what)
            .hint("give one user everything that it is asked for (steps user and agent)"));
    }
    for reason in reasons {
        cx.warn(STEP, format!("cannot log in over SSH: {reason}"));
    }
    let launch = step.users.iter().filter(|name| Some(*name) == guest.default_user.as_ref());
    for name in launch.cloned().collect::<Vec<_>>() {
        if step.factors.contains(&Factor::Publickey) && !has_key(&name, &guest, cx)? {
            cx.info(STEP, format!("the key of {name} must come with the launch: the image has none"));
        }
    }
    Ok(())
}

struct Guest {
    /// The user that cloud-init makes and gives the launch's keys to.
    default_user: Option<String>,
    config: Config,
}

/// Why `name` cannot log in over SSH with `factors`; empty: it can.
fn obstacles(
    name: &str,
    factors: &[Factor],
    enrols: bool,
    guest: &Guest,
    cx: &Context<'_, '_>,
) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    let user = accounts::user(cx.stage, name)?;
    let account = cx.agent.accounts.iter().find(|account| account.name == name);
    let shell = match (account, &user) {
        (Some(account), _) if !account.shell.is_empty() => account.shell.as_str(),
        (_, Some(user)) => user.shell.as_str(),
        _ => "",
    };
    if ["nologin", "false"].iter().any(|word| shell.rsplit('/').next() == Some(*word)) {
        found.push(format!("its shell is {shell}"));
    } else if !shell.is_empty() && cx.stage.stat(shell)?.is_none() {
        found.push(format!("its shell {shell} is not in the image"));
    }
    if expired(cx, name)? {
        found.push("the account is expired".to_owned());
    }
    let launched = guest.default_user.as_deref() == Some(name);
    if factors.contains(&Factor::Password) {
        let made = account
            .is_some_and(|account| !account.password_hash.is_empty() || account.random_password.is_some());
        let stored = accounts::password_field(cx.stage, name)?.unwrap_or_default();
        if !made && launched {
            found.push("it has no password: cloud-init locks that of its default user".to_owned());
        } else if !made && (stored.is_empty() || stored.starts_with(['!', '*']) || stored == "x") {
            found.push("it has no password".to_owned());
        }
    }
    if factors.contains(&Factor::Publickey) && !launched && !has_key(name, guest, cx)? {
        found.push("it has no SSH key".to_owned());
    }
    if factors.contains(&Factor::Totp) && !enrols {
        let home = user.as_ref().map_or_else(|| format!("/home/{name}"), |user| user.home.clone());
        if cx.stage.stat(&format!("{home}/.google_authenticator"))?.is_none() {
            found.push("nothing enrols it: the recipe has no agent step".to_owned());
        }
    }
    found.extend(shut_out(name, user.as_ref(), factors, guest, cx)?);
    Ok(found)
}

/// Days since 1970 in the eighth field of shadow(5).
fn expired(cx: &Context<'_, '_>, name: &str) -> Result<bool, StepError> {
    let shadow = cx.stage.read("/etc/shadow")?.unwrap_or_default();
    let shadow = String::from_utf8_lossy(&shadow);
    let days = shadow.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.first() == Some(&name)).then(|| fields.get(7)?.parse::<i64>().ok()).flatten()
    });
    // Without a clock only "for ever" counts (chage -E 0).
    Ok(days.is_some_and(|days| days <= 1 || days.saturating_mul(86_400) <= cx.epoch))
}

/// Whether the image, or a step, brings a key that sshd looks at.
fn has_key(name: &str, guest: &Guest, cx: &Context<'_, '_>) -> Result<bool, StepError> {
    let connection = Connection { user: Some(name.to_owned()), ..Connection::default() };
    let from_step = cx.agent.accounts.iter().any(|a| a.name == name && !a.authorized_keys.is_empty());
    // cloud-init asks sshd_config where keys go; by hand they go to the usual file.
    if from_step
        && (guest.default_user.is_some()
            || key_files(name, &guest.config).iter().any(|p| p.ends_with(".ssh/authorized_keys")))
    {
        return Ok(true);
    }
    let command = guest.config.for_connection("AuthorizedKeysCommand", &connection);
    if command.first().is_some_and(|setting| setting.value != "none") {
        return Ok(true);
    }
    Ok(!image_keys(name, &guest.config, cx)?.is_empty())
}

/// `AuthorizedKeysFile` for `name`, as it is written.
fn key_files(name: &str, config: &Config) -> Vec<String> {
    let connection = Connection { user: Some(name.to_owned()), ..Connection::default() };
    match config.for_connection("AuthorizedKeysFile", &connection).first() {
        Some(setting) => setting.words.clone(),
        None => [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).to_vec(),
    }
}

/// The lines of the files of the image in which sshd looks for keys of `name`, without comments.
pub(crate) fn image_keys(
    name: &str,
    config: &Config,
    cx: &Context<'_, '_>,
) -> Result<Vec<String>, StepError> {
    let home = accounts::user(cx.stage, name)?.map_or_else(|| format!("/home/{name}"), |user| user.home);
    let mut lines = Vec::new();
    for pattern in key_files(name, config) {
        let path = pattern.replace("%h", &home).replace("%u", name).replace("%%", "%");
        let path = if path.starts_with('/') { path } else { format!("{home}/{path}") };
        let is_file = cx.stage.stat(&path)?.is_some_and(|found| found.kind == FileType::Regular);
        let text = if is_file { cx.stage.read(&path)?.unwrap_or_default() } else { Vec::new() };
        let text = String::from_utf8_lossy(&text);
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(keys.map(str::to_owned));
    }
    Ok(lines)
}

/// AllowUsers and its kin, and root's own switch.
fn shut_out(
    name: &str,
    user: Option<&User>,
    factors: &[Factor],
    guest: &Guest,
    cx: &Context<'_, '_>,
) -> Result<Vec<String>, StepError> {
    let groups = groups(name, user, cx)?;
    let connection =
        Connection { user: Some(name.to_owned()), groups: groups.clone(), ..Connection::default() };
    let lines = |keyword: &str| guest.config.for_connection(keyword, &connection);
    let mut found = Vec::new();
    // `user@host`: the host is not known here, so it is taken to match in Allow and not in Deny.
    let user_matches = |word: &str, host_matches: bool| match word.split_once('@') {
        Some((user, _)) => host_matches && in_pattern_list(name, user),
        None => in_pattern_list(name, word),
    };
    for (keyword, deny, by_group) in [
        ("DenyUsers", true, false),
        ("AllowUsers", false, false),
        ("DenyGroups", true, true),
        ("AllowGroups", false, true),
    ] {
        let lines = lines(keyword);
        let Some(first) = lines.first() else { continue };
        let matched = lines.iter().flat_map(|line| &line.words).any(|word| {
            if by_group {
                groups.iter().any(|group| in_pattern_list(group, word))
            } else {
                user_matches(word, !deny)
            }
        });
        if matched == deny {
            found.push(format!("{keyword} ({}) shuts it out", first.place));
        }
    }
    let is_root = user.map_or(name == "root", |user| user.uid == 0);
    if is_root {
        let lines = lines("PermitRootLogin");
        let value = lines.first().map_or("prohibit-password", |line| line.value.as_str());
        let key_only = factors == [Factor::Publickey];
        let good = value.eq_ignore_ascii_case("yes")
            || (key_only && ["prohibit-password", "without-password"].contains(&value));
        if !good {
            found.push(format!("PermitRootLogin is {value}"));
        }
    }
    Ok(found)
}

fn groups(name: &str, user: Option<&User>, cx: &Context<'_, '_>) -> Result<Vec<String>, StepError> {
    let text = cx.stage.read("/etc/group")?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut groups = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [group, _, id, members] = fields[..] else { continue };
        let own = user.is_some_and(|user| id.parse() == Ok(user.gid));
        if own || members.split(',').any(|member| member == name) {
            groups.push(group.to_owned());
        }
    }
    for account in cx.agent.accounts.iter().filter(|account| account.name == name) {
        groups.extend(account.groups.iter().cloned());
    }
    if user.is_none() {
        groups.push(name.to_owned());
    }
    Ok(groups)
}

/// `system_info.default_user.name`; `None` where cloud-init does not make that user.
fn cloud_default_user(stage: &Stage<'_>) -> Result<Option<String>, StepError> {
    if stage.stat("/usr/bin/cloud-init")?.is_none() || stage.stat("/etc/cloud/cloud-init.disabled")?.is_some()
    {
        return Ok(None);
    }
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    let directory = "/etc/cloud/cloud.cfg.d";
    if stage.stat(directory)?.is_some() {
        let entries = stage.list(directory)?;
        let names = entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".cfg"));
        files.extend(names.map(|name| format!("{directory}/{name}")));
    }
    let (mut name, mut wanted) = (None, true);
    for file in files {
        let text = stage.read(&file)?.unwrap_or_default();
        let value: Value = serde_yaml::from_slice(&text).unwrap_or(Value::Null);
        if let Some(found) = value["system_info"]["default_user"]["name"].as_str() {
            name = Some(found.to_owned());
        }
        if let Some(users) = value["users"].as_sequence() {
            wanted = users.iter().any(|user| user.as_str() == Some("default"));
        }
    }
    Ok(name.filter(|_| wanted))
}

#[cfg(test)]
mod tests;
