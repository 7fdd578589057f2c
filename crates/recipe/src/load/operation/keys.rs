//! What each of these steps takes.

use super::super::keys::{Key, Shape, StepKeys};
use super::super::user::PASSWORD_KEYS;

const OPTIONAL: Key = Key::may("optional", Shape::Bool, "What is not there is passed over, and told.");
const PATH: Key = Key::must("path", Shape::Text, "An absolute path in the image.");
const RETRY: Key = Key::may("retry", Shape::Bool, "One that failed runs again at the next boot.");
const OWNER: Key = Key::may("owner", Shape::Scalar, "\"user:group\", names of the image or numbers.");
const MODE: Key = Key::may("mode", Shape::Mode, "Permission bits in octal.");
const FROM_HOST: Key = Key::must("from", Shape::Text, "A path on the host, relative to the recipe.");
const TO: Key = Key::must("to", Shape::Text, "An absolute path in the image.");
const PACKAGES: Key = Key::must("packages", Shape::Several(&Shape::Text), "Names of packages.");

const ONE_PATH: &[Key] = &[PATH, OPTIONAL];
const APPEND_LINE: &[Key] =
    &[PATH, Key::must("line", Shape::Content, "The line, without its end."), OPTIONAL];
const CHMOD: &[Key] =
    &[PATH, Key::must("mode", Shape::Mode, "Permission bits in octal, never decimal."), OPTIONAL];
const CHOWN: &[Key] =
    &[PATH, Key::must("owner", Shape::Scalar, "\"user:group\", names of the image or numbers."), OPTIONAL];
const WITHIN: &[Key] = &[Key::must("from", Shape::Text, "An absolute path in the image."), TO, OPTIONAL];
const COPY_IN: &[Key] = &[FROM_HOST, TO, OWNER, MODE, OPTIONAL];
const EDIT: &[Key] = &[
    PATH,
    Key::must("match", Shape::Text, "A regular expression for each line without its end."),
    Key::must("with", Shape::Content, "What every match becomes; `$1` is the first group."),
    Key::may("expect", Shape::Whole(1, 1_000_000), "So many matches there must be."),
    OPTIONAL,
];
const HOSTNAME: &[Key] = &[Key::must("name", Shape::Text, "The machine's name."), OPTIONAL];
const LINK: &[Key] = &[
    Key::must("target", Shape::Text, "Where the link leads, as it is stored."),
    Key::must("path", Shape::Several(&Shape::Text), "Where the link is, or the links are."),
    OPTIONAL,
];
const LOCKED: Key =
    Key::may("locked", Shape::Bool, "The hash is stored, and locked until somebody unlocks it.");
const PASSWORD_VALUE: Shape =
    Shape::OneOf(&[Shape::Words(&["random", "disabled", "locked"]), Shape::Keys(PASSWORD_KEYS)]);
const PASSWORD: &[Key] = &[
    Key::must("user", Shape::Text, "Who has it; the image or a step `user` knows them."),
    Key::must("password", PASSWORD_VALUE, "Where it comes from."),
    LOCKED,
    OPTIONAL,
];
const ROOT_PASSWORD: &[Key] =
    &[Key::must("password", PASSWORD_VALUE, "Where it comes from."), LOCKED, OPTIONAL];
const SCRIPT: &[Key] =
    &[Key::must("script", Shape::Text, "A program of the host, relative to the recipe."), RETRY];
const COMMAND: &[Key] = &[Key::must("command", Shape::Content, "A line, or lines, for /bin/sh."), RETRY];
const INSTALL: &[Key] = &[PACKAGES, RETRY];
const FLAG: &[Key] = &[OPTIONAL];
const UPDATE: &[Key] = &[RETRY];
const SSH_INJECT: &[Key] = &[
    Key::must("user", Shape::Text, "Who logs in with it."),
    Key::may("key", Shape::Several(&Shape::Text), "A public key."),
    Key::may("file", Shape::Text, "A file of the host with public keys."),
    OPTIONAL,
];
const TAR_IN: &[Key] = &[FROM_HOST, TO, OPTIONAL];
const TIMEZONE: &[Key] = &[Key::must("zone", Shape::Text, "A name below /usr/share/zoneinfo."), OPTIONAL];
const UPLOAD: &[Key] = &[FROM_HOST, TO, MODE, OWNER, OPTIONAL];
const WRITE: &[Key] =
    &[PATH, Key::must("content", Shape::Content, "The whole content."), MODE, OWNER, OPTIONAL];

