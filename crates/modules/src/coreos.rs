//! What a configuration in coreos-cloudinit's dialect does to a machine (`initialize/config.go`,
//! `system/`), in its order: name, users, login keys, files, units. It is done at every boot.
//!
//! An error ends it: what would come behind is not done. Other than in coreos-cloudinit,
//!
//! * a distribution that keeps its name in a file gets it there, not through `hostnamectl`;
//! * a password's hash goes to `chpasswd -e` through its input, not to `useradd --password`;
//! * full names are without the quotes that it puts around them;
//! * login keys go to `authorized_keys` where there is no `update-ssh-keys`, and those for an account
//!   `core` that is not there are left out with a warning;
//! * keys are not fetched from GitHub or a URL;
//! * `update.conf` starts empty where the image has none;
//! * an address that nobody knows yet stays a word in the plan.

use hardtack_userdata::coreos::model::{File, User};
use hardtack_userdata::coreos::{self, Addresses, CloudConfig, UnitAction, generated, units};
use hardtack_userdata::{Finding, Map, PartKind, Place, Severity, Value};

use crate::action::{Action, Content, Owner};
use crate::machine::Machine;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::reading::{SKIPPED, UNSUPPORTED, UNUSABLE};
use crate::{hostname, reading, ssh, system};

const KEYS: &[&str] = &["coreos"];
/// What stands below it, besides `units`.
const SECTIONS: &[&str] = &["etcd", "etcd2", "fleet", "flannel", "locksmith", "oem", "update"];

/// The machine's name.
pub const HOSTNAME: Module = module("coreos_hostname", Stage::Network, &["coreos", "hostname"], |request| {
    section(request, Section::Hostname)
});

/// Users and login keys.
pub const USERS: Module =
    module("coreos_users", Stage::Network, &["coreos", "users", "ssh_authorized_keys"], |request| {
        section(request, Section::Users)
    });

/// Files, those that the sections bring among them.
pub const FILES: Module = module(
    "coreos_files",
    Stage::Network,
    &["coreos", "write_files", "write-files", "manage_etc_hosts", "manage-etc-hosts"],
    |request| section(request, Section::Files),
);

/// Units. They come with the start of other services, since a unit that is waited for may wait for
/// the network.
pub const UNITS: Module =
    module("coreos_units", Stage::Config, KEYS, |request| section(request, Section::Units));

/// All of them, in order.
pub const MODULES: &[&Module] = &[&HOSTNAME, &USERS, &FILES, &UNITS];

/// cloud-init's modules that do not run beside them: they would do the same things otherwise.
pub const REPLACED: &[&str] = &["set_hostname", "update_hostname", "update_etc_hosts"];

const fn module(
    name: &'static str,
    stage: Stage,
    keys: &'static [&'static str],
    run: fn(&Request<'_>) -> Outcome,
) -> Module {
    Module { name, stage, frequency: Frequency::Always, keys, run }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Hostname,
    Users,
    Files,
    Units,
}

/// What `wanted` does. The sections before it are gone through as well: an error there ends it all.
fn section(request: &Request<'_>, wanted: Section) -> Outcome {
    if !coreos::is_coreos(request.config) {
        return Outcome::default();
    }
    let mut read = Outcome::default();
    let (config, addresses) = configuration(request, &mut read);
    let mut overlay = Overlay::new(request.machine);
    for section in [Section::Hostname, Section::Users, Section::Files, Section::Units] {
        let mut run = Run {
            request,
            config: &config,
            addresses: &addresses,
            overlay: &mut overlay,
            outcome: Outcome::default(),
        };
        // What is wrong with the text is told once, by the first.
        if section == Section::Hostname {
            run.outcome = std::mem::take(&mut read);
        }
        match section {
            Section::Hostname => run.hostname(),
            Section::Users => run.users(),
            Section::Files => run.files(),
            Section::Units => run.units(),
        }
        let outcome = run.outcome;
        if section == wanted {
            return outcome;
        }
        if section > Section::Hostname
            && outcome.findings.iter().any(|finding| finding.severity == Severity::Error)
        {
            let notes = vec!["nothing is done: what comes before it fails".to_owned()];
            return Outcome { notes, ..Outcome::default() };
        }
    }
    Outcome::default()
}

