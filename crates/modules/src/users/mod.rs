//! Users and groups (`cloudinit/config/cc_users_groups.py`, `cloudinit/distros/__init__.py`).
//!
//! * [`normalize`](mod@normalize): what a configuration describes.
//! * [`default_user`](mod@default_user): the user that a distribution brings along.
//! * [`shadow`]: what busybox has no programs for.
//! * `create`: what makes one user; `rules`: sudo and doas; `merge`: Python's ways with lists.

mod create;
pub mod default_user;
mod merge;
pub mod normalize;
mod rules;
pub mod shadow;

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value};

pub use create::{shadow_is_empty, uses_extra_users};
pub use normalize::{Accounts, normalize};
pub use rules::doas_rule_names;

use crate::action::{Action, Content};
use crate::machine::Machine;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::reading::{UNUSABLE, get};
use crate::system;

/// `users_groups`.
pub const MODULE: Module = Module {
    name: "users_groups",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["user", "users", "groups", "system_info"],
    run,
};

/// The users and groups of a request, with its distribution's default user.
///
/// # Errors
/// What stops the modules that need them.
pub fn accounts(request: &Request<'_>) -> Result<Accounts, Finding> {
    let default = default_user::default_user(request.config, request.machine, request.distro);
    normalize(request.config, Some(&default))
}

/// The module `users_groups`.
#[must_use]
pub fn run(request: &Request<'_>) -> Outcome {
    match accounts(request) {
        Ok(accounts) => run_with(request, accounts),
        Err(finding) => Outcome::failed(finding),
    }
}

/// Users, and groups, that are made at most: each is a program to run, and more than this is no machine's
/// configuration.
const MOST: usize = 4096;

/// The same for users and groups that are known already.
#[must_use]
pub fn run_with(request: &Request<'_>, accounts: Accounts) -> Outcome {
    let Accounts { users, groups, default, findings } = accounts;
    let mut maker = Maker::new(request);
    maker.outcome.findings = findings;
    if users.len() > MOST || groups.len() > MOST {
        let place = users.keys().chain(groups.keys()).last().map(|name| name.place).unwrap_or_default();
        maker.outcome.findings.push(
            Finding::error(
                "too-many",
                place,
                format!("there are more than {MOST} users or groups: none is made"),
            )
            .at("users")
            .with_hint("make them with a script, or keep them in a directory service"),
        );
        return maker.outcome;
    }
    let names: Vec<String> = users.keys().map(Key::to_python_str).collect();
    for (name, members) in &groups {
        if let Err(finding) = maker.listed_group(name, members, &names) {
            maker.outcome.findings.push(finding);
            return maker.outcome;
        }
    }
    for (name, config) in users {
        if let Err(finding) = maker.checked_user(&name, config, default.as_ref()) {
            maker.outcome.findings.push(finding);
            break;
        }
    }
    maker.outcome
}

