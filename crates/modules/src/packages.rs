//! Packages (`config/cc_package_update_upgrade_install.py`; `install_packages`, `package_command` and
//! `update_package_sources` of the classes in `cloudinit/distros/`; `package_management/apt.py`, `snap.py`).
//!
//! cloud-init collects the packages for apt in a set, in no particular order; here they keep the order of
//! the configuration.

use hardtack_userdata::{Finding, Kind, Map, Value, options, truth};

use crate::action::Action;
use crate::live;
use crate::machine::Machine;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::{read_text, run};

/// `package_update_upgrade_install`.
pub const MODULE: Module = Module {
    name: "package_update_upgrade_install",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &[
        "apt_reboot_if_required",
        "apt_update",
        "apt_upgrade",
        "package_reboot_if_required",
        "package_update",
        "package_upgrade",
        "packages",
    ],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let config = request.config;
    let any = |keys: [&str; 2]| keys.iter().any(|key| options::get_bool(config, key, false));
    let active = ["apt_update", "package_update", "apt_upgrade", "package_upgrade", "packages"];
    if !active.iter().any(|key| get(config, key).is_some()) {
        return Outcome::default();
    }
    let update = any(["apt_update", "package_update"]);
    let upgrade = any(["package_upgrade", "apt_upgrade"]);
    let reboot = any(["apt_reboot_if_required", "package_reboot_if_required"]);
    let packages = options::get_list(config, "packages").unwrap_or_default();
    // An error does not keep the steps behind it from being done.
    let mut outcome = Outcome { keep_going: true, ..Outcome::default() };
    let Some(manager) = Manager::of(request) else {
        if update || upgrade || !packages.is_empty() {
            let message = format!("no package manager is known for {}", request.distro.variant);
            let place = reading::place(config, "packages");
            outcome.findings.push(Finding::error(reading::UNSUPPORTED, place, message).at("packages"));
        }
        return outcome;
    };
    if let Some(value) = get(config, "packages").filter(|value| matches!(value.kind, Kind::Map(_))) {
        let message = "`packages` is a mapping, which cloud-init takes for the name of one package";
        let finding = Finding::warning(reading::SKIPPED, value.place, message).at("packages");
        outcome.findings.push(finding.with_hint("write a list: packages: [{apt: […]}]"));
    }
    let mut updated = false;
    if update || upgrade {
        updated = manager.update(&mut outcome);
    }
    if upgrade {
        manager.upgrade(request, &mut outcome);
    }
    if !packages.is_empty() {
        match wanted(&packages, &manager, &mut outcome) {
            Ok(wanted) => manager.install(request, &wanted, updated, &mut outcome),
            Err(finding) => {
                if manager.updates_first() && !updated {
                    manager.update(&mut outcome);
                }
                outcome.findings.push(*finding);
            }
        }
    }
    if (upgrade || !packages.is_empty()) && reboot {
        let files = "/var/run/reboot-required /run/reboot-needed".to_owned();
        let details = vec![("if-any".to_owned(), files), ("run".to_owned(), "/sbin/reboot".to_owned())];
        outcome.actions.push(Action::Live { what: live::REBOOT_IF_REQUIRED, details });
    }
    outcome
}

/// The actions that install packages which another module needs.
#[must_use]
pub fn install(request: &Request<'_>, names: &[&str]) -> Vec<Action> {
    let Some(manager) = Manager::of(request) else { return Vec::new() };
    let wanted = Wanted { own: names.iter().map(|name| (*name).to_owned()).collect(), ..Wanted::default() };
    let mut outcome = Outcome::default();
    manager.install(request, &wanted, false, &mut outcome);
    outcome.actions
}

/// The actions that fetch the lists of packages.
#[must_use]
pub fn update(request: &Request<'_>) -> Vec<Action> {
    let mut outcome = Outcome::default();
    if let Some(manager) = Manager::of(request) {
        manager.update(&mut outcome);
    }
    outcome.actions
}

