//! SSH: host keys, login keys and the server's settings (`cloudinit/config/cc_ssh.py`,
//! `cloudinit/ssh_util.py`).
//!
//! * [`authorized_keys`]: lines of login keys, and where they go.
//! * [`sshd_config`]: settings of the server.
//! * [`host_keys`]: the machine's own keys.
//! * [`console`]: keys and fingerprints on the console.

pub mod authorized_keys;
pub mod console;
pub mod host_keys;
pub mod sshd_config;

use hardtack_userdata::options::{get_bool, get_str};
use hardtack_userdata::{Finding, Kind, Severity, Value};

use crate::action::Action;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::pytext::strip;
use crate::reading::{described, get};
use crate::users;

/// Options in front of a key that lets nobody in (`ssh_util.DISABLE_USER_OPTS`).
pub const DISABLED_OPTIONS: &str = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,\
    command=\"echo 'Please login as the user \\\"$USER\\\" rather than the user \\\"$DISABLE_USER\\\".';\
    echo;sleep 10;exit 142\"";

/// The same, naming the user `to` that `name` is refused for.
#[must_use]
pub fn disabled_options(to: &str, name: &str) -> String {
    DISABLED_OPTIONS.replace("$USER", to).replace("$DISABLE_USER", name)
}

/// Installs login keys for a user. The file is found, checked and changed on the running machine
/// ([`authorized_keys`]): it depends on the home directory and on sshd's settings then.
#[must_use]
pub fn install_keys(user: &str, keys: &[String], options: Option<&str>) -> Action {
    let mut details = vec![("user".to_owned(), user.to_owned())];
    details
        .extend(options.filter(|text| !text.is_empty()).map(|text| ("options".to_owned(), text.to_owned())));
    let mut seen = std::collections::HashSet::new();
    details.extend(
        keys.iter().filter(|key| seen.insert(key.as_str())).map(|key| ("key".to_owned(), key.clone())),
    );
    Action::Live { what: "authorized-keys", details }
}

/// Warns about lines that sshd or cloud-init would not take for keys.
pub(crate) fn check_keys(keys: &[&Value], path: String, findings: &mut Vec<Finding>) {
    for key in keys {
        let text = key.to_python_str();
        let line = strip(&text);
        if line.starts_with('#') || authorized_keys::KeyLine::parse(&text, None).is_valid() {
            continue;
        }
        let (code, message, hint) = if line.contains("PRIVATE KEY") {
            (
                "private-key",
                "a private key stands among the login keys".to_owned(),
                "give the public one, from the file `….pub`",
            )
        } else if line.is_empty() {
            ("skipped-value", "an empty login key is ignored".to_owned(), "remove it, or put the key in")
        } else if line.split_whitespace().any(|word| word == "ssh-dss") {
            (
                "key-type-refused",
                "a DSA key (ssh-dss) is ignored: neither cloud-init nor sshd takes them".to_owned(),
                "make an ed25519 key",
            )
        } else {
            // Only a short first word is shown: a long one may be a piece of a private key.
            let first = line.split_whitespace().next().filter(|word| word.len() <= 24 && *word != line);
            let shown =
                first.map_or_else(|| "a line".to_owned(), |word| format!("a line that begins with `{word}`"));
            (
                "key-is-damaged",
                format!("{shown} is not a login key and is ignored"),
                "a key is a line such as `ssh-ed25519 AAAA… name`",
            )
        };
        findings.push(Finding::warning(code, key.place, message).at(path.clone()).with_hint(hint));
    }
}

/// `ssh`.
pub const MODULE: Module = Module {
    name: "ssh",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &[
        "allow_public_ssh_keys",
        "disable_root",
        "disable_root_opts",
        "ssh_authorized_keys",
        "ssh_deletekeys",
        "ssh_genkeytypes",
        "ssh_keys",
        "ssh_publish_hostkeys",
        "ssh_quiet_keygen",
    ],
    run,
};

/// The module `ssh`.
#[must_use]
pub fn run(request: &Request<'_>) -> Outcome {
    let mut work = Work { request, machine: Overlay::new(request.machine), outcome: Outcome::default() };
    if let Err(finding) = work.host_keys() {
        work.outcome.findings.push(finding);
        return work.outcome;
    }
    work.publish();
    if let Err(mut finding) = work.login_keys() {
        // cloud-init writes it into its log and counts the module as done.
        finding.severity = Severity::Warning;
        work.outcome.findings.push(finding);
    }
    work.outcome
}

