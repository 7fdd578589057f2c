//! Login keys: their lines, how new ones join those of a file, and which file that is
//! (`cloudinit/ssh_util.py`: `AuthKeyLineParser`, `update_authorized_keys`,
//! `render_authorizedkeysfile_paths`, `check_create_path`).

use super::sshd_config::{self, Line};
use crate::pytext::{is_space, split_words, strip, words};

/// Types of keys (`VALID_KEY_TYPES`). The first three are of SSH's first years; `ssh-dss` is gone.
pub const KEY_TYPES: &[&str] = &[
    "rsa",
    "ecdsa",
    "ed25519",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "ssh-ed25519",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-rsa",
    "ssh-xmss-cert-v01@openssh.com",
    "ssh-xmss@openssh.com",
];

/// One line of a file of login keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLine {
    /// As it stands.
    pub source: String,
    /// The key, unless it is a comment, empty, or nothing that is known.
    pub key: Option<LoginKey>,
}

/// A login key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginKey {
    /// What stands before it: `no-pty,command="…"`.
    pub options: Option<String>,
    /// `ssh-ed25519`…
    pub kind: String,
    /// The key itself.
    pub base64: String,
    /// What stands behind it.
    pub comment: String,
}

impl KeyLine {
    /// Reads a line. `options` replace its own, unless they are empty.
    #[must_use]
    pub fn parse(source: &str, options: Option<&str>) -> Self {
        let line = source.trim_end_matches(['\r', '\n']);
        let nothing = Self { source: source.to_owned(), key: None };
        if line.starts_with('#') || strip(line).is_empty() {
            return nothing;
        }
        let entry = strip(line);
        let mut options = options.filter(|options| !options.is_empty()).map(str::to_owned);
        let fields = match fields(entry) {
            Some(fields) => fields,
            None => {
                let (own, rest) = split_options(entry);
                options = options.or_else(|| Some(own.to_owned()));
                match fields(rest) {
                    Some(fields) => fields,
                    None => return nothing,
                }
            }
        };
        let (kind, base64, comment) = fields;
        let key = LoginKey {
            options,
            kind: kind.to_owned(),
            base64: base64.to_owned(),
            comment: comment.to_owned(),
        };
        Self { source: source.to_owned(), key: Some(key) }
    }

    /// True for a key.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.key.is_some()
    }
}

impl std::fmt::Display for KeyLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(key) = &self.key else { return formatter.write_str(&self.source) };
        let words = [key.options.as_deref().unwrap_or_default(), &key.kind, &key.base64, &key.comment];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        formatter.write_str(&words.join(" "))
    }
}

/// Type, key and comment, if the type is known.
fn fields(entry: &str) -> Option<(&str, &str, &str)> {
    let words = split_words(entry, 2);
    let (kind, base64) = (*words.first()?, *words.get(1)?);
    KEY_TYPES.contains(&kind).then(|| (kind, base64, words.get(2).copied().unwrap_or_default()))
}

/// The options at the begin of a line, up to a blank that is not in quotes, and the rest.
fn split_options(entry: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut characters = entry.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !quoted && matches!(character, ' ' | '\t') {
            let (options, rest) = entry.split_at_checked(at).unwrap_or((entry, ""));
            return (options, rest.trim_start_matches(is_space));
        }
        let next_is_quote = characters.peek().is_some_and(|(_, next)| *next == '"');
        if character == '\\' && next_is_quote {
            characters.next();
        } else if character == '"' {
            quoted = !quoted;
        }
    }
    (entry, "")
}

/// The lines of a file.
#[must_use]
pub fn parse_file(text: &str) -> Vec<KeyLine> {
    crate::pytext::lines(text).into_iter().map(|line| KeyLine::parse(line, None)).collect()
}

