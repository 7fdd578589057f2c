//! Passwords and keys of users that the image has.

use hardtack_credentials::AccountConfig;
use hardtack_guest::accounts::{self, User};
use hardtack_guest::ssh_keys::parse_keys;
use hardtack_guest::sshd::{self, Config, Connection, Version};
use hardtack_guest::{FileType, GuestPath, Set};

use super::At;
use crate::model::operation::NewPassword;
use crate::model::{KeySource, Password};
use crate::{Context, StepError};

/// The keys' file where sshd_config says nothing.
const KEYS: &str = ".ssh/authorized_keys";

/// The user, who must be in the image's /etc/passwd.
fn user(at: &At, name: &str, cx: &Context<'_, '_>) -> Result<User, StepError> {
    accounts::user(cx.stage, name)?.ok_or_else(|| {
        at.absent(format!("the image has no user `{name}` in /etc/passwd"))
            .hint("step `user` makes users, also those that cloud-init makes at first boot")
    })
}

/// `password`, `root-password`.
pub(super) fn password(
    at: &At,
    name: &str,
    password: &NewPassword,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    user(at, name, cx)?;
    if !matches!(password, NewPassword::Set(Password::Random(_))) {
        no_random_password(name, cx);
    }
    let stored = accounts::password_field(cx.stage, name)?;
    let field = match password {
        NewPassword::Disabled => "*".to_owned(),
        NewPassword::Locked(None) => "!*".to_owned(),
        NewPassword::Locked(Some(password)) => {
            let stored = stored.as_deref().map(|field| field.trim_start_matches('!').to_owned());
            format!("!{}", hash(at, name, password, stored, cx)?)
        }
        NewPassword::Set(Password::Random(random)) => {
            random_password(at, name, random, cx)?;
            // Until the agent makes one nobody gets in by a password.
            match stored {
                Some(field) if field.starts_with('!') => field,
                _ => "!".to_owned(),
            }
        }
        NewPassword::Set(password) => hash(at, name, password, stored, cx)?,
    };
    // The mark of an account without a password is no secret; the plan shows no password of either file.
    if !field.trim_start_matches(['!', '*']).is_empty() {
        cx.stage.add_secret(&field);
    }
    Ok(accounts::set_password(cx.stage, name, &field, cx.epoch)?)
}

/// Another password than one that is made on the instance: what an earlier build told the agent counts no more.
fn no_random_password(name: &str, cx: &mut Context<'_, '_>) {
    for account in cx.agent.accounts.iter_mut().filter(|account| account.name == name) {
        account.random_password = None;
    }
    let nothing = AccountConfig { name: name.to_owned(), ..AccountConfig::default() };
    cx.agent.accounts.retain(|account| *account != nothing);
}

fn random_password(
    at: &At,
    name: &str,
    random: &hardtack_credentials::RandomPassword,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if let Some(account) = cx.agent.accounts.iter_mut().find(|account| account.name == name) {
        if !account.password_hash.is_empty() {
            return Err(at.usage(format!(
                "step `user`, of this recipe or of an earlier build, gives `{name}` another password"
            )));
        }
        account.random_password = Some(random.clone());
    } else {
        let account = AccountConfig {
            name: name.to_owned(),
            random_password: Some(random.clone()),
            ..AccountConfig::default()
        };
        cx.agent.accounts.push(account);
    }
    let text = format!("at first boot: the password of {name} is made on each instance and printed there");
    cx.info(at.name, text);
    Ok(())
}

/// The hash to store: that which is there where it is of the same password, so that builds repeat.
fn hash(
    at: &At,
    name: &str,
    password: &Password,
    stored: Option<String>,
    cx: &mut Context<'_, '_>,
) -> Result<String, StepError> {
    let text = format!("the password of {name} is fixed: the same for every instance of this image");
    cx.warn(at.name, text);
    let hash = match password {
        Password::Hash(hash) => hash.reveal().to_owned(),
        Password::Clear(clear) => {
            cx.stage.add_secret(clear.reveal());
            match stored.filter(|stored| accounts::verifies(clear.reveal(), stored)) {
                Some(stored) => stored,
                None => {
                    let uuid = cx.facts.root_uuid.clone().unwrap_or_default();
                    accounts::hash_password(clear.reveal(), &uuid, name)
                        .ok_or_else(|| at.usage(format!("the password of {name} cannot be hashed")))?
                }
            }
        }
        Password::Random(_) => return Err(at.usage("a password that is made on the instance has no hash")),
    };
    cx.stage.add_secret(&hash);
    Ok(hash)
}