/// Everything that the parts say, addresses filled in.
fn configuration(request: &Request<'_>, outcome: &mut Outcome) -> (CloudConfig, Addresses) {
    let environment = system::read_text(request.machine, generated::ENVIRONMENT).unwrap_or_default();
    let addresses = request.facts.addresses.clone().or(generated::addresses(&environment));
    let mut shown = addresses.clone();
    let mut config = CloudConfig::default();
    let mut unknown = Vec::new();
    let parts = request.parts.iter().enumerate().filter(|(_, part)| part.kind == PartKind::CloudConfig);
    let texts: Vec<(usize, String)> =
        parts.map(|(index, part)| (index, String::from_utf8_lossy(&part.payload).into_owned())).collect();
    for (word, address) in [
        ("$public_ipv4", &mut shown.public_ipv4),
        ("$private_ipv4", &mut shown.private_ipv4),
        ("$public_ipv6", &mut shown.public_ipv6),
        ("$private_ipv6", &mut shown.private_ipv6),
    ] {
        if address.is_none() {
            *address = Some(word.to_owned());
            if texts.iter().any(|(_, text)| text.contains(word)) {
                unknown.push(format!("`{word}`"));
            }
        }
    }
    if !unknown.is_empty() && request.facts.uptime.is_none() {
        outcome.notes.push(format!("{} becomes an address when the machine runs", unknown.join(", ")));
    } else if !unknown.is_empty() {
        let message = format!("{} stays as it is: the machine has no such address", unknown.join(", "));
        let place = reading::place(request.config, "coreos");
        let finding = Finding::warning(SKIPPED, place, message).at("coreos");
        outcome.findings.push(finding.with_hint("take an address that the cloud gives, or write it out"));
    }
    outcome.findings.extend(misshapen(request.config));
    for (index, text) in texts {
        let text = coreos::substitute(&text, &shown);
        config = config.and(CloudConfig::read(&text, index, &mut outcome.findings));
    }
    (config, addresses)
}

/// What is passed over for its kind alone; coreos-cloudinit says nothing of it.
fn misshapen(config: &Map) -> Vec<Finding> {
    let skipped = |value: &Value, path: &str, wanted: &str, what: &str| {
        let finding = reading::wrong(value, path, wanted);
        let message = format!("{}: {what}", finding.message);
        Finding { message, severity: Severity::Warning, ..finding }
    };
    let Some(value) = reading::get(config, "coreos").filter(|value| !value.is_null()) else {
        return Vec::new();
    };
    let Some(coreos) = value.as_map() else {
        return vec![skipped(value, "coreos", "a mapping", "nothing of it is done")];
    };
    let mut findings = Vec::new();
    for (key, value) in coreos.iter().filter(|(_, value)| !value.is_null()) {
        let Some(name) = key.as_text() else { continue };
        let path = format!("coreos.{name}");
        if name == "units" {
            let Some(units) = value.as_list() else {
                findings.push(skipped(value, &path, "a list", "there are no units"));
                continue;
            };
            let odd = |unit: &&Value| {
                let name = unit.as_map().and_then(|unit| reading::get(unit, "name")).and_then(Value::as_text);
                name.is_none_or(str::is_empty)
            };
            for unit in units.iter().filter(odd) {
                findings.push(skipped(unit, &path, "a mapping with `name`", "this unit is passed over"));
            }
        } else if !SECTIONS.contains(&name) {
            let message = format!("nothing reads `{path}`");
            findings.push(Finding::warning(SKIPPED, value.place, message).at(path));
        } else if value.as_map().is_none() {
            findings.push(skipped(value, &path, "a mapping", "nothing of it is done"));
        }
    }
    findings
}

struct Run<'a, 'b> {
    request: &'a Request<'a>,
    config: &'a CloudConfig,
    addresses: &'a Addresses,
    /// The machine with what was planned so far.
    overlay: &'b mut Overlay<'a>,
    outcome: Outcome,
}

impl Run<'_, '_> {
    fn push(&mut self, action: Action) {
        self.overlay.apply(&action);
        self.outcome.actions.push(action);
    }

    fn warn(&mut self, code: &'static str, path: impl Into<String>, message: String, hint: &str) {
        let finding = Finding::warning(code, Place::default(), message).at(path).with_hint(hint);
        self.outcome.findings.push(finding);
    }

    fn fail(&mut self, path: impl Into<String>, message: String, hint: &str) {
        let finding = Finding::error(UNUSABLE, Place::default(), message).at(path).with_hint(hint);
        self.outcome.findings.push(finding);
    }

    /// The name that is set; the user-data's before the metadata's.
    fn name(&self) -> Option<&str> {
        let of_config = Some(self.config.hostname.as_str()).filter(|name| !name.is_empty());
        of_config.or(self.request.facts.local_hostname.as_deref()).filter(|name| !name.is_empty())
    }

