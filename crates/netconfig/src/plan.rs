//! The whole of it: whose configuration counts, which program reads it, what is written and done.
//! (`cloudinit/stages.py`, `_find_networking_config`, `apply_network_config`; `cloudinit/distros/__init__.py`)

use hardtack_userdata::{Finding, Value};

use crate::bring_up::{self, After};
use crate::choose::{Files, choose};
use crate::config::{Card, NetFile, Says, says};
use crate::fallback::{self, Device};
use crate::render::{Image, Rendered, Renderer, render};
use crate::{netplan, py};

/// Who says what the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `network-config=` on the kernel command line.
    CommandLine,
    /// What the initramfs left.
    Initramfs,
    /// The data source: a seed's `network-config`, OpenStack's `network_data.json`.
    DataSource,
    /// `network:` in `/etc/cloud/cloud.cfg` and below `/etc/cloud/cloud.cfg.d`.
    System,
    /// Nobody: DHCP.
    Fallback,
}

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What the sources say, the weightiest first: command line, initramfs, data source, system.
    pub sources: &'a [(Source, Value)],
    /// `/sys/class/net`.
    pub devices: &'a [Device],
    /// `system_info: {network: {renderers: …}}`.
    pub renderers: Option<&'a Value>,
    /// The distribution, as cloud-init names it: `debian`, `rhel`, `suse`.
    pub variant: &'a str,
    /// `/proc/cmdline`.
    pub command_line: &'a str,
    /// `netplan info` names `ipv6-mtu`, as it does since 0.98.
    pub netplan_ipv6_mtu: bool,
    /// The image.
    pub files: &'a dyn Files,
}

/// What is to be done for the network.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Whose configuration it is; `None` if nothing is to be done.
    pub source: Option<Source>,
    /// Whom the files are for.
    pub renderer: Option<Renderer>,
    /// The configuration, without `network:` around it.
    pub config: Option<Value>,
    /// Files to write, folders made on the way.
    pub files: Vec<NetFile>,
    /// Files to remove, if they are there.
    pub remove: Vec<String>,
    /// What to do then, in order; renames come before the files are written.
    pub after: Vec<After>,
    /// What is wrong, and what was passed over.
    pub findings: Vec<Finding>,
}

/// The plan. Where a configuration is refused, DHCP takes its place, so that somebody can come and mend it.
#[must_use]
pub fn plan(request: &Request<'_>) -> Plan {
    let mut plan = Plan::default();
    let cards = cards(request.devices);
    for (source, value) in request.sources {
        match says(value) {
            Ok(Says::Nothing) => {}
            Ok(Says::Disabled) => {
                plan.source = Some(*source);
                return plan;
            }
            Ok(Says::This(config)) => {
                if carry_out(request, &cards, *source, config, &mut plan) {
                    return plan;
                }
                break;
            }
            Err(finding) => {
                plan.findings.push(*finding);
                break;
            }
        }
    }
    // cloud-init asks for both families since 23.x. ifupdown waits for each in turn, and where nobody answers
    // DHCPv6 that is five minutes before SSH; it gets IPv4 alone, as from cloud-init in the releases that it is of.
    let renderer = choose(request.renderers, request.variant, request.files);
    let both = !matches!(renderer, Ok(Renderer::Eni));
    match fallback::config(request.devices, both) {
        Some(config) => {
            carry_out(request, &cards, Source::Fallback, config, &mut plan);
        }
        None => {
            let message =
                "no network card was found, and nothing says what the network is: none is configured";
            plan.findings.push(Finding::warning(
                "network-none",
                hardtack_userdata::Place::default(),
                message,
            ));
        }
    }
    plan
}

/// The cards that have an address of their own.
fn cards(devices: &[Device]) -> Vec<Card> {
    let own = |device: &&Device| {
        !device.bridge && !device.bond && !device.card.mac.is_empty() && device.card.name != "lo"
    };
    devices.iter().filter(own).map(|device| device.card.clone()).collect()
}

