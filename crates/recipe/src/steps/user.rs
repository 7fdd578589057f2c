//! `user`: a login with a password and keys, by cloud-init where the image has it, else by hand.
//!
//! Where cloud-init makes the users, one snippet of its configuration (0600) carries the hash:
//! `hashed_passwd` is applied to an existing user too and goes to `chpasswd -e` by standard input,
//! while `passwd` acts on creation only and appears on a command line (cloudinit/distros,
//! `create_user`). `cloud.cfg` itself is never touched: it is a conffile.

mod cloud;

use hardtack_credentials::{AccountConfig, RandomPassword};
use hardtack_guest::accounts::{self, NewUser};
use hardtack_guest::ssh_keys::{AuthorizedKey, parse_keys};
use hardtack_guest::{GuestPath, Set};
use serde_yaml::{Mapping, Value};

use crate::model::{Password, UserStep};
use crate::{Context, StepError};
use cloud::{CloudInit, DefaultUser};

const STEP: &str = "user";
const SNIPPET: &str = "/etc/cloud/cloud.cfg.d/95-hardtack.cfg";
/// In shadow(5): no password is the right one.
const NO_PASSWORD: &str = "*";
const SNIPPET_HEAD: &str = "# Users of the image's recipe. Written by hardtack; a new build replaces it.\n";

/// Settles every user of the recipe.
pub fn apply(users: &[&UserStep], cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let mut ready = Vec::new();
    for user in users {
        ready.push(Ready { step: user, hash: hash(user, cx)?, keys: keys(user, cx)? });
    }
    if ready.is_empty() {
        return Ok(());
    }
    let cloud = CloudInit::of(cx)?;
    for user in ready.iter().filter(|user| user.random().is_some()) {
        lock(&user.step.name, cloud.is_some(), cx)?;
    }
    match &cloud {
        Some(cloud) => by_cloud_init(&ready, cloud, cx)?,
        None => {
            for user in &ready {
                by_hand(user, cx)?;
            }
        }
    }
    for user in ready {
        let account = account(user, cloud.as_ref().map(|cloud| &cloud.default));
        // One that an earlier build left is this recipe's now; those of other recipes stay.
        match cx.agent.accounts.iter_mut().find(|known| known.name == account.name) {
            Some(known) => *known = account,
            None => cx.agent.accounts.push(account),
        }
    }
    Ok(())
}

/// Takes away the password that the image has for a user who gets a random one, also a locked one,
/// which somebody may unlock: the agent makes one where there is none. `*` is what cloud-init may "unlock".
fn lock(name: &str, by_cloud: bool, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(field) = accounts::password_field(cx.stage, name)? else { return Ok(()) };
    let is_unset = !field.is_empty() && field.trim_start_matches(['!', '*']).is_empty();
    if !is_unset || by_cloud && !field.starts_with('*') {
        accounts::set_password_field(cx.stage, name, if by_cloud { NO_PASSWORD } else { "!" })?;
    }
    Ok(())
}

/// The same account for the agent, which makes it where cloud-init does not run (an image that is
/// booted without any data source). What the recipe leaves open is cloud-init's default user's.
fn account(user: Ready<'_>, default: Option<&DefaultUser>) -> AccountConfig {
    let step = user.step;
    let default = default.filter(|default| default.name == step.name).cloned().unwrap_or_default();
    AccountConfig {
        name: step.name.clone(),
        random_password: user.random().cloned(),
        password_hash: user.hash.unwrap_or_default(),
        gecos: step.gecos.clone().unwrap_or(default.gecos),
        shell: step.shell.clone().unwrap_or(default.shell),
        groups: if step.groups.is_empty() { default.groups } else { step.groups.clone() },
        sudo: step.sudo.clone().map_or(default.sudo, |rule| vec![rule]),
        authorized_keys: user.keys.into_iter().map(|key| key.line).collect(),
    }
}

struct Ready<'a> {
    step: &'a UserStep,
    hash: Option<String>,
    keys: Vec<AuthorizedKey>,
}

impl Ready<'_> {
    /// How the agent is to make the password, if it is.
    fn random(&self) -> Option<&RandomPassword> {
        match &self.step.password {
            Some(Password::Random(random)) => Some(random),
            _ => None,
        }
    }
}