    fn hostname(&mut self) {
        let Some(name) = self.name() else { return };
        // CoreOS has nothing but `hostnamectl`.
        let mut notes = Vec::new();
        let actions = if self.request.distro.is_coreos() {
            vec![system::run(["hostnamectl", "set-hostname", name])]
        } else {
            hostname::name_machine(name, self.request, &mut notes)
        };
        self.outcome.notes.append(&mut notes);
        actions.into_iter().for_each(|action| self.push(action));
    }

    fn users(&mut self) {
        let config = self.config;
        for (index, user) in config.users.iter().enumerate() {
            let path = format!("users.{index}");
            if user.name.is_empty() {
                self.warn(SKIPPED, path, "a user without a name is passed over".to_owned(), "add `name`");
                continue;
            }
            self.user(user);
            if !user.github_users.is_empty() || !user.import_url.is_empty() {
                let message = format!("login keys of `{}` are not fetched from elsewhere", user.name);
                self.warn(
                    UNSUPPORTED,
                    path,
                    message,
                    "write them into `ssh_authorized_keys`, or use `ssh_import_id`",
                );
            }
        }
        let mut keys = config.ssh_authorized_keys.clone();
        let of_user_data = keys.len();
        keys.extend(self.request.facts.public_keys.iter().cloned());
        if keys.is_empty() {
            return;
        }
        if self.overlay.account("core").is_some() {
            self.keys("core", &keys);
        } else if of_user_data > 0 {
            let message = "the keys are those of `core`, and there is no such account".to_owned();
            self.warn(SKIPPED, "ssh_authorized_keys", message, "add `- name: core` to `users`");
        }
    }

    fn user(&mut self, user: &User) {
        if self.overlay.account(&user.name).is_none() {
            let mut argv: Vec<&str> = vec!["useradd", &user.name, "--password", "*"];
            let groups = user.groups.join(",");
            let options = [
                ("--comment", &user.gecos),
                ("--home", &user.homedir),
                ("--gid", &user.primary_group),
                ("--groups", &groups),
                ("--shell", &user.shell),
            ];
            for (option, value) in options {
                if !value.is_empty() {
                    argv.extend([option, value.as_str()]);
                }
            }
            for (option, set) in [
                ("--no-user-group", user.no_user_group),
                ("--system", user.system),
                ("--no-log-init", user.no_log_init),
            ] {
                if set {
                    argv.push(option);
                }
            }
            argv.push(if user.no_create_home { "-M" } else { "-m" });
            let action = system::run(argv);
            self.push(action);
        }
        if !user.passwd.is_empty() {
            self.push(Action::Run {
                argv: vec!["chpasswd".to_owned(), "-e".to_owned()],
                stdin: Some(Content::secret(format!("{}:{}\n", user.name, user.passwd))),
                environment: Vec::new(),
                optional: false,
            });
        }
        if !user.ssh_authorized_keys.is_empty() {
            self.keys(&user.name, &user.ssh_authorized_keys);
        }
    }

    fn keys(&mut self, user: &str, keys: &[String]) {
        let keys: Vec<String> = keys.iter().map(|key| key.trim().to_owned()).collect();
        let action = if self.request.machine.program("update-ssh-keys").is_some() {
            let argv = ["update-ssh-keys", "-u", user, "-a", "coreos-cloudinit"];
            Action::Run {
                argv: argv.map(str::to_owned).to_vec(),
                stdin: Some(Content::open(format!("{}\n", keys.join("\n")))),
                environment: Vec::new(),
                optional: false,
            }
        } else {
            ssh::install_keys(user, &keys, None)
        };
        self.push(action);
    }

    fn files(&mut self) {
        // What the sections bring is made before anything is written: an error there leaves all
        // files as they are.
        let Some(generated) = self.generated() else { return };
        let config = self.config;
        let mut environment = false;
        for (index, file) in config.write_files.iter().enumerate() {
            let Some(mode) = file.mode() else {
                let message = format!("`{}` is no octal number", file.permissions);
                self.fail(
                    format!("write_files.{index}.permissions"),
                    message,
                    "write three or four octal digits: `\"0644\"`",
                );
                return;
            };
            environment |= file.path.starts_with('/') && absolute(&file.path) == generated::ENVIRONMENT;
            let action = self.write(file, mode);
            self.push(action);
        }
        let secret = config.coreos.flannel.secret();
        for (path, text) in generated {
            let hidden = secret && path == generated::FLANNEL;
            let content = if hidden { Content::secret(text) } else { Content::open(text) };
            self.push(Action::Write { path: path.to_owned(), content, mode: Some(0o644), owner: None });
        }
        if !environment {
            let old = self.overlay.read(generated::ENVIRONMENT).unwrap_or_default();
            let new = generated::environment(&old, self.addresses).filter(|new| *new != old);
            if let Some(new) = new {
                self.push(system::write(generated::ENVIRONMENT, new));
            }
        }
    }