/// One operation: its name, the key that its short form stands for, its keys, a sentence.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) short: Option<&'static str>,
    pub(super) keys: &'static [Key],
    shape: Shape,
    about: &'static str,
}

/// Text stands for the key `short`.
macro_rules! entry {
    ($name:literal, $short:expr, $short_shape:expr, $keys:ident, $about:literal) => {
        Entry {
            name: $name,
            short: Some($short),
            keys: $keys,
            shape: Shape::OneOf(&[$short_shape, Shape::Keys($keys)]),
            about: $about,
        }
    };
    ($name:literal, $keys:ident, $about:literal) => {
        Entry { name: $name, short: None, keys: $keys, shape: Shape::Keys($keys), about: $about }
    };
}

const NAMES_OF_PACKAGES: Shape = Shape::Several(&Shape::Text);

pub(super) const ENTRIES: &[Entry] = &[
    entry!("append-line", APPEND_LINE, "A file has this line."),
    entry!("chmod", CHMOD, "Permission bits."),
    entry!("chown", CHOWN, "Owner and group."),
    entry!("copy", WITHIN, "A copy within the image, as `cp -a` makes it."),
    entry!("copy-in", COPY_IN, "A file or directory of the host, in a directory of the image."),
    entry!("delete", "path", Shape::Text, ONE_PATH, "What the pattern names is gone."),
    entry!("edit", EDIT, "Every match of a regular expression is replaced, line by line."),
    entry!("firstboot", "script", Shape::Text, SCRIPT, "A program that runs once, at first boot."),
    entry!(
        "firstboot-command",
        "command",
        Shape::Text,
        COMMAND,
        "A shell command that runs once, at first boot."
    ),
    entry!("firstboot-install", "packages", NAMES_OF_PACKAGES, INSTALL, "Packages, installed at first boot."),
    entry!("hostname", "name", Shape::Text, HOSTNAME, "The machine's name."),
    entry!(
        "install",
        "packages",
        NAMES_OF_PACKAGES,
        INSTALL,
        "Packages, installed by the image's own package manager at first boot."
    ),
    entry!("link", LINK, "Symbolic links."),
    entry!("mkdir", "path", Shape::Text, ONE_PATH, "A directory exists, and those above it."),
    entry!("move", WITHIN, "A file or directory is elsewhere."),
    entry!("password", PASSWORD, "A user's password."),
    Entry {
        name: "root-password",
        short: Some("password"),
        keys: ROOT_PASSWORD,
        shape: Shape::OneOf(&[PASSWORD_VALUE, Shape::Keys(ROOT_PASSWORD)]),
        about: "The password of root.",
    },
    entry!(
        "run",
        "script",
        Shape::Text,
        SCRIPT,
        "A program that runs once, at first boot; when it fails, no more are run."
    ),
    entry!(
        "run-command",
        "command",
        Shape::Text,
        COMMAND,
        "A shell command that runs once, at first boot; when it fails, no more are run."
    ),
    entry!("scrub", "path", Shape::Text, ONE_PATH, "A file is gone, and its bytes are in no free block."),
    entry!(
        "selinux-relabel",
        "optional",
        Shape::Bool,
        FLAG,
        "Files without an SELinux label get that of the image's policy."
    ),
    entry!("ssh-inject", SSH_INJECT, "A public key opens a user's account."),
    entry!("tar-in", TAR_IN, "A tar archive of the host, unpacked in a directory of the image."),
    entry!("timezone", "zone", Shape::Text, TIMEZONE, "The local time."),
    entry!("touch", "path", Shape::Text, ONE_PATH, "A file exists."),
    entry!("truncate", "path", Shape::Text, ONE_PATH, "A file is empty."),
    entry!("truncate-recursive", "path", Shape::Text, ONE_PATH, "All files below a directory are empty."),
    entry!("uninstall", "packages", NAMES_OF_PACKAGES, INSTALL, "Packages, removed at first boot."),
    entry!("update", "retry", Shape::Bool, UPDATE, "All packages are brought up to date at first boot."),
    entry!("upload", UPLOAD, "A file of the host."),
    entry!("write", WRITE, "A file has this content."),
];

/// For the schema.
pub(super) fn steps() -> Vec<StepKeys> {
    ENTRIES
        .iter()
        .map(|entry| StepKeys { name: entry.name, about: entry.about, shape: entry.shape })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_model_has_its_keys() {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        assert_eq!(names, crate::model::operation::NAMES);
        for entry in ENTRIES {
            if let Some(short) = entry.short {
                assert!(entry.keys.iter().any(|key| key.name == short), "{}", entry.name);
            }
        }
    }
}
