//! A firewall that lets nothing in but SSH, and opens again unless somebody confirms it.
//!
//! Its own table, which a service loads before the network is up. nftables.service stays off: Debian's
//! /etc/nftables.conf begins with `flush ruleset`, which takes away what Docker has made.

mod accepts;
mod network;
mod nft;
mod old;
mod plan;
mod ruleset;
#[cfg(test)]
mod tests;

use hardtack_report::Place;

use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Level, Measure, Protocol, Rule, View, units};
use accepts::Allowed;
use nft::{Chain, Rules};
use plan::{Backend, CONFIRMED, NFT, OTHERS, ROLL_BACK, ROLLED_BACK, SERVICE, Tool};

/// What the rules of a profile want of the firewall.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    table: bool,
    input: bool,
    forward: bool,
    output: bool,
    on: bool,
}

impl Parts {
    fn any(self) -> bool {
        self.table || self.input || self.forward || self.output || self.on
    }

    /// Writes it, when all rules have said what they want.
    pub(crate) fn write(self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        plan::write(self, bench)
    }
}

/// One thing that the table does.
#[derive(Clone, Copy)]
enum Part {
    Table,
    Chains,
    Loopback,
    Established,
    Input,
    Forward,
    Output,
    Open,
    /// What is open besides SSH.
    Others,
    On,
    Permanent,
}

impl Measure for Part {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let parts = &mut bench.firewall;
        match self {
            Self::Table | Self::Chains | Self::Loopback | Self::Established | Self::Open | Self::Others => {
                parts.table = true
            }
            Self::Input => parts.input = true,
            Self::Forward => parts.forward = true,
            Self::Output => parts.output = true,
            Self::On | Self::Permanent => parts.on = true,
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let tools = plan::tools(view.stage)?;
        if let Some(other) = another(&tools) {
            return Ok(Finding::NotApplicable(format!("{} is the firewall of this image", other.name())));
        }
        if matches!(self, Self::On | Self::Permanent) {
            return self.is_on(view, &tools);
        }
        if plan::backend(view) == Backend::Iptables {
            return Ok(Finding::NotApplicable("the image has no nft: fw-iptables does it".to_owned()));
        }
        let mut files = Vec::new();
        // Ours is looked at whether it is switched on or not: that is a rule of its own.
        if tools != [Tool::Nftables] {
            files.push(NFT.to_owned());
        }
        if tools.contains(&Tool::Nftables) {
            let sysconfig = "/etc/sysconfig/nftables.conf";
            let red_hat = view.stage.stat(sysconfig).is_ok_and(|there| there.is_some());
            files.push(if red_hat { sysconfig } else { "/etc/nftables.conf" }.to_owned());
        }
        let rules = Rules::read(view.stage, &files)?;
        let file = files.first().map_or(NFT, String::as_str);
        if rules.chains.is_empty() {
            return Ok(Finding::fail_at(file, "no table with a chain"));
        }
        Ok(match self {
            Self::Chains => chains(&rules, file),
            Self::Loopback => loopback(&rules, file),
            Self::Established => established(&rules, file),
            Self::Input => drops(&rules, "input", file),
            Self::Forward => drops(&rules, "forward", file),
            Self::Output => drops(&rules, "output", file),
            Self::Open => open(view, &rules, file)?,
            Self::Others => others(view, &rules, file)?,
            Self::Table | Self::On | Self::Permanent => Finding::Pass,
        })
    }

    // Where sshd listens is known when all steps have run.
    fn is_late(&self) -> bool {
        true
    }
}

/// A firewall that is neither ours nor nft's, and is switched on alone.
fn another(tools: &[Tool]) -> Option<Tool> {
    let nft = tools.iter().any(|tool| matches!(tool, Tool::Own | Tool::Nftables));
    tools.first().copied().filter(|_| !nft)
}

