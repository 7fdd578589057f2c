//! The network's configuration, before the network is brought up: whose counts, and the files of whatever the
//! image uses ([`hardtack_netconfig`]).

use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use hardtack_datasource::found::Network;
use hardtack_datasource::settings::Settings;
use hardtack_datasource::{Found, ec2_network};
use hardtack_modules::{Distro, Machine, Owner};
use hardtack_netconfig::bring_up::After;
use hardtack_netconfig::choose::Files;
use hardtack_netconfig::config::Card;
use hardtack_netconfig::fallback::Device;
use hardtack_netconfig::openstack;
use hardtack_netconfig::plan::{Plan, Request, Source, plan};
use hardtack_userdata::{Key, Map, Value};

use crate::config::{RUNTIME, STATE, directory};
use crate::execute::run::{self, Program};
use crate::host::Host;
use crate::instance::{LINK, RUN};
use crate::log::Log;
use crate::python_json::dumps;
use crate::system_config::command_line;

/// The MAC addresses of the cards that were there when the files were written, a line each.
const CARDS: &str = "/var/lib/hardtack/network-cards";
/// What they are made of, of this boot.
const APPLIED: &str = "/run/hardtack/network-config.json";
/// The same in the instance's directory, for people and `cloud-init collect-logs`.
const SHOWN: &str = "network-config.json";
/// How long one of the image's programs may take: everything else at this boot comes behind it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for netplan, which is Python on some: on a machine that others starve it took 20 s to start.
const NETPLAN_PATIENCE: Duration = Duration::from_secs(90);
/// That netplan was ended, for the next stage.
const NETPLAN_OWED: &str = "/run/hardtack/netplan-owed";

/// Whether the network's files are of this machine: a card is there that was there when they were written. If not, its
/// disk is another machine's now, and what binds to cards by address or name may bind to none.
pub(crate) fn is_of_this_machine(host: &Host) -> bool {
    let Ok(Some(known)) = host.read_text(CARDS) else { return false };
    let now = own_cards(host);
    now.is_empty() || known.lines().any(|mac| now.iter().any(|of| of == mac))
}

/// The addresses of cards that are hardware, or what a hypervisor calls so.
fn own_cards(host: &Host) -> Vec<String> {
    let is_card = |device: &Device| host.exists(&format!("/sys/class/net/{}/device", device.card.name));
    devices(host)
        .into_iter()
        .filter(is_card)
        .map(|device| device.card.mac)
        .filter(|mac| !mac.is_empty())
        .collect()
}

/// Writes what is to be written for the network, and says what that was. `found` is what the data source said, if one
/// was found.
pub(crate) fn apply(
    host: &Host,
    machine: &dyn Machine,
    system: &Map,
    found: Option<&Found>,
    log: &Log,
) -> Plan {
    let devices = devices(host);
    let cards: Vec<Card> = devices.iter().map(|device| device.card.clone()).collect();
    let line = command_line(machine);
    let mut sources = Vec::new();
    match hardtack_netconfig::config::from_command_line(&line) {
        Some(Ok(value)) => sources.push((Source::CommandLine, value)),
        Some(Err(finding)) => {
            log.warn(&format!("network-config= of the kernel: {}; it does not count", finding.message));
        }
        None => {}
    }
    match found.and_then(|found| found.network.as_ref()) {
        Some(Network::Yaml(text)) => match Value::load(text, 0) {
            Ok(value) => sources.push((Source::DataSource, value)),
            Err(findings) => {
                let why = findings.first().map_or_else(String::new, |finding| finding.message.clone());
                log.warn(&format!("the network-config of the data source: {why}; it does not count"));
            }
        },
        Some(Network::OpenStack(json)) => match openstack::convert(&openstack::from_json(json), &cards) {
            Ok(value) => sources.push((Source::DataSource, value)),
            Err(finding) => log.warn(&format!("network_data.json: {}; it does not count", finding.message)),
        },
        None => {}
    }
    if let Some(value) = system.get(&Key::text("network")) {
        sources.push((Source::System, value.clone()));
    }
    let renderers = system.get(&Key::text("system_info"));
    let renderers =
        renderers.and_then(|info| info.get("network")).and_then(|network| network.get("renderers"));
    let plan = plan(&Request {
        sources: &sources,
        devices: &devices,
        renderers,
        variant: &Distro::read(machine).variant,
        command_line: &line,
        netplan_ipv6_mtu: true,
        files: &Image { host, machine },
    });
    carry_out(host, &plan, log);
    let cards: String = own_cards(host).iter().flat_map(|mac| [mac, "\n"]).collect();
    let kept = directory(host, STATE)
        .and_then(|_| crate::accounts::replace(&host.path(CARDS), cards.as_bytes(), 0o600, None));
    if let Err(error) = kept {
        log.warn(&error.to_string());
    }
    if let Some(config) = &plan.config {
        keep(host, config, log);
        // That it was done on this boot, as cloud-init notes it.
        let note = format!("{}: {}.0\n", std::process::id(), crate::now());
        let _ = std::fs::write(host.path(&format!("{RUN}/sem/apply_network_config.once")), note);
    }
    plan
}