fn hash(user: &UserStep, cx: &mut Context<'_, '_>) -> Result<Option<String>, StepError> {
    let hash = match &user.password {
        None => return Ok(None),
        Some(Password::Random(_)) => {
            let text = format!("the password of {} is made on each instance and printed there", user.name);
            cx.info(STEP, text);
            return Ok(None);
        }
        Some(Password::Hash(hash)) => {
            cx.warn(
                STEP,
                format!("the password of {} is fixed: the same for every instance of this image", user.name),
            );
            hash.reveal().to_owned()
        }
        Some(Password::Clear(password)) => {
            cx.warn(
                STEP,
                format!("the password of {} is fixed: the same for every instance of this image", user.name),
            );
            cx.stage.add_secret(password.reveal());
            match stored_hash(&user.name, cx)?.filter(|stored| accounts::verifies(password.reveal(), stored))
            {
                Some(stored) => stored,
                None => {
                    let uuid = cx.facts.root_uuid.clone().unwrap_or_default();
                    accounts::hash_password(password.reveal(), &uuid, &user.name).ok_or_else(|| {
                        StepError::usage(STEP, format!("the password of {} cannot be hashed", user.name))
                    })?
                }
            }
        }
    };
    cx.stage.add_secret(&hash);
    Ok(Some(hash))
}

/// The hash that the image holds for `name` already, in our snippet or in shadow.
fn stored_hash(name: &str, cx: &Context<'_, '_>) -> Result<Option<String>, StepError> {
    if let Some(text) = cx.stage.read_text(SNIPPET)? {
        let snippet: Value = serde_yaml::from_str(&text).unwrap_or(Value::Null);
        let default = &snippet["system_info"]["default_user"];
        let listed = snippet["users"].as_sequence().into_iter().flatten();
        for entry in std::iter::once(default).chain(listed) {
            if entry["name"].as_str() == Some(name)
                && let Some(hash) = entry["hashed_passwd"].as_str()
            {
                return Ok(Some(hash.to_owned()));
            }
        }
    }
    Ok(accounts::password_field(cx.stage, name)?)
}

