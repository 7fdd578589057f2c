//! The machine's name (`cloudinit/util.py`: `get_hostname_fqdn`; `cloudinit/sources/__init__.py`:
//! `get_hostname`; `config/cc_set_hostname.py`, `config/cc_update_hostname.py`; `set_hostname`,
//! `update_hostname` and `_write_hostname` of the classes in `cloudinit/distros/`).

use hardtack_userdata::{Finding, Map, options};

use crate::action::Action;
use crate::machine::{Distro, Facts, Machine};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{read_text, run, systemd, try_run, write};

const KEYS: &[&str] =
    &["create_hostname_file", "fqdn", "hostname", "prefer_fqdn_over_hostname", "preserve_hostname"];

/// `set_hostname`: once for an instance, and before the network with what the metadata knows.
pub const SET: Module = Module {
    name: "set_hostname",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: KEYS,
    run: set,
};

/// `update_hostname`: at every boot, unless somebody has changed the name.
pub const UPDATE: Module = Module {
    name: "update_hostname",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: KEYS,
    run: update,
};

/// Names that were set, for a later boot to compare.
const STATE: &str = "/var/lib/cloud/data/set-hostname";
/// The name that was in `/etc/hostname` when it was set.
const PREVIOUS: &str = "/var/lib/cloud/data/previous-hostname";

/// The names of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The short name. Empty is possible: `hostname: ""`.
    pub hostname: String,
    /// The whole name.
    pub fqdn: String,
    /// True when nobody gave a name and the system calls itself `localhost`.
    pub is_default: bool,
}

/// The names that the configuration, the metadata or the running system give.
///
/// # Errors
/// `hostname` is no text: the modules that ask fail in cloud-init.
pub fn names(config: &Map, facts: &Facts, machine: &dyn Machine) -> Result<Names, Finding> {
    if let Some(fqdn) = get(config, "fqdn") {
        let fqdn = fqdn.to_python_str();
        let first = fqdn.split('.').next().unwrap_or_default().to_owned();
        let hostname = options::get_str(config, "hostname").unwrap_or(first);
        return Ok(Names { hostname, fqdn, is_default: false });
    }
    let hostname = match get(config, "hostname") {
        None => None,
        Some(value) => match value.as_text() {
            Some(text) => Some(text.to_owned()),
            None => {
                let finding = reading::wrong(value, "hostname", "text");
                return Err(
                    finding.with_hint(format!("put it in quotes: hostname: \"{}\"", value.to_python_str()))
                );
            }
        },
    };
    if let Some(hostname) = &hostname
        && let Some((first, _)) = hostname.split_once('.')
        && !first.is_empty()
    {
        return Ok(Names { hostname: first.to_owned(), fqdn: hostname.clone(), is_default: false });
    }
    let of_cloud = of_cloud(facts, machine);
    let fqdn = of_cloud.fqdn();
    Ok(match hostname {
        Some(hostname) => Names { hostname, fqdn, is_default: false },
        None => Names { hostname: of_cloud.host, fqdn, is_default: of_cloud.is_default },
    })
}

/// Host and whole name as the metadata or the running system know them, whatever the configuration says.
#[must_use]
pub fn names_of_cloud(facts: &Facts, machine: &dyn Machine) -> (String, String) {
    let of_cloud = of_cloud(facts, machine);
    let fqdn = of_cloud.fqdn();
    (of_cloud.host, fqdn)
}

/// A name as the data source knows it.
struct OfCloud {
    host: String,
    /// `None` where there is none worth a mention.
    domain: Option<String>,
    is_default: bool,
}

impl OfCloud {
    fn new(name: &str, is_default: bool) -> Self {
        let (host, domain) = match name.split_once('.') {
            Some((host, domain)) => (host, Some(domain).filter(|domain| *domain != "localdomain")),
            None => (name, None),
        };
        Self { host: host.to_owned(), domain: domain.map(str::to_owned), is_default }
    }

    fn fqdn(&self) -> String {
        match &self.domain {
            Some(domain) => format!("{}.{domain}", self.host),
            None => self.host.clone(),
        }
    }
}

fn of_cloud(facts: &Facts, machine: &dyn Machine) -> OfCloud {
    if let Some(name) = facts.local_hostname.as_deref().filter(|name| !name.is_empty()) {
        if name.parse::<std::net::Ipv4Addr>().is_ok() {
            return OfCloud::new(&format!("ip-{}", name.replace('.', "-")), false);
        }
        return OfCloud::new(name, false);
    }
    let name = system_name(machine);
    let is_default = name == "localhost";
    let in_hosts = fqdn_in_hosts(machine, &name).filter(|fqdn| fqdn.find('.').is_some_and(|at| at > 0));
    OfCloud::new(&in_hosts.unwrap_or(name), is_default)
}