/// Keeps what was applied until it is known whose it is.
fn keep(host: &Host, config: &Value, log: &Log) {
    let text = dumps(&hardtack_datasource::metadata::to_json(config), 1) + "\n";
    let kept = directory(host, RUNTIME)
        .and_then(|_| crate::accounts::replace_unsynced(&host.path(APPLIED), text.as_bytes(), 0o600));
    if let Err(error) = kept {
        log.warn(&error.to_string());
    }
}

/// What was applied on this boot, in the directory of the instance and below /run (`_write_network_config_json`).
pub(crate) fn show(host: &Host, log: &Log) {
    let Ok(Some(text)) = host.read(APPLIED) else { return };
    let path = format!("{LINK}/{SHOWN}");
    if let Err(error) = crate::accounts::replace(&host.path(&path), &text, 0o600, None) {
        log.warn(&error.to_string());
    }
    // It is there already when the stage runs again.
    let _ = std::os::unix::fs::symlink(host.path(&path), host.path(&format!("{RUN}/{SHOWN}")));
}

/// What EC2's metadata say of a machine with several cards or addresses; none where DHCP on one card is all there is.
pub(crate) fn of_ec2(host: &Host, found: &Found, settings: &Settings) -> Option<Network> {
    let devices = devices(host);
    let cards: Vec<ec2_network::Card<'_>> = devices
        .iter()
        .map(|Device { card, .. }| ec2_network::Card {
            name: &card.name,
            mac: &card.mac,
            driver: card.driver.as_deref(),
        })
        .collect();
    let options =
        ec2_network::Options { first_card_only: settings.ec2.first_card_only, ..Default::default() };
    let network = ec2_network::network(&found.metadata, &cards, &options)?;
    let Network::Yaml(text) = &network else { return None };
    let config: serde_json::Value = serde_json::from_str(text).ok()?;
    let ethernets = config.get("ethernets")?.as_object()?;
    let is_more = ethernets.len() > 1 || ethernets.values().any(|card| card.get("addresses").is_some());
    is_more.then_some(network)
}

fn carry_out(host: &Host, plan: &Plan, log: &Log) {
    for finding in &plan.findings {
        log.warn(&format!("network: {}", finding.message));
    }
    for path in &plan.remove {
        let _ = std::fs::remove_file(host.path(path));
    }
    let renames = plan.after.iter().filter(|after| matches!(after, After::Rename { .. }));
    renames.for_each(|after| drop(act(host, after, log)));
    for file in &plan.files {
        let full = host.path(&file.path);
        if let Some(above) = full.parent() {
            let _ = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(above);
        }
        match crate::accounts::replace(&full, file.text.as_bytes(), file.mode, owner(host, file.owner)) {
            Ok(()) => log.info(&format!("network: wrote {}", file.path)),
            Err(error) => log.error(&error.to_string()),
        }
    }
    let others = plan.after.iter().filter(|after| !matches!(after, After::Rename { .. }));
    others.for_each(|after| drop(act(host, after, log)));
}

/// The numbers of the user and the group `name`. An image without them has nobody who could not read the file.
fn owner(host: &Host, name: Option<&str>) -> Option<(u32, u32)> {
    let name = name?.to_owned();
    let owner = Owner { user: Some(name.clone()), group: Some(name) };
    match crate::execute::numbers(host, &owner) {
        Ok((Some(user), Some(group))) => Some((user, group)),
        _ => None,
    }
}

/// Runs one of the image's small programs. Returns what is wrong, which is told.
pub(crate) fn act(host: &Host, after: &After, log: &Log) -> Vec<String> {
    let mut wrong = Vec::new();
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let commands = match after {
        After::Rename { from, to } => {
            vec![
                owned(&["ip", "link", "set", "dev", from, "down"]),
                owned(&["ip", "link", "set", "dev", from, "name", to]),
            ]
        }
        After::Run(words) => vec![words.clone()],
    };
    for words in commands.iter().filter(|_| host.is_live()) {
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_netplan = argv.first() == Some(&"netplan");
        let patience = if is_netplan { NETPLAN_PATIENCE } else { PATIENCE };
        let program = Program { argv: &argv, patience: Some(patience), ..Program::default() };
        let started = Instant::now();
        let done = run::capture(host, log, &program);
        if is_netplan && done.is_err() && started.elapsed() >= patience {
            owe(host, log);
        }
        let error = match done {
            Ok(ended) if ended.status.success() => continue,
            Ok(ended) => run::failure(argv.first().copied().unwrap_or_default(), &ended, None),
            Err(error) => error,
        };
        let text = format!("network: {error}");
        log.warn(&text);
        wrong.push(text);
    }
    wrong
}