/// Packages by who installs them, in the order of the configuration.
#[derive(Debug, Default)]
struct Wanted {
    /// For the distribution's own manager.
    own: Vec<String>,
    /// For apt by name.
    apt: Vec<String>,
    /// For snap by name: words behind `snap install`.
    snap: Vec<String>,
}

type Failed = Box<Finding>;

fn wanted(packages: &[Value], manager: &Manager, outcome: &mut Outcome) -> Result<Wanted, Failed> {
    let mut wanted = Wanted::default();
    for (index, entry) in packages.iter().enumerate() {
        let path = format!("packages.{index}");
        let Some(map) = entry.as_map() else {
            wanted.own.push(package(entry, manager, &path)?);
            continue;
        };
        if !manager.knows_managers() {
            let message =
                "this entry of `packages` names a package manager, which only Debian and Ubuntu understand";
            return Err(failed(entry, &path, message).with_hint("write the package's name alone").into());
        }
        for (key, list) in map {
            let name = key.to_python_str();
            let into = match name.as_str() {
                "apt" => &mut wanted.apt,
                "snap" => &mut wanted.snap,
                _ => {
                    let message = format!("{name:?} is no package manager, and what it lists is left out");
                    let finding = Finding::warning(reading::SKIPPED, key.place, message);
                    outcome
                        .findings
                        .push(finding.at(path.clone()).with_hint("only apt and snap are known here"));
                    continue;
                }
            };
            let inner = format!("{path}.{name}");
            let Some(items) = list.as_list() else {
                return Err(reading::wrong(list, &inner, "a list of packages").into());
            };
            for item in items {
                into.push(package(item, manager, &inner)?);
            }
        }
    }
    Ok(wanted)
}

fn failed(value: &Value, path: &str, message: &str) -> Finding {
    Finding::error(reading::UNUSABLE, value.place, message).at(path)
}

/// A name, or name and version, as the package manager writes it.
fn package(entry: &Value, manager: &Manager, path: &str) -> Result<String, Failed> {
    let hint = "write a name, or [name, version]";
    match &entry.kind {
        Kind::Text(name) => Ok(name.clone()),
        Kind::List(words) => {
            let strict = manager.knows_managers();
            match words.as_slice() {
                [name, version] if truth::truthy(version) => {
                    Ok(format!("{}{}{}", name.to_python_str(), manager.between(), version.to_python_str()))
                }
                [name, _] => Ok(name.to_python_str()),
                [name] if !strict => Ok(name.to_python_str()),
                _ => {
                    let message = format!(
                        "this entry of `packages` is a list of {} words: nothing is installed",
                        words.len()
                    );
                    Err(failed(entry, path, &message).with_hint(hint).into())
                }
            }
        }
        _ => {
            let message =
                format!("this entry of `packages` is {}: nothing is installed", reading::described(entry));
            Err(failed(entry, path, &message).with_hint(hint).into())
        }
    }
}

