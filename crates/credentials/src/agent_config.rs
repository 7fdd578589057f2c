//! What the build tells the agent: `/etc/hardtack/agent.json`, mode 0600.
//!
//! The file is written by the host's `hardtack` and read by the agent of the same release. Absent
//! parts are features that the recipe does not use; unknown keys are ignored, so that an image
//! can be rebuilt with an older agent by hand.

use hardtack_login::Promise;
use serde::{Deserialize, Serialize};

/// The version of the format that this code writes.
pub const VERSION: u32 = 1;

/// Everything the agent needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentConfig {
    /// The version of this format, [`VERSION`].
    pub version: u32,
    /// The recipe's name: the issuer that authenticator apps show.
    pub recipe: String,
    /// Users and factors; `None` without an `mfa` step.
    pub mfa: Option<MfaConfig>,
    /// The overlay that `/` must be; `None` when the recipe asks for none.
    pub overlay: Option<OverlayConfig>,
    /// Packages left for the first boot; `None` when there are none.
    pub packages: Option<PackagesConfig>,
    /// Accounts of the recipe's `user` steps, for the agent to make where nothing else did.
    pub accounts: Vec<AccountConfig>,
    /// What runs once, in this order, at first boot.
    pub tasks: Vec<Task>,
    /// SSH's host keys are made before SSH starts, where there are none.
    pub host_keys: bool,
    /// Every way in that asks for less than all factors, in words.
    pub doors: Vec<String>,
    /// What sshd and PAM must hold to at every boot; `None` without an `mfa` step.
    pub promise: Option<Promise>,
    /// How the agent meets cloud-init: "companion" or "replace".
    pub mode: String,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            version: VERSION,
            recipe: String::new(),
            mfa: None,
            overlay: None,
            packages: None,
            accounts: Vec::new(),
            tasks: Vec::new(),
            host_keys: false,
            doors: Vec::new(),
            promise: None,
            mode: "companion".to_owned(),
        }
    }
}

/// The `mfa` step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MfaConfig {
    /// The users to enrol.
    pub users: Vec<String>,
    /// "publickey", "password", "totp", in the order in which sshd asks.
    pub factors: Vec<String>,
    /// Logins on serial and VGA consoles: "totp", "password" or "locked".
    pub console: String,
    /// Users that are not listed: "refuse", "publickey" or "enrol".
    pub others: String,
    /// How users' parts of the block are sealed: "none"; "ssh", to the user's login keys, and nothing is
    /// printed where that cannot be done; "auto", as "ssh", and in plain text where it cannot be done;
    /// "recipients", to [`recipients`](Self::recipients).
    pub seal: String,
    /// Recipients of age(1) for all users: "age1…", "ssh-ed25519 AAAA…" or "ssh-rsa AAAA…".
    pub recipients: Vec<String>,
    /// What happens when sshd or PAM asks for less than promised: "stop-ssh" or "warn".
    pub on_drift: String,
    /// The break-glass account, one of [`users`](Self::users).
    pub recovery: Option<RecoveryConfig>,
    /// The parameters of the secret files.
    pub totp: TotpConfig,
}

impl Default for MfaConfig {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            factors: ["publickey", "password", "totp"].map(str::to_owned).to_vec(),
            console: "totp".to_owned(),
            others: "refuse".to_owned(),
            seal: "none".to_owned(),
            recipients: Vec::new(),
            on_drift: "stop-ssh".to_owned(),
            recovery: None,
            totp: TotpConfig::default(),
        }
    }
}

/// An account for the day on which nobody else gets in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoveryConfig {
    /// Its login name.
    pub user: String,
    /// Who alone can open its part of the block, as [`MfaConfig::recipients`]; empty: as for all users.
    pub recipients: Vec<String>,
}

/// Parameters of a secret file; the default is `google-authenticator -t -d -f -r 3 -R 30 -w 4`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TotpConfig {
    /// How many codes around the current one are accepted (1 to 21).
    pub window: u32,
    /// At most so many attempts; `null` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// A code is accepted once only.
    pub disallow_reuse: bool,
}

impl Default for TotpConfig {
    fn default() -> Self {
        Self { window: 4, rate_limit: Some(RateLimit { attempts: 3, seconds: 30 }), disallow_reuse: true }
    }
}

/// At most `attempts` logins within `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Attempts (1 to 10).
    pub attempts: u32,
    /// Seconds (15 to 600).
    pub seconds: u32,
}

/// The `overlayroot` step, as the agent checks it after boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverlayConfig {
    /// "crypt", "tmpfs" or "device".
    pub mode: String,
    /// The disk above, "/dev/vdb"; `None` for tmpfs.
    pub device: Option<String>,
    /// What becomes of a boot without the overlay: "halt", "plain" or "login-only"; empty: nobody is enrolled and
    /// nothing is printed.
    pub on_failure: String,
    /// The device-mapper name in crypt mode.
    pub mapname: String,
    /// The key is new at every boot, and with it everything above the image.
    pub random_key: bool,
}

/// An account of the recipe. The file that holds it is 0600: it has the hash.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountConfig {
    /// Login name.
    pub name: String,
    /// As it stands in shadow(5); empty: locked.
    pub password_hash: String,
    /// The password is made on the instance and printed in its block; `password_hash` is empty then.
    pub random_password: Option<RandomPassword>,
    /// Full name.
    pub gecos: String,
    /// Login shell; empty: bash where the image has it.
    pub shell: String,
    /// Groups besides the user's own; those that do not exist are left out.
    pub groups: Vec<String>,
    /// Right sides of sudoers(5) rules ("ALL=(ALL) NOPASSWD:ALL").
    pub sudo: Vec<String>,
    /// Lines of `~/.ssh/authorized_keys`.
    pub authorized_keys: Vec<String>,
}