pub(crate) struct Work<'a> {
    request: &'a Request<'a>,
    machine: Overlay<'a>,
    outcome: Outcome,
}

impl Work<'_> {
    fn push(&mut self, action: Action) {
        self.machine.apply(&action);
        self.outcome.actions.push(action);
    }

    /// Hands the host keys to clouds that want them: Google's.
    fn publish(&mut self) {
        if self.request.facts.datasource.as_deref().is_none_or(|name| !name.starts_with("DataSourceGCE")) {
            return;
        }
        let settings = get(self.request.config, "ssh_publish_hostkeys").and_then(Value::as_map);
        if settings.is_some_and(|settings| !get_bool(settings, "enabled", true)) {
            return;
        }
        let kept = settings.and_then(|settings| hardtack_userdata::options::get_list(settings, "blacklist"));
        let details = kept.unwrap_or_default();
        let details = details.iter().map(|kind| ("not".to_owned(), kind.to_python_str())).collect();
        self.push(Action::Live { what: "publish-host-keys", details });
    }

    /// Keys of the cloud and of `ssh_authorized_keys`, for the default user and for root.
    fn login_keys(&mut self) -> Result<(), Finding> {
        let config = self.request.config;
        let accounts = users::accounts(self.request)?;
        let default = accounts.default.map(|name| name.to_python_str());
        let mut keys = Vec::new();
        if get_bool(config, "allow_public_ssh_keys", true) {
            keys.extend(self.request.facts.public_keys.iter().cloned());
        }
        if let Some(value) = get(config, "ssh_authorized_keys") {
            keys.extend(self.configured_keys(value)?);
        }
        if let Some(user) = &default {
            self.push(install_keys(user, &keys, None));
        } else if !keys.is_empty() {
            self.no_default_user();
        }
        let options = if get_bool(config, "disable_root", true) {
            let template =
                get_str(config, "disable_root_opts").unwrap_or_else(|| DISABLED_OPTIONS.to_owned());
            template.replace("$USER", default.as_deref().unwrap_or("NONE")).replace("$DISABLE_USER", "root")
        } else {
            String::new()
        };
        self.push(install_keys("root", &keys, Some(&options)));
        Ok(())
    }

    fn configured_keys(&mut self, value: &Value) -> Result<Vec<String>, Finding> {
        let path = "ssh_authorized_keys";
        let wrong = |value: &Value, what: String| {
            Finding::error("keys-not-a-list", value.place, what)
                .at(path)
                .with_hint("write a list of lines such as `ssh-ed25519 AAAA… name`")
        };
        match &value.kind {
            Kind::List(items) => {
                if let Some(bad) =
                    items.iter().find(|item| matches!(item.kind, Kind::List(_) | Kind::Map(_) | Kind::Set(_)))
                {
                    let what = format!(
                        "a key of `{path}` is {}: no login keys are installed at all",
                        described(bad)
                    );
                    return Err(wrong(bad, what));
                }
                check_keys(&items.iter().collect::<Vec<_>>(), path.to_owned(), &mut self.outcome.findings);
                Ok(items.iter().map(Value::to_python_str).collect())
            }
            Kind::Text(text) => {
                // Each letter becomes a key, and none is one.
                if !text.is_empty() {
                    let what = format!("`{path}` is text, not a list: the key in it is not installed");
                    let mut finding = wrong(value, what);
                    finding.severity = Severity::Warning;
                    self.outcome.findings.push(finding);
                }
                Ok(Vec::new())
            }
            Kind::Map(map) => Ok(map.keys().map(hardtack_userdata::Key::to_python_str).collect()),
            _ => {
                let what = format!(
                    "`{path}` is {}, not a list: no login keys are installed at all",
                    described(value)
                );
                Err(wrong(value, what))
            }
        }
    }

    fn no_default_user(&mut self) {
        let place = get(self.request.config, "users").map(|users| users.place).unwrap_or_default();
        self.outcome.findings.push(
            Finding::warning(
                "no-default-user",
                place,
                "there is no default user: the cloud's keys and ssh_authorized_keys go to root only, where they let nobody in"
                    .to_owned(),
            )
            .at("users")
            .with_hint("add `default` to the list `users`, give a user ssh_authorized_keys, or set `disable_root: false`"),
        );
        if !get_bool(self.request.config, "disable_root", true) {
            self.outcome.findings.pop();
        }
    }
}
