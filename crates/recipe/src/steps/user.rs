//! `user`: a login with a password and keys, by cloud-init where the image has it, else by hand.
//!
//! Where cloud-init makes the users, one snippet of its configuration (0600) carries the hash:
//! `hashed_passwd` is applied to an existing user too and goes to `chpasswd -e` by standard input,
//! while `passwd` acts on creation only and appears on a command line (cloudinit/distros,
//! `create_user`). `cloud.cfg` itself is never touched: it is a conffile.

use hardtack_credentials::AccountConfig;
use hardtack_guest::accounts::{self, NewUser};
use hardtack_guest::ssh_keys::{AuthorizedKey, parse_keys};
use hardtack_guest::{GuestPath, Set};
use serde_yaml::{Mapping, Value};

use crate::model::{Password, UserStep};
use crate::{Context, StepError};

const STEP: &str = "user";
const SNIPPET: &str = "/etc/cloud/cloud.cfg.d/95-hardtack.cfg";
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
    let default = default_user(cx)?;
    match &default {
        Some(default) => by_cloud_init(&ready, default, cx)?,
        None => {
            for user in &ready {
                by_hand(user, cx)?;
            }
        }
    }
    for user in ready {
        cx.agent.accounts.push(account(user, default.as_ref()));
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
        password_hash: user.hash.unwrap_or_default(),
        gecos: step.gecos.clone().unwrap_or(default.gecos),
        shell: step.shell.clone().unwrap_or(default.shell),
        groups: if step.groups.is_empty() { default.groups } else { step.groups.clone() },
        sudo: step.sudo.clone().map_or(default.sudo, |rule| vec![rule]),
        authorized_keys: user.keys.into_iter().map(|key| key.line).collect(),
    }
}

/// `system_info.default_user` of cloud-init's configuration, as far as it is needed here.
#[derive(Clone, Debug, Default)]
struct DefaultUser {
    name: String,
    gecos: String,
    shell: String,
    groups: Vec<String>,
    sudo: Vec<String>,
}

struct Ready<'a> {
    step: &'a UserStep,
    hash: Option<String>,
    keys: Vec<AuthorizedKey>,
}