impl Part {
    fn is_on(self, view: &View<'_>, tools: &[Tool]) -> Result<Finding, Error> {
        if !tools.iter().any(|tool| matches!(tool, Tool::Own | Tool::Nftables)) {
            return Ok(Finding::fail(format!("nothing loads a firewall at boot: {SERVICE} is not enabled")));
        }
        if view.stage.lstat(ROLLED_BACK).is_ok_and(|there| there.is_some()) {
            return Ok(Finding::fail_at(
                ROLLED_BACK,
                "it was reopened on a machine, and is not loaded again",
            ));
        }
        let found =
            view.at_first_boot("fw-nft-on", "nft is not in the image yet; the table is loaded when it is");
        // What a machine has found counts; that it is still to be looked at is no reason to fail.
        if matches!(&found, Finding::Fail { places, .. } if !places.is_empty()) {
            return Ok(found);
        }
        let has_tool = plan::backend(view) == Backend::Iptables || plan::has_nft(view.stage);
        if !has_tool {
            return Ok(found);
        }
        if matches!(self, Self::Permanent) && tools.contains(&Tool::Own) {
            let counted = view.stage.stat(ROLL_BACK).is_ok_and(|there| there.is_some());
            let confirmed = view.stage.stat(CONFIRMED).is_ok_and(|there| there.is_some());
            if counted && !confirmed {
                return Ok(Finding::FirstBoot(
                    "it reopens unless somebody says on the machine: hardtack-firewall confirm".to_owned(),
                ));
            }
        }
        Ok(Finding::Pass)
    }
}