    fn write(&self, file: &File, mode: u32) -> Action {
        Action::Write {
            path: absolute(&file.path),
            content: Content::open(file.content.clone()),
            mode: Some(mode),
            owner: owner(&file.owner, &*self.overlay),
        }
    }

    /// Paths and texts of the files that the sections bring; `None` after an error.
    fn generated(&mut self) -> Option<Vec<(&'static str, String)>> {
        let config = self.config;
        let coreos = &config.coreos;
        let mut files = Vec::new();
        files.extend(coreos.oem.release().map(|text| (generated::OEM_RELEASE, text)));
        let strategy = coreos.update.reboot_strategy.as_str();
        if !["", "etcd-lock", "reboot", "off"].contains(&strategy) {
            let message = format!("`{strategy}` is no reboot strategy");
            self.fail("coreos.update.reboot_strategy", message, "write `etcd-lock`, `reboot` or `off`");
            return None;
        }
        let machine = self.request.machine;
        let old = [generated::UPDATE_CONF, generated::UPDATE_CONF_DEFAULT]
            .into_iter()
            .find_map(|path| system::read_text(machine, path));
        if let Some(text) = coreos.update.conf(old.as_deref().unwrap_or_default()) {
            if old.is_none() {
                self.outcome.notes.push("the machine has no update engine of CoreOS".to_owned());
            }
            files.push((generated::UPDATE_CONF, text));
        }
        match config.manage_etc_hosts.as_str() {
            "" => {}
            "localhost" => {
                let of_machine = system::read_text(machine, "/etc/hostname").unwrap_or_default();
                let name = self.name().unwrap_or_else(|| of_machine.trim());
                files.push((generated::HOSTS, generated::hosts(name)));
            }
            other => {
                let message = format!("`{other}` is no value of `manage_etc_hosts` beside `coreos`");
                self.fail("manage_etc_hosts", message, "write `localhost`, or leave it out");
                return None;
            }
        }
        files.extend(generated::flannel(&coreos.flannel).map(|text| (generated::FLANNEL, text)));
        Some(files)
    }

    fn units(&mut self) {
        if !system::systemd(self.request.machine, self.request.distro) {
            if !self.config.coreos.units.is_empty() {
                let message = "the machine does not run systemd: there are no units".to_owned();
                self.warn(UNSUPPORTED, "coreos.units", message, "start services from `runcmd`");
            }
            return;
        }
        for action in self.config.unit_actions() {
            let action = match action {
                UnitAction::Place { path, content, .. } => system::write(path, content),
                UnitAction::DropIn { path, content, secret, .. } => {
                    let content = if secret { Content::secret(content) } else { Content::open(content) };
                    Action::Write { path, content, mode: Some(0o644), owner: None }
                }
                UnitAction::Mask { path, .. } => Action::Link { path, target: "/dev/null".to_owned() },
                UnitAction::Unmask { path, .. } => {
                    let masked = self.overlay.exists(&path)
                        && self.overlay.read(&path).is_none_or(|content| content.is_empty());
                    if !masked {
                        continue;
                    }
                    Action::Remove { path }
                }
                UnitAction::Enable { unit, runtime } => {
                    let runtime = runtime.then_some("--runtime");
                    let argv = ["systemctl", "enable", "--force"].into_iter().chain(runtime);
                    system::run(argv.chain([unit.as_str()]))
                }
                UnitAction::DaemonReload => system::run(["systemctl", "daemon-reload"]),
                UnitAction::Command { unit, command } => {
                    system::try_run(["systemctl", command.as_str(), unit.as_str()])
                }
                UnitAction::UnknownCommand { unit, command } => {
                    let message = format!("systemd has no command `{command}` for `{unit}`");
                    self.fail("coreos.units", message, "`start`, `stop`, `restart`…");
                    return;
                }
            };
            self.push(action);
        }
    }
}

/// The path from the root, `.` and `..` carried out.
fn absolute(path: &str) -> String {
    units::join(&[path])
}

/// `user`, `user:group`, `user:` (the user's own group) or `:group`, as `chown` reads them.
fn owner(text: &str, machine: &dyn Machine) -> Option<Owner> {
    if text.is_empty() {
        return None;
    }
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let Some((user, group)) = text.split_once(':') else {
        return Some(Owner { user: some(text), group: None });
    };
    let own = || machine.account(user).map(|account| account.gid.to_string());
    Some(Owner { user: some(user), group: some(group).or_else(own) })
}