/// A distribution's way with packages.
enum Manager {
    /// apt's words up to the command.
    Apt { words: Vec<String>, upgrade: String, snap: bool },
    /// Words up to the command, for managers that work alike.
    Plain {
        words: Vec<String>,
        update: Option<Vec<&'static str>>,
        upgrade: Vec<String>,
        install: Vec<String>,
        update_first: bool,
    },
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

impl Manager {
    fn of(request: &Request<'_>) -> Option<Self> {
        let machine = request.machine;
        let plain = |start: &[&str],
                     update: Option<&[&'static str]>,
                     upgrade: &[&str],
                     install: &[&str],
                     first: bool| {
            Self::Plain {
                words: words(start),
                update: update.map(<[&str]>::to_vec),
                upgrade: words(upgrade),
                install: words(install),
                update_first: first,
            }
        };
        let family = request.distro.family.as_str();
        Some(match family {
            "debian" => {
                let system = get(request.config, "system_info").and_then(Value::as_map);
                let upgrade = system
                    .and_then(|system| get(system, "apt_get_upgrade_subcommand"))
                    .map_or_else(|| "dist-upgrade".to_owned(), Value::to_python_str);
                Self::Apt {
                    words: apt_words(system, machine),
                    upgrade,
                    snap: request.distro.variant == "ubuntu",
                }
            }
            "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" => {
                let start: &[&str] =
                    if machine.program("dnf").is_some() { &["dnf", "-y"] } else { &["yum", "-t", "-y"] };
                let update = (request.distro.variant != "amazon").then_some(&["makecache"][..]);
                plain(start, update, &["upgrade"], &["install"], false)
            }
            "photon" | "mariner" => {
                plain(&["tdnf", "-y"], Some(&["makecache"]), &["upgrade"], &["install"], false)
            }
            "suse" => suse(machine),
            "alpine" => plain(
                &["apk", "--quiet"],
                Some(&["update"]),
                &["upgrade", "--update-cache", "--available"],
                &["add"],
                true,
            ),
            "arch" => plain(&["pacman", "-Sy", "--quiet", "--noconfirm"], Some(&["-y"]), &["-u"], &[], true),
            "gentoo" => plain(&["emerge", "--quiet"], Some(&["--sync"]), &["--update", "world"], &[], true),
            "aosc" => {
                plain(&["oma"], Some(&["refresh", "-y"]), &["upgrade", "-y"], &["install", "-y"], false)
            }
            _ => return None,
        })
    }

    /// Whether entries may name a manager.
    fn knows_managers(&self) -> bool {
        matches!(self, Self::Apt { .. })
    }

    /// Whether lists of packages are fetched before anything is installed.
    fn updates_first(&self) -> bool {
        matches!(self, Self::Plain { update_first: true, .. })
    }

    /// What stands between name and version.
    fn between(&self) -> &'static str {
        if self.knows_managers() { "=" } else { "-" }
    }

    /// Fetches the lists of packages; true when that is done at all.
    fn update(&self, outcome: &mut Outcome) -> bool {
        match self {
            Self::Apt { words, .. } => outcome.actions.push(apt(words, "update", &[])),
            Self::Plain { words, update: Some(update), .. } => {
                // Only zypper fetches lists where transactional-update installs.
                let transactional = words.first().is_some_and(|word| word == "transactional-update");
                let zypper = ["zypper".to_owned(), "--non-interactive".to_owned()];
                let start: &[String] = if transactional { &zypper } else { words };
                outcome.actions.push(run(start.iter().map(String::as_str).chain(update.iter().copied())));
            }
            Self::Plain { update: None, .. } => {}
        }
        true
    }

    fn upgrade(&self, request: &Request<'_>, outcome: &mut Outcome) {
        match self {
            Self::Apt { words, upgrade, snap } => {
                outcome.actions.push(apt(words, upgrade, &[]));
                if *snap && request.machine.program("snap").is_some() {
                    // Not while `snap get system -d` says that refreshes are on hold for ever.
                    let details = vec![("run".to_owned(), "snap refresh".to_owned())];
                    outcome.actions.push(Action::Live { what: live::SNAP_REFRESH, details });
                }
            }
            Self::Plain { words, upgrade, .. } => outcome.actions.push(run(words.iter().chain(upgrade))),
        }
    }