/// `ssh-inject`: the keys stand in the file that sshd reads, which is the user's own.
pub(super) fn ssh_inject(
    at: &At,
    name: &str,
    keys: &[KeySource],
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let user = user(at, name, cx)?;
    let mut lines: Vec<String> = Vec::new();
    for source in keys {
        let found =
            parse_keys(&source.origin, &source.text, false).map_err(|error| at.usage(error.to_string()))?;
        for key in found {
            if let Some(warning) = &key.warning {
                cx.warn(at.name, format!("{}: {warning}", source.origin));
            }
            lines.push(key.line);
        }
    }
    let file = key_file(at, &user, cx)?;
    let is_own = GuestPath::new(&file).starts_with(&GuestPath::new(&user.home));
    if is_own {
        if !super::is_directory(&user.home, cx)? {
            return Err(at.missing(&user.home));
        }
        let owner = Some((user.uid, user.gid));
        if let Some(directory) = GuestPath::new(&file).parent().filter(|path| path.as_str() != user.home) {
            cx.stage.mkdir(directory.as_str(), Set { mode: Some(0o700), owner })?;
        }
        return append(at, &file, &lines, Set { mode: Some(0o600), owner }, cx);
    }
    // Elsewhere it is the administrator's: readable, for sshd reads it as the user.
    at.parent(&file, cx)?;
    let fresh = cx.stage.stat(&file)?.is_none();
    append(at, &file, &lines, if fresh { Set::all(0o644, 0, 0) } else { Set::default() }, cx)
}

fn append(
    at: &At,
    file: &str,
    lines: &[String],
    set: Set,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if let Some(found) = cx.stage.stat(file)?.filter(|found| found.kind != FileType::Regular) {
        return Err(at.refused(format!("{file} is {} in the image, not a file", found.kind.describe())));
    }
    let mut content = cx.stage.read(file)?.unwrap_or_default();
    for line in lines {
        let known = content.split(|byte| *byte == b'\n').any(|known| same_key(known, line));
        if known {
            continue;
        }
        if !content.is_empty() && !content.ends_with(b"\n") {
            content.push(b'\n');
        }
        content.extend_from_slice(line.as_bytes());
        content.push(b'\n');
    }
    Ok(cx.stage.write(file, content, set)?)
}

/// The same line, or the same key with the same options and another comment.
fn same_key(known: &[u8], line: &str) -> bool {
    let Ok(known) = std::str::from_utf8(known) else { return false };
    let without_comment = |line: &str| -> Option<Vec<String>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let key = words.iter().position(|word| word.starts_with("AAAA"))?;
        Some(words[..=key].iter().map(|word| (*word).to_owned()).collect())
    };
    known.trim_end() == line
        || without_comment(known).is_some_and(|known| Some(known) == without_comment(line))
}

/// The first file in which the image's sshd looks for the user's keys.
fn key_file(at: &At, user: &User, cx: &Context<'_, '_>) -> Result<String, StepError> {
    let version = sshd::installed(cx.stage)?.unwrap_or(Version::INCLUDE);
    let config = Config::load(cx.stage, version)?;
    let connection = Connection { user: Some(user.name.clone()), ..Connection::default() };
    let setting = config.for_connection("AuthorizedKeysFile", &connection);
    let word = setting.first().and_then(|setting| setting.words.first()).map_or(KEYS, String::as_str);
    if word.eq_ignore_ascii_case("none") {
        let place = setting.first().map(|setting| setting.place.file.clone()).unwrap_or_default();
        return Err(at
            .refused(format!(
                "{place} says `AuthorizedKeysFile none`: sshd looks for no keys of {}",
                user.name
            ))
            .hint("step `sshd` sets it"));
    }
    let mut path = String::new();
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            path.push(character);
            continue;
        }
        match characters.next() {
            Some('u') => path.push_str(&user.name),
            Some('h') => path.push_str(&user.home),
            Some('U') => path.push_str(&user.uid.to_string()),
            Some('%') => path.push('%'),
            _ => {
                return Err(at.refused(format!("`AuthorizedKeysFile {word}` in the image is not understood")));
            }
        }
    }
    let path = if path.starts_with('/') { path } else { format!("{}/{path}", user.home) };
    Ok(GuestPath::new(&path).to_string())
}
