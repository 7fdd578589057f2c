//! Firewalls of other tools, which are judged where one of them is the image's.

use super::plan::{self, Backend, Tool, V4, V6};
use super::{Part, another};
use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View};
use hardtack_report::Place;

/// ufw, where it is the firewall.
pub(super) struct Ufw;

impl Measure for Ufw {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if another(&plan::tools(view.stage)?) != Some(Tool::Ufw) {
            return Ok(Finding::NotApplicable("ufw is not the firewall of this image".to_owned()));
        }
        let path = "/etc/default/ufw";
        let mut faults = Vec::new();
        for key in ["DEFAULT_INPUT_POLICY", "DEFAULT_FORWARD_POLICY"] {
            let value = plan::value(view.stage, path, key).unwrap_or_default();
            if !["DROP", "REJECT"].contains(&value.as_str()) {
                faults.push((Place::file(path), format!("{key} is {value:?}, not DROP")));
            }
        }
        for file in ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"] {
            let rules = text(view.stage, file).unwrap_or_default();
            for port in plan::ports(view.stage)? {
                let is_open = |line: &str| {
                    let (dport, comma) = (format!("--dport {port} "), format!("{port},"));
                    line.ends_with("-j ACCEPT") && (line.contains(&dport) || line.contains(&comma))
                        || line.ends_with("-limit-accept") && line.contains(&dport)
                };
                if !rules.lines().any(|line| is_open(line.trim_end())) {
                    faults.push((Place::file(file), format!("sshd listens on {port}, which is not open")));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

/// Rules of iptables: ours where the image has no nft, or netfilter-persistent's.
pub(super) struct Iptables;

impl Measure for Iptables {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let own = plan::backend(&bench.view()?) == Backend::Iptables;
        if own {
            Part::Input.apply(bench)?;
            Part::On.apply(bench)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let tools = plan::tools(view.stage)?;
        let files = if plan::backend(view) == Backend::Iptables && tools.contains(&Tool::Own) {
            [V4, V6]
        } else if another(&tools) == Some(Tool::Iptables) {
            ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"]
        } else if plan::backend(view) == Backend::Iptables && another(&tools).is_none() {
            return Ok(Finding::fail("nothing loads a firewall at boot"));
        } else {
            return Ok(Finding::NotApplicable("iptables is not the firewall of this image".to_owned()));
        };
        let ssh = plan::ports(view.stage)?;
        let open = plan::open(view.settings, &ssh)?;
        let mut allowed: Vec<(&str, u16)> = ssh.iter().map(|port| ("tcp", *port)).collect();
        allowed.extend(open.iter().map(|open| (open.protocol.word(), open.port)));
        let mut faults = Vec::new();
        for path in files {
            let rules = text(view.stage, path).unwrap_or_default();
            let has = |test: &dyn Fn(&str) -> bool| rules.lines().any(|line| test(line.trim()));
            let mut want = |holds: bool, what: &str| {
                if !holds {
                    faults.push((Place::file(path), what.to_owned()));
                }
            };
            let own_chain = has(&|line| line == "-A HARDTACK -j DROP");
            want(own_chain || has(&|line| line.starts_with(":INPUT DROP")), "what no rule names is let in");
            want(
                has(&|line| line.contains("-i lo ") && line.ends_with("ACCEPT")),
                "what comes over lo is not accepted",
            );
            want(
                has(&|line| {
                    (line.contains("-s 127.0.0.0/8 ") || line.contains("-s ::1")) && line.ends_with("DROP")
                }),
                "loopback addresses from elsewhere are not dropped",
            );
            want(
                has(&|line| line.contains("ESTABLISHED") && line.ends_with("ACCEPT")),
                "answers are not accepted",
            );
            let family = if path.ends_with('6') { "IPv6" } else { "IPv4" };
            for (index, line) in rules.lines().enumerate() {
                if let Some(more) = more(line.trim(), &allowed) {
                    let place = Place { path: path.to_owned(), line: Some(index + 1) };
                    faults.push((place, format!("{more} for {family}")));
                }
            }
        }
        Ok(Finding::of(faults))
    }

    fn is_late(&self) -> bool {
        true
    }
}

/// What a line of iptables-save(8) lets in besides answers, errors, leases and these ports.
fn more(line: &str, allowed: &[(&str, u16)]) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str| words.windows(2).find(|pair| pair[0] == word).map(|pair| pair[1]);
    let ours = words.first() == Some(&"-A") && ["INPUT", "HARDTACK"].contains(words.get(1)?);
    if !ours || after("-j").or_else(|| after("--jump")) != Some("ACCEPT") {
        return None;
    }
    let protocol = after("-p").unwrap_or_default();
    let states = after("--ctstate").or_else(|| after("--state")).unwrap_or("NEW");
    let answers = states.split(',').all(|state| ["RELATED", "ESTABLISHED"].contains(&state));
    let lease = [("67", "68"), ("547", "546")]
        .into_iter()
        .any(|(from, to)| after("--sport") == Some(from) && after("--dport") == Some(to));
    if words.contains(&"!") {
        return Some("a rule that says what it does not mean lets in the rest".to_owned());
    }
    if after("-i") == Some("lo") || protocol.contains("icmp") || answers || lease && protocol == "udp" {
        return None;
    }
    let Some(ports) = after("--dport").or_else(|| after("--dports")) else {
        return Some("a rule without a port lets in all of them".to_owned());
    };
    let is_meant = |port: &str| port.parse().is_ok_and(|port: u16| allowed.contains(&(protocol, port)));
    let port = ports.split(',').find(|port| !is_meant(port))?;
    Some(format!("port {port}/{protocol} is open, and no setting says so"))
}

/// firewalld, where it is the firewall.
pub(super) struct Firewalld;

impl Measure for Firewalld {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if another(&plan::tools(view.stage)?) != Some(Tool::Firewalld) {
            return Ok(Finding::NotApplicable("firewalld is not the firewall of this image".to_owned()));
        }
        let path = "/etc/firewalld/firewalld.conf";
        let zone = plan::value(view.stage, path, "DefaultZone").unwrap_or_else(|| "public".to_owned());
        Ok(if zone == "drop" || zone == "block" {
            Finding::Pass
        } else {
            Finding::fail_at(path, format!("DefaultZone is {zone}, not drop"))
        })
    }
}