/// The text of a file that `keys` have joined: a key that is there already is replaced by the new line,
/// the others come at the end, in the order given.
#[must_use]
pub fn update(present: Vec<KeyLine>, keys: &[KeyLine]) -> String {
    // The last line for a key is the one that replaces.
    let mut newest = std::collections::HashMap::new();
    for key in keys {
        if let Some(login) = &key.key {
            newest.insert(login.base64.as_str(), key);
        }
    }
    let mut there = std::collections::HashSet::new();
    let mut lines = Vec::with_capacity(present.len() + keys.len() + 1);
    for line in &present {
        let replacement = line.key.as_ref().and_then(|login| newest.get_key_value(login.base64.as_str()));
        match replacement {
            Some((base64, key)) => {
                there.insert(*base64);
                lines.push(key.to_string());
            }
            None => lines.push(line.to_string()),
        }
    }
    for key in keys {
        if key.key.as_ref().is_some_and(|login| !there.contains(login.base64.as_str())) {
            lines.push(key.to_string());
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A user whose keys are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Main group's number.
    pub gid: u32,
    /// Numbers of all groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
}

/// What is at a path, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Number of its owner.
    pub uid: u32,
    /// Number of its group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// Kinds of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// What has to be made before keys can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Absolute path.
    pub path: String,
    /// True for a directory, false for an empty file.
    pub directory: bool,
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
}

/// The file for a user's keys, and what is missing on the way there. `look` tells what is at a path.
#[must_use]
pub fn choose(sshd: &[Line], login: &Login, look: &dyn Fn(&str) -> Option<Entry>) -> (String, Vec<Missing>) {
    let patterns = sshd_config::value(sshd, "authorizedkeysfile").unwrap_or("%h/.ssh/authorized_keys");
    let strict = sshd_config::value(sshd, "strictmodes").unwrap_or("yes") == "yes";
    let home = login.home.trim_end_matches('/');
    for pattern in words(patterns) {
        let path = render(pattern, &login.home, &login.name);
        let personal =
            pattern.contains("%u") || pattern.contains("%h") || path.starts_with(&format!("{}/", login.home));
        if !personal {
            continue;
        }
        if let Some(missing) = check(&path, login, strict, look) {
            return (path, missing);
        }
    }
    (format!("{home}/.ssh/authorized_keys"), Vec::new())
}

/// A pattern of `AuthorizedKeysFile` as a path.
#[must_use]
pub fn render(pattern: &str, home: &str, user: &str) -> String {
    let path = pattern.replace("%h", home).replace("%u", user).replace("%%", "%");
    if path.starts_with('/') {
        path
    } else if home.ends_with('/') {
        format!("{home}{path}")
    } else {
        format!("{home}/{path}")
    }
}

/// What is missing for `path`; `None` when keys there would not be read, or not be safe.
fn check(
    path: &str,
    login: &Login,
    strict: bool,
    look: &dyn Fn(&str) -> Option<Entry>,
) -> Option<Vec<Missing>> {
    let mut missing: Vec<Missing> = Vec::new();
    let parent_of_home = login.home.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent_of_home = if parent_of_home.is_empty() { "/" } else { parent_of_home };
    let (directories, _) = path.rsplit_once('/')?;
    let mut directory = String::new();
    for name in directories.split('/').skip(1) {
        directory.push('/');
        directory.push_str(name);
        let entry = look(&directory);
        if entry.is_some_and(|entry| matches!(entry.kind, EntryKind::Link | EntryKind::File)) {
            return None;
        }
        if parent_of_home.starts_with(&directory) || directory == login.home {
            continue;
        }
        match entry {
            Some(entry) => may_pass(&entry, login, false, strict).then_some(())?,
            // Two slashes: the directory above, which is to be made already.
            None if name.is_empty() && !missing.is_empty() => {}
            None => {
                let own = directory.starts_with(&login.home);
                missing.push(Missing {
                    path: directory.clone(),
                    directory: true,
                    mode: if own { 0o700 } else { 0o755 },
                    uid: if own { login.uid } else { 0 },
                    gid: if own { login.gid } else { 0 },
                });
            }
        }
    }
    match look(path) {
        Some(entry) if matches!(entry.kind, EntryKind::Link | EntryKind::Directory) => return None,
        Some(entry) => may_pass(&entry, login, true, strict).then_some(())?,
        None => missing.push(Missing {
            path: path.to_owned(),
            directory: false,
            mode: 0o600,
            uid: login.uid,
            gid: login.gid,
        }),
    }
    Some(missing)
}

/// sshd's own rule for files and directories on the way to keys.
fn may_pass(entry: &Entry, login: &Login, file: bool, strict: bool) -> bool {
    if strict && entry.uid != login.uid && entry.uid != 0 {
        return false;
    }
    let needed = if file { 0o644 } else { 0o711 };
    let class = if entry.uid == login.uid {
        0o700
    } else if login.groups.contains(&entry.gid) {
        0o070
    } else {
        0o007
    };
    if entry.mode & needed & class == 0 {
        return false;
    }
    !(strict && entry.mode & 0o022 != 0)
}