/// Plans users and groups, one after the other.
pub(crate) struct Maker<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) machine: Overlay<'a>,
    pub(crate) outcome: Outcome,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(request: &'a Request<'a>) -> Self {
        Self { request, machine: Overlay::new(request.machine), outcome: Outcome::default() }
    }

    fn push(&mut self, action: Action) {
        self.machine.apply(&action);
        self.outcome.actions.push(action);
    }

    fn run<S: AsRef<str>>(&mut self, argv: impl IntoIterator<Item = S>) {
        self.push(system::run(argv));
    }

    /// A program that reads a secret.
    fn feed(&mut self, argv: &[&str], stdin: String) {
        self.push(Action::Run {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            stdin: Some(Content::secret(stdin)),
            environment: Vec::new(),
            optional: false,
        });
    }

    fn warn(&mut self, code: &'static str, place: Place, path: String, message: String, hint: &str) {
        self.outcome.findings.push(Finding::warning(code, place, message).at(path).with_hint(hint));
    }

    /// A group of the key `groups`, and its members: users that exist before any of `users` is made.
    fn listed_group(&mut self, name: &Key, members: &[Value], users: &[String]) -> Result<(), Finding> {
        let Some(group) = name.as_text() else {
            let message = format!("the group name {} is not text", name.to_python_str());
            return Err(Finding::error(UNUSABLE, name.place, message)
                .at("groups")
                .with_hint("put the name in quotes"));
        };
        self.group(group);
        for member in members {
            let Some(user) = member.as_text() else {
                let message = format!("the member {} of group {group} is not text", member.to_python_str());
                return Err(Finding::error(UNUSABLE, member.place, message)
                    .at("groups")
                    .with_hint("put the name in quotes"));
            };
            if self.machine.account(user).is_none() {
                let finding = Finding::warning(
                    "no-such-user",
                    member.place,
                    format!("{user} does not become a member of group {group}: there is no such user yet"),
                )
                .at("groups")
                .with_hint(if users.iter().any(|name| name == user) {
                    format!("groups are made before users: give the user `groups: [{group}]`")
                } else {
                    "make the user in `users`, with its groups".to_owned()
                });
                self.outcome.findings.push(finding);
                continue;
            }
            if self.has("usermod") || !self.is_busybox() {
                self.run(["usermod", "-a", "-G", group, user]);
            } else {
                self.run(["addgroup", user, group]);
            }
        }
        Ok(())
    }

    fn has(&self, program: &str) -> bool {
        self.machine.program(program).is_some()
    }

    /// Alpine without the package `shadow`.
    fn is_busybox(&self) -> bool {
        self.request.distro.variant == "alpine" && !self.has("useradd")
    }

    /// Makes a group that is not there. Its failure is forgotten.
    fn group(&mut self, name: &str) {
        if self.machine.group(name).is_some() {
            return;
        }
        let argv = if self.request.distro.variant == "alpine" && !self.has("groupadd") {
            vec!["addgroup", name]
        } else if uses_extra_users(&self.machine) {
            vec!["groupadd", name, "--extrausers"]
        } else {
            vec!["groupadd", name]
        };
        self.push(system::try_run(argv));
    }

    /// A user, once it is sure that its settings do not contradict each other.
    fn checked_user(&mut self, name: &Key, config: Map, default: Option<&Key>) -> Result<(), Finding> {
        let mut config = config;
        let shown = name.to_python_str();
        let set = |config: &Map, keys: &[&str]| -> Vec<String> {
            keys.iter()
                .filter(|key| get(config, key).is_some_and(truthy))
                .map(|key| (*key).to_owned())
                .collect()
        };
        let path = format!("users.{shown}");
        let stop = |code, message: String, hint: &str| {
            Err(Finding::error(code, name.place, message).at(path.clone()).with_hint(hint))
        };
        let no_home = set(&config, &["no_create_home", "system"]);
        let need_home = set(&config, &["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"]);
        if !no_home.is_empty() && !need_home.is_empty() {
            return stop(
                "keys-without-home",
                format!(
                    "user {shown} has {} with {}: neither it nor the users behind it are made",
                    need_home.join(", "),
                    no_home.join(", ")
                ),
                "keys need a home directory: remove one of the two",
            );
        }
        let redirect = config.shift_remove(&Key::text("ssh_redirect_user"));
        let Some(redirect) = redirect.filter(truthy) else { return self.user(name, &config) };
        if get(&config, "ssh_authorized_keys").is_some() || get(&config, "ssh_import_id").is_some() {
            return stop(
                "redirect-with-keys",
                format!(
                    "user {shown} has ssh_redirect_user beside keys of its own: neither it nor the users behind it are made"
                ),
                "keep one of the two",
            );
        }
        let is_one = matches!(redirect.kind, Kind::Bool(true) | Kind::Int(1))
            || matches!(redirect.kind, Kind::Float(value) if value == 1.0);
        if !is_one && redirect.as_text() != Some("default") {
            return stop(
                UNUSABLE,
                format!("ssh_redirect_user of {shown} is {}", redirect.to_python_str()),
                "it can be true or default",
            );
        }
        let Some(default) = default else {
            self.outcome.findings.push(
                Finding::warning(
                    "no-default-user",
                    redirect.place,
                    format!("ssh_redirect_user of {shown} is ignored: there is no default user"),
                )
                .at(path)
                .with_hint("add `default` to the list `users`"),
            );
            return self.user(name, &config);
        };
        self.user(name, &config)?;
        // A user of the snap store ends with its program.
        if get(&config, "snapuser").is_none() {
            self.redirect(&shown, &default.to_python_str());
        }
        Ok(())
    }

    /// The cloud's keys for a user whose logins are sent on to another.
    fn redirect(&mut self, name: &str, to: &str) {
        let keys = &self.request.facts.public_keys;
        if keys.is_empty() {
            self.outcome.notes.push(format!(
                "logins of {name} are sent on to {to} only for keys of the cloud's metadata, of which there is none"
            ));
            return;
        }
        let options = crate::ssh::disabled_options(to, name);
        let action = crate::ssh::install_keys(name, keys, Some(&options));
        self.push(action);
    }
}