/// The name that the running kernel has, or that an image will give it.
fn system_name(machine: &dyn Machine) -> String {
    read_text(machine, "/proc/sys/kernel/hostname")
        .map(|text| text.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| name_in(&read_text(machine, "/etc/hostname")?).ok()?)
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The second word of the line of `/etc/hosts` that has `name` further behind.
fn fqdn_in_hosts(machine: &dyn Machine, name: &str) -> Option<String> {
    read_text(machine, "/etc/hosts")?.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace().skip(1);
        let canonical = words.next()?;
        words.any(|word| word == name).then(|| canonical.to_owned())
    })
}

/// Several names in a file that has room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SeveralNames;

/// The name in a file like `/etc/hostname`, comments left out.
fn name_in(text: &str) -> Result<Option<String>, SeveralNames> {
    let mut found: Option<&str> = None;
    for line in text.lines() {
        let name = line.trim().split('#').next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        match found {
            Some(known) if known != name => return Err(SeveralNames),
            _ => found = Some(name),
        }
    }
    Ok(found.map(str::to_owned))
}

/// The file with another name in it, its comments kept.
fn with_name(text: &str, name: &str) -> String {
    let name = name.trim();
    let mut out = String::new();
    let mut replaced = false;
    for line in text.lines() {
        let (head, tail) = line.trim().find('#').map_or((line.trim(), ""), |at| line.trim().split_at(at));
        if head.is_empty() || name.is_empty() {
            out.push_str(line);
        } else {
            out.push_str(name);
            out.push_str(tail);
            replaced = true;
        }
        out.push('\n');
    }
    if !replaced && !name.is_empty() {
        out.push_str(name);
        out.push('\n');
    }
    if out.is_empty() { "\n".to_owned() } else { out }
}

/// How a distribution keeps its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// A file with comments, written by hand.
    File(&'static str),
    /// `hostnamectl`, which writes `/etc/hostname`.
    Hostnamectl,
    /// `HOSTNAME=` in `/etc/sysconfig/network`.
    Sysconfig,
}

fn keeper(machine: &dyn Machine, distro: &Distro) -> Keeper {
    let systemd = systemd(machine, distro);
    match distro.family.as_str() {
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" | "mariner" => {
            if systemd {
                Keeper::Hostnamectl
            } else {
                Keeper::Sysconfig
            }
        }
        "photon" => Keeper::Hostnamectl,
        "suse" if systemd => Keeper::Hostnamectl,
        "suse" => Keeper::File("/etc/HOSTNAME"),
        "gentoo" if !systemd => Keeper::File("/etc/conf.d/hostname"),
        _ => Keeper::File("/etc/hostname"),
    }
}

/// Whether the whole name goes into `/etc/hostname` unless the configuration says otherwise.
fn prefers_fqdn(distro: &Distro) -> bool {
    matches!(
        distro.family.as_str(),
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" | "mariner" | "photon"
    )
}

/// Which of the two names is written.
fn select(names: &Names, config: &Map, distro: &Distro) -> String {
    let prefers = options::get_bool(config, "prefer_fqdn_over_hostname", prefers_fqdn(distro));
    if (prefers && !names.fqdn.is_empty()) || names.hostname.is_empty() {
        names.fqdn.clone()
    } else {
        names.hostname.clone()
    }
}

/// The actions that write `name` for the next boot.
fn keep(name: &str, request: &Request<'_>, notes: &mut Vec<String>) -> Vec<Action> {
    let Request { config, machine, distro, facts, .. } = *request;
    let create = options::get_bool(config, "create_hostname_file", true);
    match keeper(machine, distro) {
        Keeper::Hostnamectl if create => vec![run(["hostnamectl", "set-hostname", name])],
        Keeper::Hostnamectl => vec![run(["hostnamectl", "set-hostname", "--transient", name])],
        Keeper::Sysconfig => {
            let path = "/etc/sysconfig/network";
            let text = read_text(machine, path);
            vec![write(path, crate::sysconfig::with(text.as_deref(), &[("HOSTNAME", name)], facts))]
        }
        Keeper::File(path) => match read_text(machine, path) {
            Some(text) if name_in(&text).is_ok() => vec![write(path, with_name(&text, name))],
            // A file with two names counts as none: it is written anew.
            Some(_) | None if create => vec![write(path, with_name("", name))],
            Some(_) | None => {
                notes.push(format!("create_hostname_file is false: {path} is not made"));
                Vec::new()
            }
        },
    }
}

/// The action that gives the running kernel its name. Its failure is only told.
fn apply(name: &str, distro: &Distro) -> Action {
    if distro.variant == "arch" {
        try_run(["hostnamectl", "--transient", "set-hostname", name])
    } else {
        try_run(["hostname", name])
    }
}

/// The actions that give the machine the name `name`, for good: `hostnamectl` only where the distribution leaves no
/// other way, since it needs a message bus, which early in the boot there is none of.
pub(crate) fn name_machine(name: &str, request: &Request<'_>, notes: &mut Vec<String>) -> Vec<Action> {
    let mut actions = keep(name, request, notes);
    if keeper(request.machine, request.distro) != Keeper::Hostnamectl {
        actions.push(apply(name, request.distro));
    }
    actions
}

fn preserved(request: &Request<'_>) -> bool {
    options::get_bool(request.config, "preserve_hostname", false)
}

