//! The rules, as text: for nft(8), and for iptables-restore(8) where the image has no nft.
//!
//! Only our own table or chain is loaded: `flush ruleset`, or iptables-restore without `--noflush`, would take away
//! what Docker and others have made.

use std::fmt::Write as _;

use super::Parts;
use super::network::{Networks, Sources};
use super::plan::Plan;

const HEADER: &str = "# Made by hardtack for a hardening profile; the next build writes it again.\n";

/// Errors that a host must hear of (RFC 4890), and ping.
const ICMP_IN: &str = "\tchain icmp_in {
\t\ticmp type { destination-unreachable, time-exceeded, parameter-problem } accept
\t\ticmp type echo-request limit rate 10/second burst 20 packets accept
\t\ticmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
\t\ticmpv6 type echo-request limit rate 10/second burst 20 packets accept
\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept
\t\tip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept
\t}
";

/// What leaves the machine at level 2: names, time, addresses, packages, and the clouds' own services.
const OUT: &str = "\t\tct state established,related accept
\t\ticmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
\t\ticmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
\t\tudp sport 68 udp dport 67 accept
\t\tudp sport 546 udp dport 547 accept
\t\tip daddr 169.254.169.254 tcp dport { 80, 53 } accept
\t\tip daddr 169.254.169.254 udp dport 53 accept
\t\tip daddr 169.254.169.123 udp dport 123 accept
\t\tip daddr 168.63.129.16 tcp dport { 80, 32526 } accept
\t\tip6 daddr { fd00:ec2::254, fd20:ce::254 } tcp dport 80 accept
\t\ttcp dport 53 accept
\t\tudp dport 53 accept
\t\tudp dport 123 accept
\t\ttcp dport { 80, 443 } accept
";

