//! What can be done to a machine. The agent carries these out one after the other; the plan shows them.

/// Bytes, and whether they may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// True for passwords, private keys and the like: shown nowhere, logged nowhere.
    pub secret: bool,
}

impl Content {
    /// What anybody may see.
    pub fn open(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), secret: false }
    }

    /// What nobody but its owner may see.
    pub fn secret(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), secret: true }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.secret {
            write!(formatter, "<{} bytes, not shown>", self.bytes.len())
        } else {
            write!(formatter, "{:?}", String::from_utf8_lossy(&self.bytes))
        }
    }
}

/// User and group of a file by name or number; `None` leaves that half as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Name or number.
    pub user: Option<String>,
    /// Name or number.
    pub group: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a file as a whole; directories above it that are missing are made, 0755, root's.
    Write {
        /// Absolute path in the machine.
        path: String,
        /// All of it.
        content: Content,
        /// Permission bits; `None` keeps those of an existing file, 0644 for a new one.
        mode: Option<u32>,
        /// Whose it becomes.
        owner: Option<Owner>,
    },
    /// Write at the end of a file, which is made when it is not there.
    Append {
        /// Absolute path in the machine.
        path: String,
        /// What is added.
        content: Content,
        /// Permission bits.
        mode: Option<u32>,
        /// Whose it becomes.
        owner: Option<Owner>,
    },
    /// Make a directory and those above it that are missing.
    Directory {
        /// Absolute path in the machine.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Whose it becomes.
        owner: Option<Owner>,
    },
    /// Make a symbolic link, in place of whatever is there.
    Link {
        /// Absolute path in the machine.
        path: String,
        /// What it says.
        target: String,
    },
    /// Remove a file, if it is there.
    Remove {
        /// Absolute path in the machine.
        path: String,
    },
    /// Run a program and wait for it.
    Run {
        /// Program and arguments. Never a secret: arguments are everybody's to read.
        argv: Vec<String>,
        /// What it reads.
        stdin: Option<Content>,
        /// Variables beside the agent's own bare environment.
        environment: Vec<(String, String)>,
        /// True when its failure is told and forgotten; otherwise the module has failed.
        optional: bool,
    },
    /// Fetch a URL into a file.
    Fetch {
        /// Where from.
        url: String,
        /// Header lines.
        headers: Vec<(String, Content)>,
        /// Absolute path in the machine.
        path: String,
        /// What the file holds when the URL does not answer.
        fallback: Option<Content>,
        /// Permission bits.
        mode: Option<u32>,
        /// Whose it becomes.
        owner: Option<Owner>,
    },
    /// Send a form to a URL.
    Post {
        /// Where to.
        url: String,
        /// Fields; values that only the running machine knows are `$INSTANCE_ID` and the like.
        fields: Vec<(String, String)>,
        /// How often it is tried.
        tries: u32,
    },
    /// Print on the machine's console.
    Console {
        /// What.
        text: Content,
    },
    /// Something that only the running machine can decide; the agent has code for it by this name.
    ///
    /// Of users, passwords, SSH and scripts:
    ///
    /// * `authorized-keys` (user, options, key…): the login keys join the user's file
    ///   ([`crate::ssh::authorized_keys`]), behind the options.
    /// * `authorized-keys-table` (user, hash): [`crate::ssh::console::table`] on the console.
    /// * `host-keys-on-console` (no-fingerprint…, no-key…): [`crate::ssh::console::host_keys`].
    /// * `public-host-key` (private, public): what `ssh-keygen -y -f PRIVATE` prints, ` root@localhost`
    ///   behind it, becomes the public file. Its failure is forgotten.
    /// * `redhat-host-key` (file): group `ssh_keys`, where there is one; the private file 0640 when sshd
    ///   is older than 9.0, else 0600; the public one 0644.
    /// * `publish-host-keys` (not…): all host keys but those types to Google's metadata server.
    /// * `unlock-password` (run, if-refused): the program; with words on its standard error, and a status
    ///   of 0 or 3, the other one, too.
    /// * `random-passwords` (user…): [`crate::passwords::random`] through `chpasswd`;
    ///   `print-random-passwords`: `Set the following 'random' passwords`, an empty line, and all of them
    ///   as `user:password`, on the console and nowhere else.
    /// * `shadow-ages` (user, inactive, expiredate), `expire-password` (user): [`crate::users::shadow`].
    /// * `restart-if-running` (service, option): `systemctl restart` with the option, when the service is
    ///   active, activating or reloading. Its failure is forgotten.
    /// * `append-file` (from, to, mode, user, group): the content of one file at the end of another.
    /// * `run-parts` (directory, prefix…): every executable file in the order of names; the module has
    ///   failed when one of them has.
    Live {
        /// `growpart`, `resizefs`, `random-passwords`…
        what: &'static str,
        /// Its arguments, shown as they are.
        details: Vec<(String, String)>,
    },
}