/// A family of addresses, and whether a chain sees it.
type Family = (&'static str, fn(&Chain) -> bool);

const BOTH: [Family; 2] = [("IPv4", Chain::is_v4), ("IPv6", Chain::is_v6)];

fn chains(rules: &Rules, file: &str) -> Finding {
    let mut faults = Vec::new();
    for hook in ["input", "forward", "output"] {
        for (family, is_it) in BOTH {
            if !rules.at(hook).any(is_it) {
                faults.push((Place::file(file), format!("no chain of type filter at {hook} for {family}")));
            }
        }
    }
    Finding::of(faults)
}

fn drops(rules: &Rules, hook: &str, file: &str) -> Finding {
    let mut faults = Vec::new();
    for (family, is_it) in BOTH {
        let mut there = rules.at(hook).filter(|chain| is_it(chain));
        // One chain that drops is enough: what another one accepts must still pass it.
        if !there.any(|chain| chain.drops && !chain.rules.iter().any(nft::Statement::is_open)) {
            let place = rules.at(hook).find(|chain| is_it(chain)).and_then(|chain| chain.place.clone());
            faults.push((
                place.unwrap_or_else(|| Place::file(file)),
                format!("what no rule names passes at {hook} for {family}; the policy shall be drop"),
            ));
        }
    }
    Finding::of(faults)
}

fn loopback(rules: &Rules, file: &str) -> Finding {
    let has = |test: &dyn Fn(&str, &str) -> bool| {
        rules.at("input").any(|chain| chain.rules.iter().any(|rule| test(&rule.text, rule.verdict())))
    };
    let mut faults = Vec::new();
    let mut want = |holds: bool, what: &str| {
        if !holds {
            faults.push((Place::file(file), what.to_owned()));
        }
    };
    let is_lo = |text: &str| {
        let text = text.replace('"', "");
        text.starts_with("iif lo ") || text.starts_with("iifname lo ")
    };
    want(has(&|text, verdict| is_lo(text) && verdict == "accept"), "what comes over lo is not accepted");
    want(
        has(&|text, verdict| text.contains("ip saddr 127.0.0.0/8") && verdict == "drop"),
        "127.0.0.0/8 from elsewhere is not dropped",
    );
    want(
        has(&|text, verdict| text.contains("ip6 saddr ::1") && verdict == "drop"),
        "::1 from elsewhere is not dropped",
    );
    Finding::of(faults)
}

fn established(rules: &Rules, file: &str) -> Finding {
    let mut faults = Vec::new();
    for hook in ["input", "output"] {
        let mut there = rules.at(hook);
        let answers = |chain: &Chain| {
            chain.rules.iter().any(|rule| {
                rule.text.contains("ct state")
                    && rule.text.contains("established")
                    && rule.verdict() == "accept"
            })
        };
        // A chain that drops nothing needs no word for answers.
        if !there.any(answers) && (hook == "input" || rules.at(hook).any(|chain| chain.drops)) {
            faults.push((Place::file(file), format!("answers are not accepted at {hook}")));
        }
    }
    Finding::of(faults)
}

fn open(view: &View<'_>, rules: &Rules, file: &str) -> Result<Finding, Error> {
    let mut faults = Vec::new();
    // All networks, spelled out or not.
    let everybody =
        network::read("fw-ssh-open", &view.settings.ssh_from).is_ok_and(|from| from.is_everybody());
    let accepts: Vec<_> = rules
        .at("input")
        .filter(|chain| chain.drops)
        .flat_map(|chain| &chain.rules)
        .filter(|rule| rule.verdict() == "accept")
        .collect();
    if accepts.is_empty() {
        return Ok(Finding::NotApplicable("nothing is dropped at input".to_owned()));
    }
    for port in plan::ports(view.stage)? {
        let about: Vec<_> = accepts.iter().filter(|rule| rule.is_about(port)).collect();
        if about.is_empty() {
            faults.push((
                Place::file(file),
                format!("sshd listens on {port}, which is not open: nobody gets in"),
            ));
        }
        for rule in about {
            if !everybody && !rule.text.contains("saddr") && !rule.text.contains("nfproto") {
                faults.push((rule.place.clone(), format!("port {port} is open to all networks")));
            }
        }
    }
    Ok(Finding::of(faults))
}

/// What is open besides SSH is what the settings name.
fn others(view: &View<'_>, rules: &Rules, file: &str) -> Result<Finding, Error> {
    let ssh = plan::ports(view.stage)?;
    let from = network::read("fw-open-ports", &view.settings.ssh_from)?;
    let mut allowed = plan::open(view.settings, &ssh)?;
    allowed.extend(ssh.iter().map(|port| Allowed {
        protocol: Protocol::Tcp,
        port: *port,
        from: from.clone(),
    }));
    if !rules.at("input").any(|chain| chain.drops) {
        return Ok(Finding::NotApplicable("nothing is dropped at input".to_owned()));
    }
    let mut faults: Vec<(Place, String)> = Vec::new();
    for (family, is_it) in BOTH {
        // What one chain accepts must pass all others, too: one that lets nothing else in is enough.
        let chains = rules.at("input").filter(|chain| chain.drops && is_it(chain));
        let besides = chains.map(|chain| accepts::besides(rules, chain, &allowed)).min_by_key(Vec::len);
        match besides {
            None => faults.push((Place::file(file), format!("nothing is dropped at input for {family}"))),
            Some(more) => {
                for fault in more {
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                }
            }
        }
    }
    Ok(Finding::of(faults))
}

/// Nothing else filters packets beside ours.
struct OneTool;

impl Measure for OneTool {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        plan::ufw_off(bench)?;
        for unit in OTHERS {
            units::mask(bench, unit)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let names: Vec<&str> = plan::tools(view.stage)?.into_iter().map(Tool::name).collect();
        Ok(match names.as_slice() {
            [_] => Finding::Pass,
            [] => Finding::fail("nothing filters packets"),
            several => Finding::fail(format!("{} are all switched on", several.join(", "))),
        })
    }

    fn is_late(&self) -> bool {
        true
    }
}

/// ufw is off.
struct UfwOff;

impl Measure for UfwOff {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        plan::ufw_off(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let tools = plan::tools(view.stage)?;
        Ok(match another(&tools) {
            Some(Tool::Ufw) => Finding::NotApplicable("ufw is the firewall of this image".to_owned()),
            _ if tools.contains(&Tool::Ufw) => Finding::fail_at(plan::UFW, "ufw is on beside nftables"),
            _ => Finding::Pass,
        })
    }
}

/// nft, or on releases without it iptables, is in the image.
struct Program;

const NFTABLES: Wanted = Wanted(&["nftables"]);

/// What is there without a package is not installed again.
fn is_enough(view: &View<'_>) -> bool {
    plan::backend(view) == Backend::Iptables || plan::has_nft(view.stage) && !view.has_package("nftables")
}

impl Measure for Program {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let there = is_enough(&bench.view()?);
        if there { Ok(()) } else { NFTABLES.apply(bench) }
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if let Some(other) = another(&plan::tools(view.stage)?) {
            return Ok(Finding::NotApplicable(format!("{} is the firewall of this image", other.name())));
        }
        if plan::backend(view) == Backend::Iptables {
            return Ok(Finding::NotApplicable("the image has no nft: fw-iptables does it".to_owned()));
        }
        if plan::has_nft(view.stage) { Ok(Finding::Pass) } else { NFTABLES.check(view) }
    }

    fn installs(&self, view: &View<'_>) -> &'static [&'static str] {
        if is_enough(view) { &[] } else { NFTABLES.0 }
    }
}

const RULE_TOOL: Rule = Rule::new(
    "fw-one-tool",
    "4.1.1",
    Level::One,
    "exactly one tool filters packets",
    "two of them undo each other's rules, and nobody knows which one is in force",
    &OneTool,
);

pub(super) const RULES: &[Rule] = &[
    RULE_TOOL,
    Rule::new(
        "fw-ufw",
        "4.2.1-7",
        Level::One,
        "where ufw is the firewall, it is on and drops what no rule names",
        "one firewall is enough; an image that has chosen ufw is judged by what ufw does",
        &old::Ufw,
    ),
    Rule::new(
        "fw-nft-installed",
        "4.3.1",
        Level::One,
        "nft is installed",
        "without it the kernel's packet filter is open",
        &Program,
    ),
    Rule::new(
        "fw-ufw-off",
        "4.3.2",
        Level::One,
        "ufw is off where nftables filters packets",
        "ufw's chains would come and go beside the profile's own table",
        &UfwOff,
    ),
    Rule::new(
        "fw-nft-table",
        "4.3.4",
        Level::One,
        "a table holds the firewall's rules",
        "chains live in a table; one of our own is loaded and taken away without touching others'",
        &Part::Table,
    ),
    Rule::new(
        "fw-nft-chains",
        "4.3.5",
        Level::One,
        "base chains at input, forward and output see every packet",
        "a packet that no base chain sees is filtered by nothing",
        &Part::Chains,
    ),
    Rule::new(
        "fw-nft-loopback",
        "4.3.6",
        Level::One,
        "loopback traffic passes, and its addresses from elsewhere are dropped",
        "programs trust 127.0.0.1 and ::1; only this machine may speak under these addresses",
        &Part::Loopback,
    ),
    Rule::new(
        "fw-nft-established",
        "4.3.7",
        Level::One,
        "answers to what the machine has asked pass",
        "without them nothing that the machine asks for ever arrives",
        &Part::Established,
    ),
    Rule::new(
        "fw-nft-deny",
        "4.3.8",
        Level::One,
        "what comes in without a rule that names it is dropped",
        "a service that somebody starts by mistake cannot be reached",
        &Part::Input,
    ),
    Rule::new(
        "fw-nft-forward",
        "4.3.8",
        Level::One,
        "what would be forwarded without a rule that names it is dropped",
        "a server is no router; containers and virtual machines of the image have rules that name them",
        &Part::Forward,
    ),
    Rule::new(
        "fw-nft-output",
        "4.3.8",
        Level::Two,
        "what leaves without a rule that names it is rejected",
        "who has broken in cannot call out by any port; level 1 leaves it open, since mirrors and agents use many",
        &Part::Output,
    ),
    Rule::new(
        "fw-ssh-open",
        "",
        Level::One,
        "the ports of sshd are open, to the networks that SSH is for",
        "a firewall that forgets sshd's port locks everybody out, and one without networks keeps nobody away",
        &Part::Open,
    ),
    Rule::new(
        "fw-open-ports",
        "",
        Level::One,
        "no port is open but sshd's and those that the recipe names",
        "each port that is open is a service that anybody may try to break; `open-ports` of the recipe says which are meant",
        &Part::Others,
    ),
    Rule::new(
        "fw-nft-on",
        "4.3.9",
        Level::One,
        "the firewall is loaded at boot",
        "rules that nothing loads filter nothing; our own unit does it, since nftables.service flushes Docker's",
        &Part::On,
    ),
    Rule::new(
        "fw-nft-permanent",
        "4.3.10",
        Level::One,
        "the firewall is loaded from a file, and stays when somebody has confirmed it",
        "rules that live in memory are gone after a boot; and what locks its owner out must open again",
        &Part::Permanent,
    ),
    Rule::new(
        "fw-iptables",
        "4.4.1-3",
        Level::One,
        "where iptables is the firewall, it drops what no rule names",
        "releases without nft get the same rules by iptables",
        &old::Iptables,
    ),
    Rule::new(
        "fw-firewalld",
        "",
        Level::One,
        "where firewalld is the firewall, its default zone drops what no rule names",
        "one firewall is enough; an image that has chosen firewalld is judged by its default zone",
        &old::Firewalld,
    ),
];
