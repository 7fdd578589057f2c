//! What the firewall of one image lets pass, and what loads it.

use hardtack_guest::sshd::{self, Config};
use hardtack_guest::{Set, Stage};
use hardtack_inspect::facts::Init;

use super::accepts::Allowed;
use super::network::{self, Sources};
use super::{Parts, ruleset};
use crate::bench::root;
use crate::merged::{names, text};
use crate::packages::is_spooled;
use crate::{Bench, Error, Protocol, View, units};

pub(super) const NFT: &str = "/etc/hardtack/firewall.nft";
pub(super) const V4: &str = "/etc/hardtack/firewall.v4";
pub(super) const V6: &str = "/etc/hardtack/firewall.v6";
pub(super) const SERVICE: &str = "hardtack-firewall.service";
const SCRIPT: &str = "/usr/sbin/hardtack-firewall";
const UNIT: &str = "/etc/systemd/system/hardtack-firewall.service";
pub(super) const ROLL_BACK: &str = "/etc/systemd/system/hardtack-firewall-rollback.service";
pub(super) const JOB: &str = "/etc/init/hardtack-firewall.conf";
const ROLL_BACK_JOB: &str = "/etc/init/hardtack-firewall-rollback.conf";
const WANTS: &str = "/etc/systemd/system/sysinit.target.wants/hardtack-firewall.service";
pub(super) const CONFIRMED: &str = "/var/lib/hardtack/firewall.confirmed";
pub(super) const ROLLED_BACK: &str = "/var/lib/hardtack/firewall.rolled-back";

/// Minutes until the firewall reopens where nothing is said.
const MINUTES: u32 = 10;
const MOST_PORTS: usize = 32;

/// What loads the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Nft,
    /// Of releases without nft, or whose kernel has no tables of the family inet.
    Iptables,
}

/// What passes.
pub(super) struct Plan {
    pub(super) ports: Vec<u16>,
    pub(super) from: Sources,
    /// Ports besides SSH's.
    pub(super) open: Vec<Allowed>,
    /// Interfaces of containers and virtual machines.
    pub(super) bridges: Vec<&'static str>,
    /// Ports that the profile itself sends to.
    pub(super) out: Vec<u16>,
}

impl Plan {
    fn of(stage: &Stage<'_>, settings: &crate::Settings) -> Result<Self, Error> {
        let log = settings.log_host.as_deref().and_then(|host| host.rsplit_once(':'));
        let ports = ports(stage)?;
        Ok(Self {
            open: open(settings, &ports)?,
            from: network::read("fw-ssh-open", &settings.ssh_from)?,
            ports,
            bridges: bridges(stage)?,
            out: log.and_then(|(_, port)| port.parse().ok()).into_iter().collect(),
        })
    }
}

/// What the settings open besides SSH.
pub(super) fn open(settings: &crate::Settings, ssh: &[u16]) -> Result<Vec<Allowed>, Error> {
    let mut all: Vec<_> = settings.open_ports.iter().collect();
    all.sort_unstable();
    let mut open = Vec::new();
    for one in all {
        if one.protocol == Protocol::Tcp && ssh.contains(&one.port) {
            return Err(Error::Refused {
                rule: "fw-open-ports",
                what: format!("sshd listens on {}, which `open-ports` names", one.port),
                hint: "take it out there: `ssh-from` says who may reach SSH".to_owned(),
            });
        }
        let from = network::read("fw-open-ports", &one.from)?;
        open.push(Allowed { protocol: one.protocol, port: one.port, from });
    }
    Ok(open)
}

fn is_there(stage: &Stage<'_>, path: &str) -> bool {
    stage.stat(path).is_ok_and(|there| there.is_some())
}

fn has_program(stage: &Stage<'_>, name: &str) -> bool {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        .iter()
        .any(|directory| is_there(stage, &format!("{directory}/{name}")))
}

/// nft is in the image.
pub(super) fn has_nft(stage: &Stage<'_>) -> bool {
    has_program(stage, "nft")
}

pub(super) fn backend(view: &View<'_>) -> Backend {
    // Upstart's releases have kernels before 3.14, which know no table of the family inet.
    let old = view.facts.init == Some(Init::Upstart) || !has_nft(view.stage);
    if old && has_program(view.stage, "iptables") { Backend::Iptables } else { Backend::Nft }
}