fn set(request: &Request<'_>) -> Outcome {
    if preserved(request) {
        return Outcome::default();
    }
    let names = match names(request.config, request.facts, request.machine) {
        Ok(names) => names,
        Err(finding) => return Outcome::failed(finding),
    };
    let mut outcome = Outcome::default();
    let state = serde_json::json!({ "fqdn": names.fqdn, "hostname": names.hostname });
    let known = read_text(request.machine, STATE).filter(|text| !text.is_empty());
    if let Some(known) = known
        && serde_json::from_str::<serde_json::Value>(&known).is_ok_and(|known| {
            known.get("fqdn") == state.get("fqdn") && known.get("hostname") == state.get("hostname")
        })
    {
        return outcome;
    }
    if names.is_default && names.hostname == "localhost" {
        if request.facts.instance_id.is_none() {
            outcome.notes.push("the name comes from the cloud's metadata, if that has one".to_owned());
        }
        return outcome;
    }
    if request.facts.instance_id.is_none() && get(request.config, "fqdn").is_none() {
        let given = get(request.config, "hostname").and_then(hardtack_userdata::Value::as_text);
        if given.is_none() {
            outcome.notes.push("the name comes from the cloud's metadata, if that has one".to_owned());
        } else if !given.unwrap_or_default().contains('.') {
            outcome
                .notes
                .push("the whole name (fqdn) comes from the cloud's metadata, if that has one".to_owned());
        }
    }
    let chosen = select(&names, request.config, request.distro);
    let keeping = keep(&chosen, request, &mut outcome.notes);
    outcome.actions.extend(keeping);
    outcome.actions.push(apply(&chosen, request.distro));
    let fqdn = serde_json::Value::from(names.fqdn);
    let hostname = serde_json::Value::from(names.hostname);
    outcome.actions.push(write(STATE, format!("{{\n \"fqdn\": {fqdn},\n \"hostname\": {hostname}\n}}\n")));
    outcome
}

/// The name in the file that the distribution keeps, or that the running system has.
fn kept_name(machine: &dyn Machine, distro: &Distro) -> Option<String> {
    match keeper(machine, distro) {
        Keeper::Hostnamectl if distro.family == "suse" => {
            name_in(&read_text(machine, "/etc/hostname")?).ok().flatten()
        }
        Keeper::Hostnamectl => Some(system_name(machine)),
        Keeper::Sysconfig => {
            crate::sysconfig::get(&read_text(machine, "/etc/sysconfig/network")?, "HOSTNAME")
        }
        Keeper::File(path) => name_in(&read_text(machine, path)?).ok().flatten(),
    }
}

fn update(request: &Request<'_>) -> Outcome {
    if preserved(request) {
        return Outcome::default();
    }
    let names = match names(request.config, request.facts, request.machine) {
        Ok(names) => names,
        Err(finding) => return Outcome::failed(finding),
    };
    if names.is_default && names.hostname == "localhost" {
        return Outcome::default();
    }
    let mut outcome = Outcome::default();
    let wanted = select(&names, request.config, request.distro);
    let previous = read_text(request.machine, PREVIOUS)
        .and_then(|text| match keeper(request.machine, request.distro) {
            Keeper::File(_) => name_in(&text).ok().flatten(),
            _ => Some(text.trim().to_owned()),
        })
        .filter(|name| !name.is_empty());
    let kept = kept_name(request.machine, request.distro).filter(|name| !name.is_empty());
    if let (Some(kept), Some(previous)) = (&kept, &previous)
        && kept != previous
    {
        outcome.notes.push(format!("the name was changed to {kept} by somebody else, and stays"));
        return outcome;
    }
    let mut system = false;
    if kept.is_none() || (kept == previous && kept.as_ref() != Some(&wanted)) {
        let keeping = keep(&wanted, request, &mut outcome.notes);
        outcome.actions.extend(keeping);
        system = true;
    }
    if previous.as_ref() != Some(&wanted) {
        outcome.actions.extend(remember(&wanted, request));
    }
    if system {
        outcome.actions.push(apply(&names.hostname, request.distro));
    }
    outcome
}

/// The action that notes down the name for [`update`] at the next boot.
fn remember(name: &str, request: &Request<'_>) -> Option<Action> {
    let text = match keeper(request.machine, request.distro) {
        Keeper::File(_) => {
            let old = read_text(request.machine, PREVIOUS).filter(|text| name_in(text).is_ok());
            if old.is_none() && !options::get_bool(request.config, "create_hostname_file", true) {
                return None;
            }
            with_name(old.as_deref().unwrap_or_default(), name)
        }
        Keeper::Sysconfig => {
            let old = read_text(request.machine, PREVIOUS);
            crate::sysconfig::with(old.as_deref(), &[("HOSTNAME", name)], request.facts)
        }
        Keeper::Hostnamectl if matches!(request.distro.family.as_str(), "suse" | "photon") => name.to_owned(),
        Keeper::Hostnamectl => with_name("", name),
    };
    Some(write(PREVIOUS, text))
}