fn keys(user: &UserStep, cx: &mut Context<'_, '_>) -> Result<Vec<AuthorizedKey>, StepError> {
    let mut keys: Vec<AuthorizedKey> = Vec::new();
    for source in &user.authorized_keys {
        let found = parse_keys(&source.origin, &source.text, user.allow_ca)
            .map_err(|error| StepError::usage(STEP, format!("authorized_keys of {}: {error}", user.name)))?;
        for key in found {
            if let Some(warning) = &key.warning {
                cx.warn(STEP, format!("{}: {warning}", source.origin));
            }
            if !keys.iter().any(|known| known.line == key.line) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

fn by_cloud_init(users: &[Ready<'_>], cloud: &CloudInit, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let mut snippet = Mapping::new();
    // Users of other recipes stay, in their order.
    let text = cx.stage.read_text(SNIPPET)?.unwrap_or_default();
    let earlier: Value = serde_yaml::from_str(&text).unwrap_or(Value::Null);
    let mut others = cloud.earlier(&earlier);
    let default = &earlier["system_info"]["default_user"];
    if default["name"].as_str() == Some(cloud.default.name.as_str()) {
        snippet.insert("system_info".into(), earlier["system_info"].clone());
    }
    for user in users {
        let mut entry = Mapping::new();
        entry.insert("name".into(), user.step.name.clone().into());
        if let Some(hash) = &user.hash {
            entry.insert("hashed_passwd".into(), hash.clone().into());
            entry.insert("lock_passwd".into(), false.into());
        } else if user.random().is_some() {
            // No password until the agent sets one, after the stage that makes users and before SSH.
            // Where cloud-init makes its users again (a new instance id, also that of an outage), `true`
            // would lock the one that the agent has made. `false` without any password is a warning
            // since 24.3, and so is `passwd` for somebody who is there already.
            if accounts::user(cx.stage, &user.step.name)?.is_none() {
                entry.insert("passwd".into(), NO_PASSWORD.into());
            }
            entry.insert("lock_passwd".into(), false.into());
        }
        if !user.keys.is_empty() {
            let lines: Vec<Value> = user.keys.iter().map(|key| key.line.clone().into()).collect();
            entry.insert("ssh_authorized_keys".into(), lines.into());
        }
        let step = user.step;
        let is_default = step.name == cloud.default.name;
        cloud.may_settle(step, is_default)?;
        for (key, value) in [("shell", &step.shell), ("gecos", &step.gecos)] {
            if let Some(value) = value {
                entry.insert(key.into(), value.clone().into());
            }
        }
        if !is_default && step.shell.is_none() {
            entry.insert("shell".into(), shell(cx)?.into());
        }
        if !step.groups.is_empty() {
            entry.insert("groups".into(), step.groups.join(", ").into());
        }
        if let Some(rule) = &step.sudo {
            entry.insert("sudo".into(), rule.clone().into());
        }
        if is_default {
            let mut info = Mapping::new();
            info.insert("default_user".into(), entry.into());
            snippet.insert("system_info".into(), info.into());
        } else {
            let entry = Value::from(entry);
            match others.iter_mut().find(|known| known["name"] == entry["name"]) {
                Some(known) => *known = entry,
                None => others.push(entry),
            }
        }
    }
    if !others.is_empty() {
        snippet.insert("users".into(), cloud.users_and(others).into());
        cx.info(
            STEP,
            "a `users:` list in user-data replaces the recipe's users that are not cloud-init's default user; those \
             that step mfa enrols are made by the agent all the same",
        );
    }
    let yaml = serde_yaml::to_string(&snippet)
        .map_err(|error| StepError::usage(STEP, format!("cannot be written as YAML: {error}")))?;
    cx.stage.write(SNIPPET, format!("{SNIPPET_HEAD}{yaml}"), Set::all(0o600, 0, 0))?;
    Ok(())
}

fn by_hand(user: &Ready<'_>, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let step = user.step;
    let shell = match &step.shell {
        Some(shell) => shell.clone(),
        None => shell(cx)?,
    };
    let new = NewUser { name: &step.name, gecos: step.gecos.as_deref().unwrap_or(""), shell: &shell };
    let account = accounts::add_user(cx.stage, &new)?;
    accounts::set_details(cx.stage, &step.name, step.gecos.as_deref(), step.shell.as_deref())?;
    if let Some(hash) = &user.hash {
        accounts::set_password_field(cx.stage, &step.name, hash)?;
    }
    for group in &step.groups {
        if accounts::group_id(cx.stage, group)?.is_none() {
            return Err(StepError::refused(
                STEP,
                format!("the image has no group `{group}` for {}", step.name),
            ));
        }
        accounts::add_member(cx.stage, group, &step.name)?;
    }
    if let Some(rule) = &step.sudo {
        // sudo reads no file whose name holds a dot; user names may hold one.
        let path = format!("/etc/sudoers.d/90-hardtack-{}", step.name.replace('.', "_"));
        cx.stage.write(&path, format!("{} {rule}\n", step.name), Set::all(0o440, 0, 0))?;
    }
    if user.keys.is_empty() {
        return Ok(());
    }
    let directory = GuestPath::new(&format!("{}/.ssh", account.home)).to_string();
    let owner = Some((account.uid, account.gid));
    if cx.stage.stat(&directory)?.is_none() {
        cx.stage.mkdir(&directory, Set { mode: Some(0o700), owner })?;
    }
    let file = format!("{directory}/authorized_keys");
    let mut text = cx.stage.read_text(&file)?.unwrap_or_default();
    for key in &user.keys {
        if !text.lines().any(|line| line == key.line) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&key.line);
            text.push('\n');
        }
    }
    let fresh = cx.stage.stat(&file)?.is_none();
    let set = if fresh { Set { mode: Some(0o600), owner } } else { Set::default() };
    cx.stage.write(&file, text, set)?;
    Ok(())
}

fn shell(cx: &Context<'_, '_>) -> Result<String, StepError> {
    let bash = cx.stage.stat("/bin/bash")?.is_some();
    Ok(if bash { "/bin/bash" } else { "/bin/sh" }.to_owned())
}

#[cfg(test)]
mod tests;