/// Where sshd listens, or 22: the globals of its configuration, and the sockets of systemd that start it.
pub(super) fn ports(stage: &Stage<'_>) -> Result<Vec<u16>, Error> {
    let mut found: Vec<u16> = Vec::new();
    if let Some(version) = sshd::installed(stage)? {
        // What sshd would refuse is told by other rules.
        let config = Config::load(stage, version).ok();
        let values = |keyword: &str| -> Vec<String> {
            let lines = config.iter().flat_map(|config| config.global(keyword));
            lines.filter_map(|line| line.words.first().cloned()).collect()
        };
        let listens = values("ListenAddress");
        let explicit: Vec<Option<u16>> = listens.iter().map(|address| port_of(address)).collect();
        found.extend(explicit.iter().flatten());
        if explicit.is_empty() || explicit.contains(&None) {
            let before = found.len();
            found.extend(values("Port").iter().filter_map(|port| port.parse::<u16>().ok()));
            if found.len() == before {
                found.push(22);
            }
        }
    }
    for path in ["/etc/systemd/system/ssh.socket", "/etc/systemd/system/sshd.socket"] {
        let directory = format!("{path}.d");
        let drop_ins = names(stage, &directory)?;
        let files = drop_ins.iter().filter(|name| name.ends_with(".conf"));
        for file in files.map(|name| format!("{directory}/{name}")).chain([path.to_owned()]) {
            let text = text(stage, &file).unwrap_or_default();
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix("ListenStream="));
            found.extend(
                lines.filter_map(|value| value.trim().parse::<u16>().ok().or_else(|| port_of(value.trim()))),
            );
        }
    }
    found.retain(|port| *port != 0);
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST_PORTS);
    if found.is_empty() {
        found.push(22);
    }
    Ok(found)
}

/// The port of `host:port` and `[address]:port`; IPv6 without brackets has none.
fn port_of(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    if host.contains(':') && !host.ends_with(']') {
        return None;
    }
    port.parse().ok()
}

/// The interfaces of what makes containers and virtual machines in this image.
fn bridges(stage: &Stage<'_>) -> Result<Vec<&'static str>, Error> {
    let snaps = names(stage, "/var/lib/snapd/snaps")?;
    let snap = |name: &str| snaps.iter().any(|file| file.starts_with(&format!("{name}_")));
    let any = |programs: &[&str]| programs.iter().any(|name| has_program(stage, name));
    // Packages that dpkg finishes at the first boot have no programs yet.
    let waits = |packages: &[&str]| packages.iter().any(|name| is_spooled(stage, name));
    let mut found = Vec::new();
    if any(&["dockerd"]) || waits(&["docker.io", "docker-ce"]) || snap("docker") {
        found.extend(["docker0", "br-*"]);
    }
    if any(&["lxd", "lxc-start"]) || waits(&["lxd", "lxc"]) || snap("lxd") {
        found.extend(["lxdbr*", "lxcbr*"]);
    }
    if any(&["incusd"]) || is_there(stage, "/usr/libexec/incus/incusd") || waits(&["incus"]) {
        found.push("incusbr*");
    }
    if any(&["libvirtd", "virtqemud"]) || waits(&["libvirt-daemon-system"]) {
        found.push("virbr*");
    }
    let pods = any(&["podman", "kubelet", "k3s"]) || waits(&["podman", "kubelet"]);
    if pods || is_there(stage, "/opt/cni/bin") {
        found.extend(["cni*", "podman*", "veth*"]);
    }
    Ok(found)
}

/// Writes what the rules want of the firewall, and takes away what none wants any more.
pub(super) fn write(parts: Parts, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
    let (backend, init, overlay) = {
        let view = bench.view()?;
        (backend(&view), view.facts.init, is_there(view.stage, "/usr/sbin/overlayroot-chroot"))
    };
    let upstart = init == Some(Init::Upstart);
    let minutes = bench.settings.firewall_rollback.unwrap_or(MINUTES).max(1);
    let armed = parts.on && !bench.settings.firewall_confirmed;
    if parts.any() {
        let plan = Plan::of(bench.stage, bench.settings)?;
        if plan.from.is_everybody() {
            bench.notes.push(
                "the firewall lets SSH in from all networks: `ssh-from` of the profile names those that may"
                    .to_owned(),
            );
        }
        match backend {
            Backend::Nft => rules(bench, &[(NFT, ruleset::nft(parts, &plan))])?,
            Backend::Iptables => {
                rules(bench, &[(V4, ruleset::iptables(false, &plan)), (V6, ruleset::iptables(true, &plan))])?;
            }
        }
        bench.file(SCRIPT, 0o755, include_str!("hardtack-firewall.sh"));
    }
    if parts.on {
        start(bench, backend, init, armed.then_some(minutes))?;
    }
    if armed {
        let more = if overlay { "; under overlayroot the command writes the root below, too" } else { "" };
        bench.notes.push(format!(
            "the firewall reopens {minutes} minute{} after each boot until somebody says on the machine: \
             hardtack-firewall confirm{more}",
            if minutes == 1 { "" } else { "s" }
        ));
    }
    link(bench, WANTS, UNIT, parts.on && !upstart)
}

/// What was said about the rules of some machine says nothing about another one's.
fn rules(bench: &mut Bench<'_, '_>, files: &[(&'static str, String)]) -> Result<(), Error> {
    for (path, content) in files {
        bench.file(path, 0o640, content.clone());
    }
    for path in [CONFIRMED, ROLLED_BACK] {
        if bench.stage.lstat(path)?.is_some() {
            bench.stage.remove(path)?;
        }
    }
    Ok(())
}

fn start(
    bench: &mut Bench<'_, '_>,
    backend: Backend,
    init: Option<Init>,
    minutes: Option<u32>,
) -> Result<(), Error> {
    let tool = match backend {
        Backend::Nft => "/usr/sbin/nft",
        Backend::Iptables if is_there(bench.stage, "/usr/sbin/iptables") => "/usr/sbin/iptables",
        Backend::Iptables => "/sbin/iptables",
    };
    if init == Some(Init::Sysv) {
        return Err(units::no_starter(
            "fw-nft-on",
            "the firewall",
            "fw-nft-on, fw-nft-permanent and fw-iptables",
        ));
    }
    if init == Some(Init::Upstart) {
        bench.file(JOB, 0o644, include_str!("hardtack-firewall.upstart"));
        if let Some(minutes) = minutes {
            let text = include_str!("hardtack-firewall-rollback.upstart");
            let text = text.replace("@MINUTES@", &minutes.to_string());
            bench.file(ROLL_BACK_JOB, 0o644, text);
        }
        return Ok(());
    }
    let count = if minutes.is_some() { " hardtack-firewall-rollback.service" } else { "" };
    let text = include_str!("hardtack-firewall.service").replace("@TOOL@", tool);
    bench.file(UNIT, 0o644, text.replace("@COUNT@", count));
    if let Some(minutes) = minutes {
        let text = include_str!("hardtack-firewall-rollback.service").replace("@TOOL@", tool);
        bench.file(ROLL_BACK, 0o644, text.replace("@MINUTES@", &minutes.to_string()));
    }
    let loaded = match backend {
        Backend::Nft => "nft list table inet hardtack >/dev/null",
        Backend::Iptables => "iptables -C INPUT -j HARDTACK",
    };
    // nft may have come by this very script: then the service has waited for it. The minutes begin with it.
    bench.first_boot(
        "fw-nft-on",
        format!(
            "    [ ! -e {ROLLED_BACK} ] || {{ echo 'it was reopened: nobody has confirmed it'; return 1; }}\n    \
             if ! systemctl -q is-active {SERVICE}; then\n        systemctl restart {SERVICE}\n    fi\n    \
             {loaded}"
        ),
    );
    Ok(())
}

fn link(bench: &mut Bench<'_, '_>, path: &str, unit: &str, wanted: bool) -> Result<(), Error> {
    if wanted {
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        if bench.stage.stat(parent)?.is_none() {
            bench.stage.mkdir(parent, root(0o755))?;
        }
        bench.stage.symlink(path, unit)?;
    } else if bench.stage.read_link(path).ok().flatten().is_some_and(|target| target == unit) {
        bench.stage.remove(path)?;
    }
    Ok(())
}

/// What is switched on that filters packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// hardtack's own table.
    Own,
    /// nftables.service.
    Nftables,
    Ufw,
    /// netfilter-persistent, or what iptables-services has.
    Iptables,
    Firewalld,
}

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own => "hardtack-firewall.service",
            Self::Nftables => "nftables.service",
            Self::Ufw => "ufw",
            Self::Iptables => "netfilter-persistent",
            Self::Firewalld => "firewalld",
        }
    }
}