    fn install(&self, request: &Request<'_>, wanted: &Wanted, updated: bool, outcome: &mut Outcome) {
        match self {
            Self::Apt { words, snap, .. } => {
                // Only apt's packages and snap's go through a set.
                let for_apt = reading::unique(wanted.apt.iter().chain(&wanted.own).cloned());
                let for_snap = reading::unique(wanted.snap.iter().cloned());
                if !for_apt.is_empty() {
                    if !updated {
                        self.update(outcome);
                    }
                    outcome.actions.push(apt(words, "install", &for_apt));
                    let rest = if *snap && request.machine.program("snap").is_some() {
                        "apt is not asked for packages that it does not know; snap is, for those"
                    } else {
                        "apt is not asked for packages that it does not know, and the module fails for them"
                    };
                    outcome.notes.push(rest.to_owned());
                }
                if *snap && !for_snap.is_empty() && request.machine.program("snap").is_none() {
                    let message = format!("there is no snap here to install {}", for_snap.join(", "));
                    let place = reading::place(request.config, "packages");
                    outcome.findings.push(Finding::error(reading::UNUSABLE, place, message).at("packages"));
                    return;
                }
                if !*snap && !for_snap.is_empty() && request.machine.program("snap").is_none() {
                    let message = format!(
                        "there is no snap on the machine, and {} will be missing unless one of the packages brings it",
                        for_snap.join(", ")
                    );
                    let place = reading::place(request.config, "packages");
                    let finding = Finding::warning(reading::SKIPPED, place, message).at("packages");
                    outcome.findings.push(finding.with_hint("add `snapd`, or leave these out"));
                }
                for name in &for_snap {
                    let words =
                        name.split_once('=').map_or(vec![name.as_str()], |(name, rest)| vec![name, rest]);
                    outcome.actions.push(run(["snap", "install"].into_iter().chain(words)));
                }
            }
            Self::Plain { words, install, .. } => {
                if self.updates_first() && !updated {
                    self.update(outcome);
                }
                outcome.actions.push(run(words.iter().chain(install).chain(&wanted.own)));
            }
        }
    }
}

/// `apt-get` with its options, behind `eatmydata` where there is one.
fn apt_words(system: Option<&Map>, machine: &dyn Machine) -> Vec<String> {
    let mut wrapper: Vec<String> = Vec::new();
    match system.and_then(|system| get(system, "apt_get_wrapper")).and_then(Value::as_map) {
        None => {
            if machine.program("eatmydata").is_some() {
                wrapper.push("eatmydata".to_owned());
            }
        }
        Some(map) => {
            let command: Vec<String> = match get(map, "command").map(|value| &value.kind) {
                Some(Kind::Text(word)) => vec![word.clone()],
                Some(Kind::List(words)) => words.iter().map(Value::to_python_str).collect(),
                _ => Vec::new(),
            };
            let enabled = get(map, "enabled");
            let auto = enabled.is_some_and(|enabled| enabled.to_python_str().to_lowercase() == "auto");
            let there = command.first().is_some_and(|word| machine.program(word).is_some());
            if enabled.is_some_and(truth::is_true) || (auto && there) {
                wrapper = command;
            }
        }
    }
    let usual = [
        "apt-get",
        "--option=Dpkg::Options::=--force-confold",
        "--option=Dpkg::options::=--force-unsafe-io",
        "--assume-yes",
        "--quiet",
    ];
    wrapper.into_iter().chain(usual.iter().map(|word| (*word).to_owned())).collect()
}

fn apt(words: &[String], command: &str, packages: &[String]) -> Action {
    let mut argv = words.to_vec();
    argv.push(command.to_owned());
    argv.extend_from_slice(packages);
    Action::Run {
        argv,
        stdin: None,
        environment: vec![("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())],
        optional: false,
    }
}

/// zypper, or transactional-update on a btrfs root that has it.
fn suse(machine: &dyn Machine) -> Manager {
    let btrfs = read_text(machine, "/proc/mounts").is_some_and(|text| {
        text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1) == Some(&"/") && words.get(2) == Some(&"btrfs")
        })
    });
    let zypper = words(&["zypper", "--non-interactive"]);
    if btrfs && machine.exists("/usr/sbin/transactional-update") {
        let start = ["--non-interactive", "--drop-if-no-change"];
        let transactional = |rest: &[&str]| words(&[&start[..], rest].concat());
        return Manager::Plain {
            words: words(&["transactional-update"]),
            update: Some(vec!["refresh"]),
            upgrade: transactional(&["up"]),
            install: transactional(&["pkg", "install", "--auto-agree-with-licenses"]),
            update_first: false,
        };
    }
    Manager::Plain {
        words: zypper,
        update: Some(vec!["refresh"]),
        upgrade: words(&["update"]),
        install: words(&["install", "--auto-agree-with-licenses"]),
        update_first: false,
    }
}
