//! What a recipe says, as values: files of the host are read and `{env: …}` is resolved already,
//! and the settings that were left out have their defaults.
//!
//! Made by [`load_recipe`](crate::load_recipe); each step module takes its own type from here.
//! The keys behind these fields, with types and defaults, stand in `docs/recipes/`.

pub mod boot;
pub mod generalize;
pub mod operation;
pub mod packages;

use std::fmt;
use std::sync::Arc;

use hardtack_credentials::RandomPassword;
use hardtack_profile::Profile;
use regex::bytes::Regex;

use crate::secret::{REDACTED, Secret};
pub use boot::{BootStep, SerialConsoleStep};
use generalize::GeneralizeStep;
use operation::Operation;
pub use packages::{DebFile, PackagesStep, Repository};

/// A checked recipe.
#[derive(Debug, Default)]
pub struct Recipe {
    /// `name`; the file's name without its suffix when the recipe has none.
    pub name: String,
    /// The hardening profile.
    pub profile: Option<Profile>,
    /// The steps in the order written. `mfa`, `overlayroot` and `agent` stand here at most once,
    /// each user at most once. Steps *run* in the order that correctness needs.
    pub steps: Vec<Step>,
    /// Things that are allowed but probably not meant, one sentence each with its place.
    pub warnings: Vec<hardtack_yaml::Diagnostic>,
    /// The pictures of all warnings, for people.
    pub told: String,
    /// Some steps have a `when`: what is to be done is known when the image is.
    pub conditional: bool,
    /// Those whose `when` does not hold for the image.
    pub skipped: Vec<Skipped>,
    /// Whom it lets in by name.
    pub namings: Vec<Naming>,
}

/// The name of somebody who is to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The name.
    pub user: String,
    /// The key that holds it: `mfa.users`, `AllowUsers`.
    pub by: &'static str,
    /// Where it stands: `recipe.yaml:12:5`.
    pub place: String,
}

/// A step whose `when` does not hold for the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which of the steps with a `when` it is, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Where it stands: `recipe.yaml:12`.
    pub place: String,
}

impl Recipe {
    /// What all `packages` steps want, as one.
    #[must_use]
    pub fn packages(&self) -> Option<&PackagesStep> {
        self.steps.iter().find_map(|step| if let Step::Packages(step) = step { Some(step) } else { None })
    }

    /// The `user` steps.
    pub fn users(&self) -> impl Iterator<Item = &UserStep> {
        self.steps.iter().filter_map(|step| if let Step::User(step) = step { Some(step) } else { None })
    }

    /// The `mfa` step.
    #[must_use]
    pub fn mfa(&self) -> Option<&MfaStep> {
        self.steps.iter().find_map(|step| if let Step::Mfa(step) = step { Some(step) } else { None })
    }

    /// The `sshd` step (several in the recipe are one here).
    #[must_use]
    pub fn sshd(&self) -> Option<&SshdStep> {
        self.steps.iter().find_map(|step| if let Step::Sshd(step) = step { Some(step) } else { None })
    }

    /// The `overlayroot` step.
    #[must_use]
    pub fn overlayroot(&self) -> Option<&OverlayrootStep> {
        self.steps.iter().find_map(|step| if let Step::Overlayroot(step) = step { Some(step) } else { None })
    }

    /// The `serial-console` step.
    #[must_use]
    pub fn serial_console(&self) -> Option<&SerialConsoleStep> {
        self.steps
            .iter()
            .find_map(|step| if let Step::SerialConsole(step) = step { Some(step) } else { None })
    }

    /// The `boot` step (several in the recipe are one here).
    #[must_use]
    pub fn boot(&self) -> Option<&BootStep> {
        self.steps.iter().find_map(|step| if let Step::Boot(step) = step { Some(step) } else { None })
    }