pub(super) const OTHERS: [&str; 6] = [
    "nftables.service",
    "netfilter-persistent.service",
    "iptables-persistent.service",
    "iptables.service",
    "ip6tables.service",
    "firewalld.service",
];

/// All that are switched on.
pub(super) fn tools(stage: &Stage<'_>) -> Result<Vec<Tool>, Error> {
    let on = |unit: &str| units::enabled(stage, unit).map(|links| !links.is_empty());
    let mut found = Vec::new();
    if on(SERVICE)? {
        found.push(Tool::Own);
    }
    if on("nftables.service")? {
        found.push(Tool::Nftables);
    }
    if on("ufw.service")? && ufw_is_enabled(stage) {
        found.push(Tool::Ufw);
    }
    let persistent = ["netfilter-persistent.service", "iptables-persistent.service", "iptables.service"];
    if persistent.iter().map(|unit| on(unit)).collect::<Result<Vec<_>, _>>()?.contains(&true) {
        found.push(Tool::Iptables);
    }
    if on("firewalld.service")? {
        found.push(Tool::Firewalld);
    }
    Ok(found)
}

pub(super) const UFW: &str = "/etc/ufw/ufw.conf";

pub(super) fn ufw_is_enabled(stage: &Stage<'_>) -> bool {
    value(stage, UFW, "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes"))
}

/// The last value of `KEY=value` in a file of shell assignments.
pub(super) fn value(stage: &Stage<'_>, path: &str, key: &str) -> Option<String> {
    let text = text(stage, path)?;
    let mut lines =
        text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
    lines.next_back().map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// ufw is off.
pub(super) fn ufw_off(bench: &mut Bench<'_, '_>) -> Result<(), Error> {
    if ufw_is_enabled(bench.stage)
        && let Some(text) = text(bench.stage, UFW)
    {
        let lines = text.lines().map(|line| match line.trim().strip_prefix("ENABLED") {
            Some(rest) if rest.trim_start().starts_with('=') => "ENABLED=no",
            _ => line,
        });
        let text = lines.map(|line| format!("{line}\n")).collect::<String>();
        crate::conffile::edit(bench.stage, UFW, text, Set::default())?;
        bench.notes.push("ufw was on in the image: the firewall of the profile is in its place".to_owned());
    }
    units::mask(bench, "ufw.service")
}
