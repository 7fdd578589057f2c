//! Who could log in, before something is written that only keeps people out.

use hardtack_guest::sshd::{self, Config, Connection, Version};
use hardtack_guest::{FileType, Stage, accounts};

use crate::{Bench, Error, cloud};

const SECONDS_OF_A_DAY: i64 = 86_400;

/// An account that the image has not yet, and that the machine makes at its first boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// It comes with an SSH key.
    pub key: bool,
    /// It has a password.
    pub password: bool,
    /// It may use sudo.
    pub sudo: bool,
}

/// Somebody who can have a shell: not expired, and its shell is one.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    pub(crate) is_root: bool,
    pub(crate) key: bool,
    pub(crate) password: bool,
    /// It is known for one who may use sudo, whatever its groups.
    pub(crate) sudo: bool,
}

impl Person {
    /// It has something to log in with.
    pub(crate) fn has_a_way(&self) -> bool {
        self.key || self.password
    }
}

/// Everybody, cloud-init's default user (whose key comes with the launch) and newcomers included.
pub(crate) fn everybody(bench: &Bench<'_, '_>) -> Result<Vec<Person>, Error> {
    let stage = &*bench.stage;
    let mut people = in_image(stage, bench.epoch)?;
    if cloud::is_there(stage)? {
        let user = cloud::default_user(stage, "")?;
        people.push(Person {
            name: user.name.unwrap_or_else(|| "the default user".to_owned()),
            groups: user.groups,
            is_root: false,
            key: true,
            password: false,
            sudo: false,
        });
    }
    people.extend(bench.newcomers.iter().map(|new| Person {
        name: new.name.clone(),
        groups: new.groups.clone(),
        is_root: new.name == "root",
        key: new.key,
        password: new.password,
        sudo: new.sudo,
    }));
    Ok(people)
}

/// Those whom the image has.
pub(crate) fn in_image(stage: &Stage<'_>, epoch: i64) -> Result<Vec<Person>, Error> {
    let shadow = lossy(stage, "/etc/shadow")?;
    let group = lossy(stage, "/etc/group")?;
    let config = Config::load(stage, sshd::installed(stage)?.unwrap_or(Version::UNKNOWN))?;
    let mut people = Vec::new();
    for user in accounts::users(stage)? {
        let shell = user.shell.rsplit('/').next().unwrap_or_default();
        let fields: Vec<&str> = shadow
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields[0] == user.name)
            .unwrap_or_default();
        let expires = fields.get(7).and_then(|days| days.parse::<i64>().ok());
        let expired = expires.is_some_and(|days| days.saturating_mul(SECONDS_OF_A_DAY) <= epoch);
        if ["nologin", "false", "sync", "halt", "shutdown"].contains(&shell) || expired {
            continue;
        }
        let field = fields.get(1).copied().unwrap_or_default();
        let groups = group.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, id, members] = fields[..] else { return None };
            let belongs = id.parse() == Ok(user.gid) || members.split(',').any(|member| member == user.name);
            belongs.then(|| name.to_owned())
        });
        people.push(Person {
            groups: groups.collect(),
            is_root: user.uid == 0,
            key: has_key(stage, &config, &user)?,
            password: accounts::is_crypt_hash(field),
            sudo: false,
            name: user.name,
        });
    }
    Ok(people)
}

fn lossy(stage: &Stage<'_>, path: &str) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&stage.read(path)?.unwrap_or_default()).into_owned())
}

/// sshd finds a key, or asks a program for one.
fn has_key(stage: &Stage<'_>, config: &Config, user: &accounts::User) -> Result<bool, Error> {
    let connection = Connection { user: Some(user.name.clone()), ..Connection::default() };
    let command = config.for_connection("AuthorizedKeysCommand", &connection);
    if command.first().is_some_and(|setting| setting.value != "none") {
        return Ok(true);
    }
    let files = match config.for_connection("AuthorizedKeysFile", &connection).first() {
        Some(setting) => setting.words.clone(),
        None => [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).to_vec(),
    };
    for pattern in files {
        let path = pattern.replace("%h", &user.home).replace("%u", &user.name).replace("%%", "%");
        let path = if path.starts_with('/') { path } else { format!("{}/{path}", user.home) };
        if !stage.stat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
            continue;
        }
        let text = lossy(stage, &path)?;
        if text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#')) {
            return Ok(true);
        }
    }
    Ok(false)
}
