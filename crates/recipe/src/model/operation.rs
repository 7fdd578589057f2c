//! Operations by the names that virt-customize gives them.

use std::sync::Arc;

use hardtack_credentials::TaskKind;
use hardtack_guest::dpkg::deb::TarEntry;
use regex::bytes::Regex;

use super::{Content, KeySource, Password};

/// One operation of the steps that carry virt-customize's names, in the order written.
#[derive(Debug)]
pub struct Operation {
    /// The line of the recipe, from 1, for messages.
    pub line: usize,
    /// What cannot be done because nothing is there is passed over, and told.
    pub optional: bool,
    /// The step's name, one of [`NAMES`].
    pub name: &'static str,
    /// What to do.
    pub action: Action,
}

impl Operation {
    /// Whether the agent makes a password for it, on each instance.
    #[must_use]
    pub fn makes_password(&self) -> bool {
        matches!(&self.action, Action::Password { password: NewPassword::Set(Password::Random(_)), .. })
    }
}

impl Action {
    /// The text that it brings, which may be a secret.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::AppendLine { line: content, .. }
            | Self::Edit { with: content, .. }
            | Self::Write { content, .. } => Some(content),
            Self::Task(task) => task.command.as_ref(),
            _ => None,
        }
    }
}

/// What an operation does. Paths are absolute guest paths.
#[derive(Debug)]
pub enum Action {
    /// A file has this line.
    AppendLine {
        /// Where; links are followed.
        path: String,
        /// The line, without its end.
        line: Content,
    },
    /// Permission bits.
    Chmod {
        /// Of what; links are followed.
        path: String,
        /// 0 to 0o7777.
        mode: u32,
    },
    /// Owner and group.
    Chown {
        /// Of what; links are followed.
        path: String,
        /// "user", "user:group", ":group", names or numbers.
        owner: String,
    },
    /// A copy within the guest, as `cp -a`.
    Copy {
        /// What is copied.
        from: String,
        /// Where to; into it where it is a directory.
        to: String,
    },
    /// Files of the host, in a directory of the guest.
    CopyIn {
        /// As written in the recipe, for messages.
        origin: String,
        /// What was found there.
        tree: Vec<HostEntry>,
        /// The directory.
        to: String,
        /// The mode of all files; `None`: 9 bits of each as on the host.
        mode: Option<u32>,
        /// Owner of everything.
        owner: String,
    },
    /// What a pattern names is gone.
    Delete {
        /// As glob(3) reads it, with braces.
        pattern: String,
    },
    /// Every match is replaced, line by line.
    Edit {
        /// Where; links are followed.
        path: String,
        /// Applied to each line without its end.
        pattern: Regex,
        /// The replacement; `$1` and `${name}` are groups.
        with: Content,
        /// So many matches there must be.
        expect: Option<u32>,
    },
    /// The machine's name.
    Hostname {
        /// Checked as hostname(7) has it.
        name: String,
    },
    /// Symbolic links.
    Link {
        /// Where they lead, as stored.
        target: String,
        /// Where they are.
        paths: Vec<String>,
    },
    /// A directory exists, and those above it.
    Mkdir {
        /// Where.
        path: String,
    },
    /// Something is elsewhere.
    Move {
        /// Where it was.
        from: String,
        /// Where to; into it where it is a directory.
        to: String,
    },
    /// A user's password.
    Password {
        /// Who has it.
        user: String,
        /// What it is.
        password: NewPassword,
    },
    /// A file is gone, with its bytes.
    Scrub {
        /// Where.
        path: String,
    },
    /// Files without an SELinux label have theirs.
    SelinuxRelabel,
    /// A user's public keys.
    SshInject {
        /// Who logs in with them.
        user: String,
        /// The keys, not yet parsed.
        keys: Vec<KeySource>,
    },
    /// An archive's content, in a directory of the guest.
    TarIn {
        /// As written in the recipe, for messages.
        origin: String,
        /// What is in it.
        entries: Vec<TarEntry>,
        /// The directory.
        to: String,
    },
    /// Something that the guest does at first boot.
    Task(TaskStep),
    /// The local time.
    Timezone {
        /// A name below `/usr/share/zoneinfo`.
        zone: String,
    },
    /// A file exists.
    Touch {
        /// Where.
        path: String,
    },
    /// A file is empty.
    Truncate {
        /// Where; links are followed.
        path: String,
    },
    /// All files below are empty.
    TruncateRecursive {
        /// Below what.
        path: String,
    },
    /// A file has the content of a file of the host.
    Upload {
        /// As written in the recipe, for messages.
        origin: String,
        /// Its content.
        content: Arc<[u8]>,
        /// Where; under the name of `origin` where it is a directory.
        to: String,
        /// Permission bits.
        mode: u32,
        /// Its owner.
        owner: String,
    },
    /// A file has this content.
    Write {
        /// Where; links are followed.
        path: String,
        /// The whole content.
        content: Content,
        /// Permission bits.
        mode: Option<u32>,
        /// Its owner.
        owner: Option<String>,
    },
}

/// A password as the operations have it.
#[derive(Debug, PartialEq, Eq)]
pub enum NewPassword {
    /// Set.
    Set(Password),
    /// No password is the right one: `*`.
    Disabled,
    /// Locked: `!*`, or `!` before the hash, for somebody to unlock.
    Locked(Option<Password>),
}

/// One path of what `copy-in` brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// Below the directory of the guest, without a leading slash.
    pub path: String,
    /// What it is.
    pub kind: HostKind,
    /// Permission bits on the host.
    pub mode: u32,
}

/// What is copied of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A file with its content.
    File(Arc<[u8]>),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Link(String),
}

/// What is done at first boot.
#[derive(Debug)]
pub struct TaskStep {
    /// What it is.
    pub kind: TaskKind,
    /// The script's name on the host; empty for everything else.
    pub title: String,
    /// The script.
    pub script: Vec<u8>,
    /// The shell's lines.
    pub command: Option<Content>,
    /// Packages.
    pub packages: Vec<String>,
    /// After all that is not: virt-customize's `firstboot` operations.
    pub late: bool,
    /// When it fails, those after it do not run.
    pub stop: bool,
    /// One that failed runs again at the next boot.
    pub retry: bool,
}

/// The names of the steps.
pub const NAMES: &[&str] = &[
    "append-line",
    "chmod",
    "chown",
    "copy",
    "copy-in",
    "delete",
    "edit",
    "firstboot",
    "firstboot-command",
    "firstboot-install",
    "hostname",
    "install",
    "link",
    "mkdir",
    "move",
    "password",
    "root-password",
    "run",
    "run-command",
    "scrub",
    "selinux-relabel",
    "ssh-inject",
    "tar-in",
    "timezone",
    "touch",
    "truncate",
    "truncate-recursive",
    "uninstall",
    "update",
    "upload",
    "write",
];