    /// The operations of the `files` step in the order written (several in the recipe are one here).
    #[must_use]
    pub fn files(&self) -> &[FileOp] {
        self.steps
            .iter()
            .find_map(|step| if let Step::Files(ops) = step { Some(&ops[..]) } else { None })
            .unwrap_or(&[])
    }

    /// The operations by virt-customize's names, in the order written.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        self.steps
            .iter()
            .find_map(|step| if let Step::Operations(all) = step { Some(&all[..]) } else { None })
            .unwrap_or(&[])
    }

    /// What is taken away (several steps in the recipe are one here).
    #[must_use]
    pub fn generalize(&self) -> Option<&GeneralizeStep> {
        self.steps.iter().find_map(|step| if let Step::Generalize(step) = step { Some(step) } else { None })
    }

    /// The `cloud-agents` step.
    #[must_use]
    pub fn cloud_agents(&self) -> Option<&CloudAgentsStep> {
        self.steps.iter().find_map(|step| if let Step::CloudAgents(step) = step { Some(step) } else { None })
    }

    /// The `agent` step.
    #[must_use]
    pub fn agent(&self) -> Option<&AgentStep> {
        self.steps.iter().find_map(|step| if let Step::Agent(step) = step { Some(step) } else { None })
    }
}

/// One step. Several `packages`, `sshd` or `files` steps of a recipe are merged into one.
#[derive(Debug)]
pub enum Step {
    /// `packages`.
    Packages(PackagesStep),
    /// `user`.
    User(UserStep),
    /// `mfa`.
    Mfa(MfaStep),
    /// `sshd`.
    Sshd(SshdStep),
    /// `overlayroot`.
    Overlayroot(OverlayrootStep),
    /// `serial-console`.
    SerialConsole(SerialConsoleStep),
    /// `boot`.
    Boot(BootStep),
    /// `files`.
    Files(Vec<FileOp>),
    /// The operations by virt-customize's names.
    Operations(Vec<Operation>),
    /// `generalize`.
    Generalize(GeneralizeStep),
    /// `cloud-agents`.
    CloudAgents(CloudAgentsStep),
    /// `agent`.
    Agent(AgentStep),
}

impl Step {
    /// The key that starts the step in a recipe.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Packages(_) => "packages",
            Self::User(_) => "user",
            Self::Mfa(_) => "mfa",
            Self::Sshd(_) => "sshd",
            Self::Overlayroot(_) => "overlayroot",
            Self::SerialConsole(_) => "serial-console",
            Self::Boot(_) => "boot",
            Self::Files(_) => "files",
            Self::Operations(_) => "operations",
            Self::Generalize(_) => "generalize",
            Self::CloudAgents(_) => "cloud-agents",
            Self::Agent(_) => "agent",
        }
    }
}

/// `user`: one user.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UserStep {
    /// The login name; a valid name as `useradd` has it.
    pub name: String,
    /// The password; `None` leaves the image's alone.
    pub password: Option<Password>,
    /// Public keys, not yet parsed.
    pub authorized_keys: Vec<KeySource>,
    /// `cert-authority` lines are let in.
    pub allow_ca: bool,
    /// Login shell, an absolute path in the guest.
    pub shell: Option<String>,
    /// Groups besides the user's own.
    pub groups: Vec<String>,
    /// A sudo rule as `/etc/sudoers` has it behind the name ("ALL=(ALL) NOPASSWD:ALL").
    pub sudo: Option<String>,
    /// Full name (the GECOS field), without `:` and line breaks.
    pub gecos: Option<String>,
}

/// Where a user's password comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Password {
    /// The password itself, not empty and of one line; hashed here and never stored.
    Clear(Secret),
    /// A crypt(3) hash ($5$, $6$, $y$, $gy$, $7$, $2b$), checked for its shape.
    Hash(Secret),
    /// Made by the agent, another one on each instance; locked until then.
    Random(RandomPassword),
}

/// Text with SSH public keys: a file's content or a key in the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// The file, or "recipe line N".
    pub origin: String,
    /// The bytes, of any format.
    pub text: Vec<u8>,
}