/// /etc/hardtack/firewall.nft. Loading it twice is the same as once.
pub(super) fn nft(parts: Parts, plan: &Plan) -> String {
    let policy = |drops: bool| if drops { "drop" } else { "accept" };
    let ports = list(&plan.ports);
    let mut text = String::from("#!/usr/sbin/nft -f\n");
    text.push_str(HEADER);
    text.push_str("# Its own table only: others' tables, Docker's for one, are left alone.\n");
    text.push_str("table inet hardtack\ndelete table inet hardtack\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "define ssh_port = {{ {ports} }}\n\ntable inet hardtack {{");
    for (name, kind, networks) in [("ssh4", "ipv4_addr", &plan.from.v4), ("ssh6", "ipv6_addr", &plan.from.v6)]
    {
        if let Networks::Only(only) = networks
            && !only.is_empty()
        {
            let elements = only.join(", ");
            let _ =
                writeln!(text, "\tset {name} {{ type {kind}; flags interval; elements = {{ {elements} }} }}");
        }
    }
    text.push_str(ICMP_IN);
    let _ = write!(
        text,
        "\n\tchain input {{\n\t\ttype filter hook input priority 0; policy {};\n\t\tiif lo accept\n\
         \t\tip saddr 127.0.0.0/8 counter drop\n\t\tip6 saddr ::1 counter drop\n\
         \t\tct state established,related accept\n\t\tct state invalid counter drop\n\
         \t\tmeta l4proto {{ 1, 58 }} jump icmp_in\n\t\tudp sport 67 udp dport 68 accept\n\
         \t\tip6 saddr fe80::/10 udp sport 547 udp dport 546 accept\n",
        policy(parts.input)
    );
    text.push_str(&accept("tcp", "$ssh_port", &plan.from, ["@ssh4", "@ssh6"]));
    for open in &plan.open {
        let networks = |networks: &Networks| match networks {
            Networks::Only(only) if !only.is_empty() => format!("{{ {} }}", only.join(", ")),
            _ => String::new(),
        };
        let sets = [networks(&open.from.v4), networks(&open.from.v6)];
        let port = open.port.to_string();
        text.push_str(&accept(open.protocol.word(), &port, &open.from, sets.each_ref().map(String::as_str)));
    }
    if parts.input {
        text.push_str(
            "\t\tlimit rate 5/minute burst 10 packets log prefix \"hardtack-drop \" level info\n\
             \t\tcounter drop\n",
        );
    }
    let _ = write!(
        text,
        "\t}}\n\n\tchain forward {{\n\t\ttype filter hook forward priority 0; policy {};\n\
         \t\tct state established,related accept\n\t\tct state invalid counter drop\n",
        policy(parts.forward)
    );
    if parts.forward {
        // Published ports of containers; and what comes out of containers, where the image has any.
        text.push_str("\t\tct status dnat accept\n");
        if !plan.bridges.is_empty() {
            let names: Vec<String> = plan.bridges.iter().map(|name| format!("\"{name}\"")).collect();
            for name in names {
                let _ = writeln!(text, "\t\tiifname {name} accept");
            }
        }
        text.push_str("\t\tcounter drop\n");
    }
    let _ = write!(
        text,
        "\t}}\n\n\tchain output {{\n\t\ttype filter hook output priority 0; policy {};\n\t\toif lo accept\n",
        policy(parts.output)
    );
    if parts.output {
        text.push_str(OUT);
        for port in &plan.out {
            let _ = write!(text, "\t\ttcp dport {port} accept\n\t\tudp dport {port} accept\n");
        }
        text.push_str(
            "\t\tlimit rate 5/minute burst 10 packets log prefix \"hardtack-out \" level info\n\
             \t\tcounter reject\n",
        );
    }
    text.push_str("\t}\n}\n");
    text
}

/// The port, from these networks: `sets` names those of each family.
fn accept(protocol: &str, port: &str, from: &Sources, sets: [&str; 2]) -> String {
    if from.is_everybody() {
        return format!("\t\t{protocol} dport {port} ct state new accept\n");
    }
    let family = |word: &str, set: &str, l3: u8, networks: &Networks| match networks {
        Networks::All => {
            // The family alone: nfproto is 2 for IPv4 and 10 for IPv6.
            format!("\t\tmeta nfproto {l3} {protocol} dport {port} ct state new accept\n")
        }
        Networks::Only(only) if only.is_empty() => String::new(),
        Networks::Only(_) => format!("\t\t{word} saddr {set} {protocol} dport {port} ct state new accept\n"),
    };
    family("ip", sets[0], 2, &from.v4) + &family("ip6", sets[1], 10, &from.v6)
}

/// /etc/hardtack/firewall.v4 or .v6, loaded with `--noflush`: an own chain that INPUT jumps to.
pub(super) fn iptables(v6: bool, plan: &Plan) -> String {
    let (loopback, icmp) = if v6 { ("::1/128", "ipv6-icmp") } else { ("127.0.0.0/8", "icmp") };
    let mut text = HEADER.to_owned();
    let _ = write!(
        text,
        "*filter\n:HARDTACK - [0:0]\n-A HARDTACK -i lo -j ACCEPT\n-A HARDTACK -s {loopback} -j DROP\n\
         -A HARDTACK -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A HARDTACK -m conntrack --ctstate INVALID -j DROP\n"
    );
    if v6 {
        for word in ["destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem"] {
            let _ = writeln!(text, "-A HARDTACK -p {icmp} --icmpv6-type {word} -j ACCEPT");
        }
        for word in ["router-advertisement", "neighbour-solicitation", "neighbour-advertisement"] {
            let _ = writeln!(text, "-A HARDTACK -p {icmp} --icmpv6-type {word} -m hl --hl-eq 255 -j ACCEPT");
        }
        let _ = write!(
            text,
            "-A HARDTACK -p {icmp} --icmpv6-type echo-request -m limit --limit 10/second --limit-burst 20 -j ACCEPT\n\
             -A HARDTACK -s fe80::/10 -p udp -m udp --sport 547 --dport 546 -j ACCEPT\n"
        );
    } else {
        let _ = write!(
            text,
            "-A HARDTACK -p {icmp} --icmp-type echo-request -m limit --limit 10/second --limit-burst 20 -j ACCEPT\n\
             -A HARDTACK -p udp -m udp --sport 67 --dport 68 -j ACCEPT\n"
        );
    }
    let ssh = plan.ports.iter().map(|port| ("tcp", *port, &plan.from));
    let open = plan.open.iter().map(|open| (open.protocol.word(), open.port, &open.from));
    for (protocol, port, from) in ssh.chain(open) {
        let tail = format!("-p {protocol} -m {protocol} --dport {port} -j ACCEPT\n");
        match if v6 { &from.v6 } else { &from.v4 } {
            Networks::All => {
                let _ = write!(text, "-A HARDTACK {tail}");
            }
            Networks::Only(only) => {
                for network in only {
                    let _ = write!(text, "-A HARDTACK -s {network} {tail}");
                }
            }
        }
    }
    text.push_str("-A HARDTACK -j DROP\nCOMMIT\n");
    text
}

fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}
