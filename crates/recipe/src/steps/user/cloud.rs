//! What cloud-init's configuration in the image says about users.
//!
//! `/etc/cloud/cloud.cfg`, then `cloud.cfg.d/*.cfg` in the order of their names; a later file wins,
//! mappings are merged and lists are not (cloudinit/util.py, `read_conf_d`, `mergemanydict`). A
//! file that is read after our snippet can therefore undo it without a word.

use serde_yaml::Value;

use super::{SNIPPET, STEP};
use crate::model::{Password, UserStep};
use crate::{Context, StepError};

/// `system_info.default_user`, as far as it is needed here.
#[derive(Clone, Debug, Default)]
pub(super) struct DefaultUser {
    pub(super) name: String,
    pub(super) gecos: String,
    pub(super) shell: String,
    pub(super) groups: Vec<String>,
    pub(super) sudo: Vec<String>,
}

/// The configuration of an image whose users cloud-init makes.
pub(super) struct CloudInit {
    pub(super) default: DefaultUser,
    /// The `users` list without ours.
    users: Vec<Value>,
    files: Vec<File>,
}

struct File {
    path: String,
    config: Value,
}

impl File {
    /// True when it is read after our snippet, and wins.
    fn is_later(&self) -> bool {
        self.path.as_str() > SNIPPET
    }
}

impl CloudInit {
    /// `None` where cloud-init does not make the users.
    pub(super) fn of(cx: &Context<'_, '_>) -> Result<Option<Self>, StepError> {
        if cx.stage.stat("/usr/bin/cloud-init")?.is_none()
            || cx.stage.stat("/etc/cloud/cloud-init.disabled")?.is_some()
        {
            return Ok(None);
        }
        let mut paths = vec!["/etc/cloud/cloud.cfg".to_owned()];
        for entry in cx.stage.list("/etc/cloud/cloud.cfg.d")? {
            let path = format!("/etc/cloud/cloud.cfg.d/{}", entry.name);
            if entry.name.ends_with(".cfg") && path != SNIPPET {
                paths.push(path);
            }
        }
        let mut found =
            Self { default: DefaultUser::default(), users: vec![Value::from("default")], files: Vec::new() };
        for path in paths {
            let Some(text) = cx.stage.read_text(&path)? else { continue };
            // A file that cloud-init cannot read either says nothing about users.
            let config: Value = serde_yaml::from_str(&text).unwrap_or(Value::Null);
            found.take(&config);
            found.files.push(File { path, config });
        }
        Ok(Some(found))
    }

    fn take(&mut self, config: &Value) {
        let user = &mut self.default;
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
        match &config["users"] {
            Value::Sequence(list) => self.users.clone_from(list),
            Value::String(text) => {
                self.users = text.split(',').map(|name| Value::from(name.trim())).collect();
            }
            _ => {}
        }
    }

    /// The image's list of users with `others` in it: our list replaces the image's.
    pub(super) fn users_and(&self, others: Vec<Value>) -> Vec<Value> {
        let name = |user: &Value| user["name"].as_str().or(user.as_str()).map(str::to_owned);
        let ours: Vec<_> = others.iter().map(name).collect();
        self.users.iter().filter(|user| !ours.contains(&name(user))).cloned().chain(others).collect()
    }

    /// Users that an earlier build has put into `snippet`.
    pub(super) fn earlier(&self, snippet: &Value) -> Vec<Value> {
        let listed = snippet["users"].as_sequence().into_iter().flatten();
        listed.filter(|user| user["name"].is_string() && !self.users.contains(user)).cloned().collect()
    }

    /// Refuses what would be undone at first boot.
    pub(super) fn may_settle(&self, user: &UserStep, is_default: bool) -> Result<(), StepError> {
        let random = matches!(user.password, Some(Password::Random(_)));
        for file in &self.files {
            let found = &file.config["system_info"]["default_user"];
            let locks = found["lock_passwd"].as_bool() == Some(true) && user.password.is_some();
            let set = ["hashed_passwd", "plain_text_passwd"].into_iter().find(|key| !found[*key].is_null());
            if let Some(key) = set.filter(|_| random && is_default) {
                let text = format!("{} sets `{key}` of its default user", file.path);
                let what = format!("{text}, and the password of {} is made on each instance", user.name);
                return Err(StepError::refused(STEP, what).hint("take it out of that file"));
            }
            let hash = (user.password.is_some() && !found["hashed_passwd"].is_null())
                .then_some("`hashed_passwd` of its default user");
            let keys = (!user.authorized_keys.is_empty() && !found["ssh_authorized_keys"].is_null())
                .then_some("`ssh_authorized_keys` of its default user");
            let later = if is_default {
                locks.then_some("`lock_passwd` of its default user").or(hash).or(keys)
            } else {
                (!file.config["users"].is_null()).then_some("`users`")
            };
            if let Some(what) = later.filter(|_| file.is_later()) {
                let text = format!("{} sets {what} and is read after {SNIPPET}", file.path);
                return Err(StepError::refused(STEP, format!("{text}: {} would not be as asked", user.name))
                    .hint("give that file a name that sorts before 95, or take the setting out of it"));
            }
            let sets = user.password.is_some().then(|| sets_password(&file.config, &user.name, is_default));
            if let Some(what) = sets.flatten() {
                let text = format!("{} sets {what}, which replaces the password of {}", file.path, user.name);
                return Err(StepError::refused(STEP, text).hint("take it out of that file"));
            }
        }
        Ok(())
    }
}

/// cloud-init's module set_passwords runs after the users were made, and has the last word.
fn sets_password(config: &Value, name: &str, is_default: bool) -> Option<&'static str> {
    if is_default && !config["password"].is_null() {
        return Some("`password`");
    }
    let change = &config["chpasswd"];
    let listed = change["users"].as_sequence().into_iter().flatten().any(|user| user["name"] == *name);
    let lines = words(&change["list"], false);
    let line = |line: &str| line.split_once(':').is_some_and(|(user, _)| user.trim() == name);
    (listed || lines.iter().flat_map(|text| text.lines()).any(line)).then_some("`chpasswd`")
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