/// Notes that netplan has to be run again.
fn owe(host: &Host, log: &Log) {
    let kept = directory(host, RUNTIME)
        .and_then(|_| crate::accounts::replace_unsynced(&host.path(NETPLAN_OWED), b"", 0o600));
    if let Err(error) = kept {
        log.warn(&error.to_string());
    }
}

/// Runs netplan once more where it was ended in the stage before: without its files there is no network at all for
/// this boot. What reads them has started by now, so `apply`, which tells it.
pub(crate) fn settle_netplan(host: &Host, log: &Log) {
    if std::fs::remove_file(host.path(NETPLAN_OWED)).is_err() {
        return;
    }
    log.info("network: netplan was ended in the stage before, and is run again");
    let words = ["netplan", "apply"].map(str::to_owned).to_vec();
    act(host, &After::Run(words), log);
    // Once.
    let _ = std::fs::remove_file(host.path(NETPLAN_OWED));
}

/// `/sys/class/net`.
pub(crate) fn devices(host: &Host) -> Vec<Device> {
    let names = host.names("/sys/class/net");
    names
        .into_iter()
        .map(|name| {
            let path = |file: &str| format!("/sys/class/net/{name}/{file}");
            let text = |file: &str| host.first_line(&path(file)).unwrap_or_default();
            let is_on = |file: &str| !matches!(text(file).as_str(), "" | "0");
            let driver = std::fs::read_link(host.path(&path("device/driver"))).ok();
            let driver =
                driver.and_then(|link| link.file_name().map(|name| name.to_string_lossy().into_owned()));
            Device {
                bridge: host.exists(&path("bridge")),
                bond: host.exists(&path("bonding")),
                carrier: is_on("carrier"),
                dormant: is_on("dormant"),
                operstate: text("operstate"),
                card: Card { mac: text("address").to_lowercase(), driver, name },
                ..Device::default()
            }
        })
        .collect()
}

/// The image, for choosing who reads the files.
struct Image<'a> {
    host: &'a Host,
    machine: &'a dyn Machine,
}

impl Files for Image<'_> {
    fn exists(&self, path: &str) -> bool {
        self.machine.exists(path)
    }

    fn read(&self, path: &str) -> Option<String> {
        self.machine.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn names(&self, path: &str) -> Vec<String> {
        self.machine.list(path)
    }

    fn enabled(&self, unit: &str) -> bool {
        const UNITS: &str = "/etc/systemd/system";
        self.host.names(UNITS).iter().any(|name| {
            (name.ends_with(".wants") || name.ends_with(".requires"))
                && self.host.names(&format!("{UNITS}/{name}")).iter().any(|link| link == unit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn netplan_that_was_ended_is_owed_once() {
        let tree = Tree::new().directory("var/log");
        let log = Log::open(&tree.host());
        owe(&tree.host(), &log);
        assert!(tree.host().exists(NETPLAN_OWED));
        settle_netplan(&tree.host(), &log);
        assert!(!tree.host().exists(NETPLAN_OWED));
        let said = tree.read("var/log/cloud-init.log");
        assert_eq!(said.matches("is run again").count(), 1, "{said}");
        settle_netplan(&tree.host(), &log);
        assert_eq!(tree.read("var/log/cloud-init.log"), said);
    }

    #[test]
    fn a_machine_is_known_by_its_cards() {
        for (known, now, expected) in [
            (None, &["02:00:00:00:00:01"][..], false),
            (Some("02:00:00:00:00:01\n"), &["02:00:00:00:00:01"], true),
            // One of two is another one.
            (
                Some("02:00:00:00:00:01\n02:00:00:00:00:02\n"),
                &["02:00:00:00:00:02", "02:00:00:00:00:03"],
                true,
            ),
            (Some("02:00:00:00:00:01\n"), &["02:00:00:00:00:03"], false),
            (Some(""), &["02:00:00:00:00:03"], false),
            // Containers have none; and where none is seen nothing can be written.
            (Some(""), &[], true),
            (Some("02:00:00:00:00:01\n"), &[], true),
        ] {
            let mut tree = Tree::new()
                .file("sys/class/net/docker0/address", "02:42:00:00:00:01\n")
                .directory("sys/class/net/lo");
            for (number, mac) in now.iter().enumerate() {
                tree = tree
                    .directory(&format!("sys/class/net/eth{number}/device"))
                    .file(&format!("sys/class/net/eth{number}/address"), &format!("{mac}\n"));
            }
            if let Some(known) = known {
                tree = tree.file("var/lib/hardtack/network-cards", known);
            }
            assert_eq!(is_of_this_machine(&tree.host()), expected, "{known:?} {now:?}");
        }
    }
}