/// False if the configuration is refused.
fn carry_out(request: &Request<'_>, cards: &[Card], source: Source, config: Value, plan: &mut Plan) -> bool {
    let files = request.files;
    let renderer = match choose(request.renderers, request.variant, files) {
        Ok(renderer) => renderer,
        Err(finding) => {
            plan.findings.push(*finding);
            return true;
        }
    };
    let image = Image {
        has_ip: ["/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip", "/bin/ip"].iter().any(|path| files.exists(path)),
        netplan_ipv6_mtu: request.netplan_ipv6_mtu,
        whole_interfaces: request.variant == "alpine",
        suse: request.variant == "suse",
    };
    let rendered = match render(renderer, &config, cards, &image, &|path| files.read(path)) {
        Ok(rendered) => rendered,
        Err(finding) => {
            plan.findings.push(*finding);
            return false;
        }
    };
    let (mut after, mut findings) = bring_up::renames(&config, cards);
    if renderer == Renderer::Netplan {
        let names: Vec<String> = request.devices.iter().map(|device| device.card.name.clone()).collect();
        let now = rendered.files.first().map_or("", |file| &file.text);
        let before = files.read(netplan::PATH);
        after.extend(bring_up::netplan(before.as_deref(), now, request.command_line, &names));
    }
    legacy(request, plan);
    let Rendered { files, findings: mut more } = rendered;
    plan.source = Some(source);
    plan.renderer = Some(renderer);
    plan.config = Some(config);
    plan.files = files;
    plan.after = after;
    plan.findings.append(&mut findings);
    plan.findings.append(&mut more);
    true
}

/// Old Ubuntu images' `eth0.cfg`, which would contradict (`_maybe_remove_legacy_eth0`).
fn legacy(request: &Request<'_>, plan: &mut Plan) {
    const PATH: &str = "/etc/network/interfaces.d/eth0.cfg";
    if !matches!(request.variant, "debian" | "ubuntu" | "raspberry-pi-os") {
        return;
    }
    let Some(text) = request.files.read(PATH) else { return };
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
    if lines.eq(["auto eth0", "iface eth0 inet dhcp"]) {
        plan.remove.push(PATH.to_owned());
    } else {
        let message = format!("{PATH} is somebody's own and may contradict the network that is written");
        plan.findings.push(Finding::warning(py::IGNORED, hardtack_userdata::Place::default(), message));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hardtack_userdata::Value;

    use super::{Plan, Request, Source, plan};
    use crate::choose::Files;
    use crate::config::Card;
    use crate::fallback::Device;
    use crate::render::Renderer;

    struct Image(&'static [&'static str]);

    impl Files for Image {
        fn exists(&self, path: &str) -> bool {
            self.0.contains(&path)
        }
        fn read(&self, path: &str) -> Option<String> {
            self.exists(path).then(String::new)
        }
        fn names(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
        fn enabled(&self, _: &str) -> bool {
            true
        }
    }

    const DEBIAN: Image =
        Image(&["/sbin/ifup", "/sbin/ifdown", "/sbin/ifquery", "/etc/network/interfaces", "/bin/ip"]);

    fn run(sources: &[(Source, &str)], files: &Image) -> Plan {
        let sources: Vec<_> =
            sources.iter().map(|(source, text)| (*source, Value::load(text, 0).unwrap())).collect();
        let card = Card { name: "eth0".to_owned(), mac: "52:54:00:12:34:56".to_owned(), driver: None };
        let devices = [Device { card, carrier: true, ..Device::default() }];
        plan(&Request {
            sources: &sources,
            devices: &devices,
            renderers: None,
            variant: "debian",
            command_line: "",
            netplan_ipv6_mtu: false,
            files,
        })
    }

    #[test]
    fn nobody_says_anything() {
        let plan = run(&[(Source::System, "null")], &DEBIAN);
        assert_eq!((plan.source, plan.renderer), (Some(Source::Fallback), Some(Renderer::Eni)));
        // Without IPv6, for which ifupdown would wait.
        assert!(plan.files[0].text.ends_with("auto eth0\niface eth0 inet dhcp\n"), "{}", plan.files[0].text);
        assert_eq!(plan.files.len(), 2);
    }

    #[test]
    fn the_first_that_says_something_counts() {
        let disabled = run(
            &[(Source::CommandLine, "{config: disabled}"), (Source::DataSource, "{version: 2}")],
            &DEBIAN,
        );
        assert_eq!((disabled.source, disabled.files.len()), (Some(Source::CommandLine), 0));
        let seed = "network: {version: 1, config: [{type: physical, name: ens9, subnets: [{type: dhcp}]}]}";
        let found = run(&[(Source::DataSource, seed), (Source::System, "{config: disabled}")], &DEBIAN);
        assert_eq!(found.source, Some(Source::DataSource));
        assert!(found.files[0].text.contains("iface ens9 inet dhcp"));
    }

    #[test]
    fn what_is_refused_gives_way_to_dhcp() {
        let plan = run(&[(Source::DataSource, "{version: 1, config: [{type: tunnel, name: a}]}")], &DEBIAN);
        assert_eq!(plan.source, Some(Source::Fallback));
        assert!(plan.findings[0].message.contains("tunnel"), "{:?}", plan.findings);
        let nothing = run(&[], &Image(&[]));
        assert_eq!((nothing.renderer, nothing.files.len()), (None, 0));
    }
}
