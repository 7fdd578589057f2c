//! The network's configuration, before the network is brought up: whose counts, and the files of whatever the
//! image uses ([`hardtack_netconfig`]).

use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Stdio};

use hardtack_datasource::Found;
use hardtack_datasource::found::Network;
use hardtack_modules::{Distro, Machine};
use hardtack_netconfig::bring_up::After;
use hardtack_netconfig::choose::Files;
use hardtack_netconfig::config::Card;
use hardtack_netconfig::fallback::Device;
use hardtack_netconfig::openstack;
use hardtack_netconfig::plan::{Plan, Request, Source, plan};
use hardtack_userdata::gunzip::{gunzip, is_gzip};
use hardtack_userdata::kernel_command_line::{self, NetworkConfig};
use hardtack_userdata::{Key, Map, Value};

use crate::host::Host;
use crate::log::Log;
use crate::system_config::command_line;

/// Bytes of a configuration on the kernel's command line, unpacked.
const LARGEST: usize = 1 << 20;

/// Writes what is to be written for the network. `found` is what the data source said, if one was found.
pub(crate) fn apply(host: &Host, machine: &dyn Machine, system: &Map, found: Option<&Found>, log: &Log) {
    let devices = devices(host);
    let cards: Vec<Card> = devices.iter().map(|device| device.card.clone()).collect();
    let line = command_line(machine);
    let mut sources = Vec::new();
    let mut take = |source: Source, name: &str, text: &str| match Value::load(text, 0) {
        Ok(value) => sources.push((source, value)),
        Err(findings) => {
            let why = findings.first().map_or_else(String::new, |finding| finding.message.clone());
            log.warn(&format!("{name}: {why}; it does not count"));
        }
    };
    match kernel_command_line::network_config(&line) {
        Some(NetworkConfig::Encoded(bytes)) => {
            let bytes = if is_gzip(&bytes) { gunzip(&bytes, LARGEST).unwrap_or_default() } else { bytes };
            take(Source::CommandLine, "network-config= of the kernel", &String::from_utf8_lossy(&bytes));
        }
        Some(NetworkConfig::Disabled) => {
            take(Source::CommandLine, "network-config= of the kernel", "{config: disabled}");
        }
        Some(NetworkConfig::Broken) => {
            log.warn("network-config= of the kernel is no base64: it does not count")
        }
        None => {}
    }
    match found.and_then(|found| found.network.as_ref()) {
        Some(Network::Yaml(text)) => take(Source::DataSource, "the network-config of the seed", text),
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
}

fn carry_out(host: &Host, plan: &Plan, log: &Log) {
    for finding in &plan.findings {
        log.warn(&format!("network: {}", finding.message));
    }
    for path in &plan.remove {
        let _ = std::fs::remove_file(host.path(path));
    }
    let renames = plan.after.iter().filter(|after| matches!(after, After::Rename { .. }));
    renames.for_each(|after| act(host, after, log));
    for file in &plan.files {
        let full = host.path(&file.path);
        if let Some(above) = full.parent() {
            let _ = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(above);
        }
        match crate::accounts::replace(&full, file.text.as_bytes(), file.mode, None) {
            Ok(()) => log.info(&format!("network: wrote {}", file.path)),
            Err(error) => log.error(&error.to_string()),
        }
    }
    let others = plan.after.iter().filter(|after| !matches!(after, After::Rename { .. }));
    others.for_each(|after| act(host, after, log));
}

/// Runs one of the image's small programs.
fn act(host: &Host, after: &After, log: &Log) {
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
        let Some((program, arguments)) = words.split_first() else { continue };
        let done = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
        match done {
            Ok(status) if status.success() => {}
            Ok(status) => log.warn(&format!("network: {}: {status}", words.join(" "))),
            Err(error) => log.warn(&format!("network: cannot run {program}: {error}")),
        }
    }
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