impl std::fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a password is made on the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RandomPassword {
    /// Characters (12 to 128).
    pub length: u32,
    /// The alphabet: printable ASCII, none twice, at least ten.
    pub chars: String,
    /// The first login must change it.
    pub expire: bool,
}

impl RandomPassword {
    /// Letters and digits that no font makes look alike: without `0 O 1 l I`.
    pub const UNAMBIGUOUS: &'static str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
}

impl Default for RandomPassword {
    fn default() -> Self {
        Self { length: 20, chars: Self::UNAMBIGUOUS.to_owned(), expire: false }
    }
}

/// Packages that need their scripts run in the booted guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackagesConfig {
    /// Files in the spool to install.
    pub install: Vec<String>,
    /// Names of unpacked packages to configure.
    pub configure: Vec<String>,
    /// Names of packages to remove, their configuration files staying (`dpkg --remove`).
    pub remove: Vec<String>,
    /// Names of packages to remove with their configuration files (`dpkg --purge`).
    pub purge: Vec<String>,
    /// Names of packages that apt leaves as they are from then on: dpkg finishes none that is held.
    pub hold: Vec<String>,
}

/// Something that needs the guest to run. What a program does stands in a file of the task's name
/// ([`TASKS`]), and not here: whoever prints this prints no script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// `0003-setup.sh`: its place in the order and what people call it. Also the name of its files. Told on
    /// consoles, so it must hold nothing secret.
    pub name: String,
    /// The recipe that it is of: a later build of that one replaces it, and one of another leaves it.
    pub of: String,
    /// What it is.
    pub kind: TaskKind,
    /// What [`Install`](TaskKind::Install) and [`Uninstall`](TaskKind::Uninstall) are about.
    pub packages: Vec<String>,
    /// When it fails, those after it do not run.
    pub stop: bool,
    /// One that failed, or that a reboot has interrupted, runs again at the next boot. Otherwise it runs once.
    pub retry: bool,
}

/// Where tasks keep their files: NAME is the script (0700), NAME.json what became of it. Directory and files
/// are root's alone.
pub const TASKS: &str = "/var/lib/hardtack/tasks";

/// What a task does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A program of the recipe's, run as its first line says.
    #[default]
    Script,
    /// The same for a line of the shell: its file is for /bin/sh.
    Command,
    /// The image's package manager installs packages.
    Install,
    /// The image's package manager removes packages.
    Uninstall,
    /// The image's package manager brings all packages up to date.
    Update,
}

impl TaskKind {
    /// Whether the task has a file.
    pub fn is_program(self) -> bool {
        matches!(self, Self::Script | Self::Command)
    }

    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Command => "command",
            Self::Install => "install",
            Self::Uninstall => "uninstall",
            Self::Update => "update",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn absent_parts_have_their_defaults_and_null_means_none() {
        let config: AgentConfig =
            serde_json::from_str(r#"{"recipe":"r","mfa":{"users":["u"],"totp":{"rate_limit":null}}}"#)
                .unwrap();
        let mfa = config.mfa.unwrap();
        assert_eq!((config.version, config.mode.as_str()), (1, "companion"));
        assert_eq!((mfa.totp.window, mfa.totp.rate_limit, mfa.totp.disallow_reuse), (4, None, true));
        assert_eq!(mfa.factors, ["publickey", "password", "totp"]);
    }

    #[test]
    fn tasks_are_told_in_order_and_absent_ones_are_none() {
        let text = r#"{"tasks":[{"name":"0001-a","retry":true},{"name":"0002-i","kind":"install","packages":["x"]}],
                       "packages":{"remove":["y"]}}"#;
        let config: AgentConfig = serde_json::from_str(text).unwrap();
        assert_eq!(
            (config.tasks[0].kind, config.tasks[0].retry, config.tasks[0].stop),
            (TaskKind::Script, true, false)
        );
        assert_eq!((config.tasks[1].kind.name(), config.tasks[1].packages.len()), ("install", 1));
        let packages = config.packages.unwrap();
        assert_eq!((packages.remove.len(), packages.purge.len(), packages.install.len()), (1, 0, 0));
        for kind in
            [TaskKind::Script, TaskKind::Command, TaskKind::Install, TaskKind::Uninstall, TaskKind::Update]
        {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
        let old: AgentConfig = serde_json::from_str(r#"{"recipe":"r"}"#).unwrap();
        assert!(old.tasks.is_empty() && !old.host_keys);
    }

    #[test]
    fn what_is_written_is_read() {
        let config = AgentConfig {
            recipe: "debian-3fa".into(),
            mfa: Some(MfaConfig { users: vec!["debian".into()], ..MfaConfig::default() }),
            overlay: Some(OverlayConfig {
                mode: "crypt".into(),
                random_key: true,
                ..OverlayConfig::default()
            }),
            ..AgentConfig::default()
        };
        let text = serde_json::to_string_pretty(&config).unwrap();
        assert!(text.contains("\"attempts\": 3"), "{text}");
        assert_eq!(serde_json::from_str::<AgentConfig>(&text).unwrap(), config);
    }
}