/// `mfa`: who logs in with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaStep {
    /// Users to enrol; at least one, none twice. The account of `recovery` is the last of them.
    pub users: Vec<String>,
    /// Which logins ask.
    pub scope: Scope,
    /// What SSH asks for: at least two, none twice, [`Factor::Totp`] among them.
    pub factors: Vec<Factor>,
    /// What the console asks for.
    pub console: Console,
    /// What users get that are not listed.
    pub others: Others,
    /// How the secret is protected in the credentials block.
    pub seal: Seal,
    /// What happens when sshd or PAM asks for less than promised.
    pub on_drift: Drift,
    /// The break-glass account; what makes it is a step `user` like any other.
    pub recovery: Option<Recovery>,
    /// Parameters of the one-time codes.
    pub totp: Totp,
    /// What happens to `Match` blocks that would weaken the result.
    pub match_blocks: MatchPolicy,
}

impl Default for MfaStep {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            scope: Scope::Sshd,
            factors: vec![Factor::Publickey, Factor::Password, Factor::Totp],
            console: Console::Totp,
            others: Others::Refuse,
            seal: Seal::None,
            on_drift: Drift::StopSsh,
            recovery: None,
            totp: Totp::default(),
            match_blocks: MatchPolicy::Refuse,
        }
    }
}

/// Which logins ask for the factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `/etc/pam.d/sshd` only.
    Sshd,
    /// All of common-auth.
    Login,
}

/// One thing that a login must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// An SSH key.
    Publickey,
    /// The password.
    Password,
    /// A one-time code.
    Totp,
}

/// What serial and VGA logins ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Password and one-time code.
    Totp,
    /// The password alone.
    Password,
    /// Nothing helps: no login there.
    Locked,
}

/// What users get that are not listed in `users`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// No login over SSH.
    Refuse,
    /// A key is enough.
    Publickey,
    /// Enrolled like the listed ones.
    Enrol,
}

/// How users' parts of the credentials block are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Not at all: whoever reads the console can read them.
    None,
    /// To the user's login keys; nothing is printed where that cannot be done.
    Ssh,
    /// To the user's login keys; in plain text where that cannot be done.
    Auto,
    /// To these recipients of age(1), checked: "age1…", "ssh-ed25519 AAAA…", "ssh-rsa AAAA…".
    Recipients(Vec<String>),
}

impl Seal {
    /// The word for the agent.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ssh => "ssh",
            Self::Auto => "auto",
            Self::Recipients(_) => "recipients",
        }
    }
}

/// What happens when sshd or PAM asks for less than promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// SSH is stopped, and does not start again.
    StopSsh,
    /// It is told.
    Warn,
}

impl Drift {
    /// The word of the recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StopSsh => "stop-ssh",
            Self::Warn => "warn",
        }
    }
}

/// `recovery`: an account for the day on which nobody else gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Its login name.
    pub user: String,
    /// Who alone can open its part of the block; empty: whoever has one of its login keys.
    pub recipients: Vec<String>,
}

/// Parameters of the one-time codes, as `google-authenticator -t -d -f -r 3 -R 30 -w 4` sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totp {
    /// Codes accepted around the current one, 1 to 21.
    pub window: u32,
    /// Attempts allowed; `None` is no limit.
    pub rate_limit: Option<RateLimit>,
    /// A code works once.
    pub disallow_reuse: bool,
}

impl Default for Totp {
    fn default() -> Self {
        Self { window: 4, rate_limit: Some(RateLimit { attempts: 3, seconds: 30 }), disallow_reuse: true }
    }
}

/// At most `attempts` logins in `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// 1 to 10.
    pub attempts: u32,
    /// 15 to 600.
    pub seconds: u32,
}