fn hash(user: &UserStep, cx: &mut Context<'_, '_>) -> Result<Option<String>, StepError> {
    let hash = match &user.password {
        None => return Ok(None),
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

/// cloud-init's default user; `None` where cloud-init does not make the users.
fn default_user(cx: &Context<'_, '_>) -> Result<Option<DefaultUser>, StepError> {
    if cx.stage.stat("/usr/bin/cloud-init")?.is_none()
        || cx.stage.stat("/etc/cloud/cloud-init.disabled")?.is_some()
    {
        return Ok(None);
    }
    let mut files = vec!["/etc/cloud/cloud.cfg".to_owned()];
    for entry in cx.stage.list("/etc/cloud/cloud.cfg.d")? {
        let path = format!("/etc/cloud/cloud.cfg.d/{}", entry.name);
        if entry.name.ends_with(".cfg") && path != SNIPPET {
            files.push(path);
        }
    }
    let mut user = DefaultUser::default();
    for file in files {
        let Some(text) = cx.stage.read_text(&file)? else { continue };
        // A file that cloud-init cannot read either says nothing about the user.
        let config: Value = serde_yaml::from_str(&text).unwrap_or(Value::Null);
        let found = &config["system_info"]["default_user"];
        for (key, field) in [("name", &mut user.name), ("gecos", &mut user.gecos), ("shell", &mut user.shell)]
        {
            if let Some(text) = found[key].as_str() {
                text.clone_into(field);
            }
        }
        for (key, field) in [("groups", &mut user.groups), ("sudo", &mut user.sudo)] {
            if !found[key].is_null() {
                *field = words(&found[key], key == "groups");
            }
        }
    }
    Ok(Some(user))
}

/// A list of texts, or one text; groups may also be separated by commas.
fn words(value: &Value, commas: bool) -> Vec<String> {
    match value {
        Value::Sequence(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) if commas => text.split(',').map(|word| word.trim().to_owned()).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn by_cloud_init(
    users: &[Ready<'_>],
    default: &DefaultUser,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let mut snippet = Mapping::new();
    let mut others = Vec::new();
    for user in users {
        let mut entry = Mapping::new();
        entry.insert("name".into(), user.step.name.clone().into());
        if let Some(hash) = &user.hash {
            entry.insert("hashed_passwd".into(), hash.clone().into());
            entry.insert("lock_passwd".into(), false.into());
        }
        if !user.keys.is_empty() {
            let lines: Vec<Value> = user.keys.iter().map(|key| key.line.clone().into()).collect();
            entry.insert("ssh_authorized_keys".into(), lines.into());
        }
        let step = user.step;
        let is_default = step.name == default.name;
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
            others.push(Value::from(entry));
        }
    }
    if !others.is_empty() {
        let list: Vec<Value> = std::iter::once(Value::from("default")).chain(others).collect();
        snippet.insert("users".into(), list.into());
        cx.info(
            STEP,
            "a `users:` list in user-data replaces the recipe's users that are not cloud-init's default user",
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
        let path = format!("/etc/sudoers.d/90-hardtack-{}", step.name);
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::{MemoryTree, Stage};

    use super::*;
    use crate::model::KeySource;
    use crate::secret::Secret;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAsPz8Kb4Ckw5Ga4v+PIPkDvgTnYKQkGJpYyZ0B me";

    fn step() -> UserStep {
        UserStep {
            name: "debian".to_owned(),
            password: Some(Password::Clear(Secret::new("correct horse"))),
            authorized_keys: vec![KeySource { origin: "id.pub".to_owned(), text: KEY.into() }],
            ..UserStep::default()
        }
    }

    fn run<'t>(stage: &mut Stage<'t>) {
        let mut cx = Context::for_tests(stage);
        let step = step();
        apply(&[&step], &mut cx).unwrap();
        assert!(cx.notes.iter().any(|note| note.text.contains("the same for every instance")));
        assert!(cx.notes.iter().all(|note| !note.text.contains("correct horse")));
    }

    #[test]
    fn with_cloud_init_one_snippet_carries_the_hash() {
        let tree = MemoryTree::new().file("/usr/bin/cloud-init", "").file(
            "/etc/cloud/cloud.cfg",
            "users:\n - default\nsystem_info:\n  default_user:\n    name: debian\n",
        );
        let mut stage = Stage::new(&tree);
        run(&mut stage);
        let text = stage.read_text(SNIPPET).unwrap().unwrap();
        let yaml: Value = serde_yaml::from_str(&text).unwrap();
        let user = &yaml["system_info"]["default_user"];
        assert!(accounts::verifies("correct horse", user["hashed_passwd"].as_str().unwrap()));
        assert_eq!(user["lock_passwd"].as_bool(), Some(false));
        assert_eq!(user["ssh_authorized_keys"][0].as_str(), Some(KEY));
        assert_eq!(stage.stat(SNIPPET).unwrap().unwrap().mode, 0o600);
        assert_eq!(stage.changes().unwrap().len(), 2, "the snippet and its directory");
    }

    #[test]
    fn a_hash_that_verifies_is_kept() {
        let stored = accounts::hash_password("correct horse", "another image", "debian").unwrap();
        let tree = MemoryTree::new()
            .file("/etc/passwd", "debian:x:1000:1000::/home/debian:/bin/bash\n")
            .file("/etc/shadow", format!("debian:{stored}:1:0:99999:7:::\n"))
            .file("/etc/group", "debian:x:1000:\n")
            .file_as("/home/debian/.ssh/authorized_keys", format!("{KEY}\n"), 0o600, 1000, 1000);
        let mut stage = Stage::new(&tree);
        run(&mut stage);
        assert!(stage.changes().unwrap().is_empty());
    }

    #[test]
    fn without_cloud_init_the_account_is_made() {
        let tree = MemoryTree::new().file("/etc/passwd", "").file("/etc/shadow", "").file("/etc/group", "");
        let mut stage = Stage::new(&tree);
        run(&mut stage);
        let account = accounts::user(&stage, "debian").unwrap().unwrap();
        let field = accounts::password_field(&stage, "debian").unwrap().unwrap();
        assert!(accounts::verifies("correct horse", &field));
        let keys = stage.stat("/home/debian/.ssh/authorized_keys").unwrap().unwrap();
        assert_eq!((keys.mode, keys.uid, keys.gid), (0o600, account.uid, account.gid));
        let mut again = Vec::new();
        let mut second = Context::for_tests(&mut stage);
        let step = step();
        apply(&[&step], &mut second).unwrap();
        again.append(&mut second.notes);
        assert!(again.iter().all(|note| note.step == STEP));
    }
}