/// What happens to `Match` blocks of sshd_config that override what a step sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchPolicy {
    /// The image is refused.
    #[default]
    Refuse,
    /// The block loses the directive.
    Override,
}

/// `sshd`: directives of sshd_config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshdStep {
    /// Directive as written in the recipe (any case) and value as text (`no` stays "no"), in the
    /// order written. A directive stands here twice only where sshd adds up (`Port`, `HostKey`…).
    pub directives: Vec<(String, String)>,
    /// What happens to `Match` blocks that set one of them.
    pub match_blocks: MatchPolicy,
}

/// `overlayroot`.
#[derive(Debug, PartialEq, Eq)]
pub struct OverlayrootStep {
    /// The mode.
    pub mode: OverlayMode,
    /// The disk, "/dev/vdb", "LABEL=…" or "UUID=…" (a bare "vdb" became "/dev/vdb"), or [`FOUND`] where the initramfs
    /// looks for it; always there for crypt and device, never for tmpfs.
    pub dev: Option<String>,
    /// How the initramfs knows the disk.
    pub find: Option<FindDisk>,
    /// Whatever is on the disk may be erased (crypt only).
    pub wipe: bool,
    /// What becomes of a boot without the overlay.
    pub on_failure: Option<OnFailure>,
    /// Seconds to wait for the disk.
    pub timeout: u32,
    /// Name of the mapping (crypt only).
    pub mapname: Option<String>,
    /// Passphrase (crypt only, and only with `allow_clear_pass`); `None` is a random key.
    pub pass: Option<Secret>,
    /// File system made on the disk (crypt only).
    pub fstype: Option<String>,
    /// 0 never, 1 when opening fails, 2 fail when opening fails (crypt only).
    pub mkfs: Option<u32>,
    /// Leave swap alone or not.
    pub swap: Option<bool>,
    /// Also overlay what is mounted below the root.
    pub recurse: Option<bool>,
    /// A verbose log.
    pub debug: Option<bool>,
    /// Directory for the upper layer on the disk, "/overlay".
    pub dir: Option<String>,
    /// Driver of the union: auto, overlay, overlayfs or aufs.
    pub driver: Option<String>,
    /// The passphrase may lie in clear on the lower disk.
    pub allow_clear_pass: bool,
}

impl Default for OverlayrootStep {
    fn default() -> Self {
        Self {
            mode: OverlayMode::Tmpfs,
            dev: None,
            find: None,
            wipe: false,
            on_failure: None,
            timeout: 20,
            mapname: None,
            pass: None,
            fstype: None,
            mkfs: None,
            swap: None,
            recurse: None,
            debug: None,
            dir: None,
            driver: None,
            allow_clear_pass: false,
        }
    }
}

/// Where the initramfs puts a link to the disk that it has found.
pub const FOUND: &str = "/dev/hardtack/overlay";

/// A disk by something else than its name, which may be another one at the next boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindDisk {
    /// The instance store of this number, from 0.
    Ephemeral(u32),
    /// The volume of EBS attached under this name, "/dev/sdf".
    Ebs(String),
    /// The disk with this serial number.
    Serial(String),
}

impl FindDisk {
    /// For people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Ephemeral(number) => format!("the ephemeral disk {number}"),
            Self::Ebs(name) => format!("the volume attached as {name}"),
            Self::Serial(serial) => format!("the disk with serial number {serial}"),
        }
    }
}

/// What becomes of a boot without the overlay that the recipe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It ends in the initramfs.
    Halt,
    /// It goes on as if nothing had happened.
    Plain,
    /// Users can log in, and nothing else is done.
    LoginOnly,
}

impl OnFailure {
    /// The word of the recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::Plain => "plain",
            Self::LoginOnly => "login-only",
        }
    }
}

/// Where overlayroot keeps what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayMode {
    /// An encrypted disk.
    Crypt,
    /// Memory.
    Tmpfs,
    /// A disk.
    Device,
}

impl OverlayMode {
    /// The word of the recipe and of overlayroot.conf.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crypt => "crypt",
            Self::Tmpfs => "tmpfs",
            Self::Device => "device",
        }
    }
}

/// One operation of the `files` step.
#[derive(Debug)]
pub struct FileOp {
    /// The line of the recipe, from 1, for messages.
    pub line: usize,
    /// What to do.
    pub action: FileAction,
}

/// What a `files` entry does. Paths are absolute guest paths.
#[derive(Debug)]
pub enum FileAction {
    /// The file has this content.
    Write {
        /// Where; links are followed.
        path: String,
        /// The whole content.
        content: Content,
        /// Permission bits.
        mode: Option<u32>,
        /// "user", "user:group", "uid:gid", ":group".
        owner: Option<String>,
    },
    /// The file has this line.
    Append {
        /// Where; links are followed.
        path: String,
        /// The line, without its end.
        line: Content,
    },
    /// Every match is replaced, line by line.
    Replace {
        /// Where; links are followed.
        path: String,
        /// Applied to each line without its end.
        pattern: Regex,
        /// The replacement; `$1` and `${name}` are groups, `$$` a dollar sign.
        with: Content,
    },
    /// The file has the content of a file of the host.
    Copy {
        /// The host's path as written in the recipe, for messages.
        origin: String,
        /// Its content, shared with the stage.
        content: Arc<[u8]>,
        /// Where; links are followed.
        to: String,
        /// Permission bits.
        mode: Option<u32>,
        /// As for `Write`.
        owner: Option<String>,
    },
    /// The directory exists.
    Mkdir {
        /// Where.
        path: String,
        /// Permission bits.
        mode: Option<u32>,
        /// As for `Write`.
        owner: Option<String>,
    },
    /// The path is a symbolic link.
    Link {
        /// Where; the last component is not followed.
        path: String,
        /// The target as it is stored.
        target: String,
    },
    /// Nothing is at the path.
    Remove {
        /// Where; the last component is not followed.
        path: String,
    },
}

impl FileAction {
    /// The key that starts the entry.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Append { .. } => "append",
            Self::Replace { .. } => "replace",
            Self::Copy { .. } => "copy",
            Self::Mkdir { .. } => "mkdir",
            Self::Link { .. } => "link",
            Self::Remove { .. } => "remove",
        }
    }

    /// The guest path that it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. }
            | Self::Append { path, .. }
            | Self::Replace { path, .. }
            | Self::Copy { to: path, .. }
            | Self::Mkdir { path, .. }
            | Self::Link { path, .. }
            | Self::Remove { path } => path,
        }
    }
}

/// Text for a file of the guest; secret when it came from `{env: …}` or `{file: …}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The text.
    pub text: String,
    /// Never shown.
    pub secret: bool,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret { f.write_str(REDACTED) } else { self.text.fmt(f) }
    }
}

/// `cloud-agents`: programs of clouds that run commands or bring keys, by their names
/// ([`hardtack_inspect::ways::agents::CLOUD_AGENTS`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudAgentsStep {
    /// These do nothing any more.
    pub remove: Vec<&'static str>,
    /// These stay, and nobody is warned of them.
    pub keep: Vec<&'static str>,
}

/// `agent`: the first-boot agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentStep {
    /// How it shares the work with cloud-init.
    pub mode: AgentMode,
}

/// How the agent shares the work with cloud-init.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentMode {
    /// cloud-init stays; the agent enrols and prints, and applies CoreOS' section.
    #[default]
    Companion,
    /// The agent does cloud-init's work and has its names.
    Replace,
}

impl AgentMode {
    /// What an image's agent was told; what nobody knows is the default.
    #[must_use]
    pub fn of(word: &str) -> Self {
        if word == Self::Replace.as_str() { Self::Replace } else { Self::Companion }
    }

    /// The word of the recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Companion => "companion",
            Self::Replace => "replace",
        }
    }
}
