use hardtack_guest::{MemoryTree, Stage};

use super::nft::Rules;
use super::plan::{NFT, ROLL_BACK, ports};
use crate::testing::{carry_out, look};
use crate::{Finding, OpenPort, Protocol, Settings};

const STATUS: &str = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n\n\
                      Package: nftables\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0.6-2\n";
const ALL: &[&str] = &[
    "fw-one-tool",
    "fw-ufw",
    "fw-nft-installed",
    "fw-ufw-off",
    "fw-nft-table",
    "fw-nft-chains",
    "fw-nft-loopback",
    "fw-nft-established",
    "fw-nft-deny",
    "fw-nft-forward",
    "fw-ssh-open",
    "fw-open-ports",
    "fw-nft-on",
    "fw-nft-permanent",
    "fw-iptables",
    "fw-firewalld",
];

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/usr/sbin/nft", "")
        .file("/var/lib/dpkg/status", STATUS)
        .file("/lib/systemd/system/nftables.service", "[Service]\n")
        .file("/etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n")
        .link("/sbin/init", "/lib/systemd/systemd")
}

fn from(networks: &[&str], firewall_rollback: Option<u32>) -> Settings {
    let ssh_from = networks.iter().map(|&network| network.to_owned()).collect();
    Settings { ssh_from, firewall_rollback, ..Settings::default() }
}

fn fails(findings: &[Finding]) -> Vec<&'static str> {
    let failed = ALL.iter().zip(findings).filter(|(_, finding)| matches!(finding, Finding::Fail { .. }));
    failed.map(|(id, _)| *id).collect()
}

fn text(stage: &Stage<'_>, path: &str) -> String {
    stage.read_text(path).unwrap().unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn debian_gets_a_firewall_that_reopens() {
    let tree = debian();
    let (before, after, stage) = carry_out(&tree, &from(&["10.0.0.0/8"], None), ALL);
    let open = ["fw-one-tool", "fw-nft-table", "fw-nft-chains", "fw-nft-loopback", "fw-nft-established"];
    assert!(open.iter().all(|id| fails(&before).contains(id)), "{before:#?}");
    assert!(fails(&before).contains(&"fw-nft-on"));
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    let word = "it reopens unless somebody says on the machine: hardtack-firewall confirm";
    assert_eq!(after[13], Finding::FirstBoot(word.to_owned()));
    let count = text(&stage, ROLL_BACK);
    assert!(count.contains("ExecStart=/usr/sbin/hardtack-firewall count 10\n"), "{count}");
    assert!(count.contains("ConditionFileIsExecutable=/usr/sbin/nft\n"), "{count}");
    let unit = "/etc/systemd/system/hardtack-firewall.service";
    let link = "/etc/systemd/system/sysinit.target.wants/hardtack-firewall.service";
    assert_eq!(stage.read_link(link).unwrap().as_deref(), Some(unit));
    let wants = "Wants=network-pre.target hardtack-firewall-rollback.service\n";
    assert!(text(&stage, unit).contains(wants));
    // nftables.service would flush what Docker has made.
    assert_eq!(stage.read_link("/etc/systemd/system/nftables.service").unwrap().unwrap(), "/dev/null");
    assert!(
        text(&stage, NFT).contains("elements = { 10.0.0.0/8 }") && !text(&stage, NFT).contains("docker0")
    );
}

#[test]
fn confirmed_in_the_image_it_stays() {
    let tree = debian();
    let settings = Settings { firewall_confirmed: true, ..Settings::default() };
    let (_, after, stage) = carry_out(&tree, &settings, ALL);
    assert_eq!(after[13], Finding::Pass);
    assert!(stage.lstat(ROLL_BACK).unwrap().is_none());
    assert!(!text(&stage, "/etc/systemd/system/hardtack-firewall.service").contains("rollback"));
}

#[test]
fn what_a_machine_has_said_is_not_taken_over() {
    let tree = debian()
        .file("/var/lib/hardtack/firewall.confirmed", "")
        .file("/var/lib/hardtack/firewall.rolled-back", "");
    let (_, after, stage) = carry_out(&tree, &from(&[], None), ALL);
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    assert!(stage.lstat("/var/lib/hardtack/firewall.confirmed").unwrap().is_none());
}

#[test]
fn sshd_s_own_ports_are_open() {
    let tree = debian().file(
        "/etc/ssh/sshd_config",
        "Port 2200\nListenAddress 10.0.0.1:2201\nListenAddress [::]:2202\nListenAddress fd00::1\nMatch all\n",
    );
    let tree = tree
        .file("/etc/systemd/system/ssh.socket.d/listen.conf", "[Socket]\nListenStream=\nListenStream=2203\n");
    let (_, after, stage) = carry_out(&tree, &from(&["10.0.0.0/8"], None), ALL);
    assert_eq!(ports(&stage).unwrap(), [2200, 2201, 2202, 2203]);
    assert!(text(&stage, NFT).contains("define ssh_port = { 2200, 2201, 2202, 2203 }"));
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    assert_eq!(ports(&Stage::new(&debian())).unwrap(), [22]);
}

#[test]
fn a_port_that_is_not_open_and_one_that_is_too_open_are_told() {
    let rules = "table inet a { chain input { type filter hook input priority 0; policy drop; tcp dport 22 accept; } }\n";
    let tree = debian().file(NFT, rules);
    let settings = from(&["10.0.0.0/8"], None);
    let [Finding::Fail { why, places }] = &look(&Stage::new(&tree), &settings, &["fw-ssh-open"])[..] else {
        panic!()
    };
    assert_eq!((why[0].as_str(), places[0].line), ("port 22 is open to all networks", Some(1)));
    let tree = tree.file("/etc/ssh/sshd_config", "Port 2222\n");
    let [Finding::Fail { why, .. }] = &look(&Stage::new(&tree), &from(&[], None), &["fw-ssh-open"])[..]
    else {
        panic!()
    };
    assert_eq!(why[0], "sshd listens on 2222, which is not open: nobody gets in");
}

#[test]
fn ufw_gives_way_and_is_judged_where_it_is_the_firewall() {
    let tree = debian()
        .file("/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\nLOGLEVEL=low\n")
        .file("/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\n")
        .file("/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n")
        .file("/etc/ufw/user6.rules", "-A ufw6-user-input -p tcp --dport 22 -j ACCEPT\n")
        .file("/lib/systemd/system/ufw.service", "[Service]\n")
        .link("/etc/systemd/system/multi-user.target.wants/ufw.service", "/lib/systemd/system/ufw.service");
    let (before, after, stage) = carry_out(&tree, &from(&[], None), ALL);
    assert_eq!(fails(&before), ["fw-ufw"], "{before:#?}");
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    assert_eq!(text(&stage, "/etc/ufw/ufw.conf"), "# ufw\nENABLED=no\nLOGLEVEL=low\n");
}

#[test]
fn releases_without_nft_get_iptables_in_a_chain_of_our_own() {
    let tree = MemoryTree::new()
        .file("/sbin/init", "")
        .file("/sbin/initctl", "")
        .file("/etc/init/rc-sysinit.conf", "")
        .file("/sbin/iptables", "")
        .file(
            "/var/lib/dpkg/status",
            "Package: iptables\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n",
        );
    let settings = Settings { firewall_rollback: Some(5), ..opened(&[(Protocol::Udp, 53, &["fd00::/8"])]) };
    let (before, after, stage) = carry_out(&tree, &settings, ALL);
    assert!(fails(&before).contains(&"fw-iptables"), "{before:#?}");
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    let v4 = text(&stage, "/etc/hardtack/firewall.v4");
    assert!(v4.contains("-A HARDTACK -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\n"), "{v4}");
    let v6 = text(&stage, "/etc/hardtack/firewall.v6");
    assert!(v6.contains("-A HARDTACK -s fd00::/8 -p udp -m udp --dport 53 -j ACCEPT\n"), "{v6}");
    assert!(!v6.contains("--dport 22") && !v4.contains("--dport 53"));
    let [Finding::Fail { why, .. }] = &look(&stage, &from(&["10.0.0.0/8"], None), &["fw-iptables"])[..]
    else {
        panic!()
    };
    assert_eq!(why[..], ["port 53/udp is open, and no setting says so for IPv6"]);
    assert!(text(&stage, "/etc/init/hardtack-firewall-rollback.conf").contains("count 5\n"));
    assert!(stage.lstat(NFT).unwrap().is_none());
}

#[test]
fn an_image_that_starts_by_system_v_alone_is_refused_by_name() {
    let tree = MemoryTree::new()
        .file("/sbin/init", "")
        .file("/etc/inittab", "id:2:initdefault:\n")
        .file("/sbin/iptables", "");
    let mut stage = Stage::new(&tree);
    let settings = from(&["10.0.0.0/8"], None);
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    crate::rule("fw-iptables").unwrap().measure.apply(&mut bench).unwrap();
    let error = bench.finish().unwrap_err();
    let crate::Error::Refused { rule, what, hint } = error else { panic!("{error}") };
    assert_eq!(rule, "fw-nft-on");
    assert!(what.contains("System V init") && hint.contains("fw-iptables"), "{what}; {hint}");
    // The same for what the first boot shall do.
    let mut stage = Stage::new(&tree);
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    bench.first_boot("aide-timer", "true");
    let error = bench.finish().unwrap_err();
    assert!(matches!(error, crate::Error::Refused { rule: "aide-timer", .. }), "{error}");
}

#[test]
fn docker_in_the_image_is_named() {
    let tree = debian().file("/usr/bin/dockerd", "");
    let (_, _, stage) = carry_out(&tree, &from(&[], None), ALL);
    assert!(text(&stage, NFT).contains("iifname \"docker0\" accept\n"));
    // Its package is finished at the first boot.
    let tree = debian().file("/var/lib/hardtack/packages/docker.io_20.10.24_amd64.deb", "");
    let (_, _, stage) = carry_out(&tree, &from(&[], None), ALL);
    assert!(text(&stage, NFT).contains("iifname \"docker0\" accept\n"));
    // Where the forward rule is left out, for Docker that comes later, nothing is dropped there.
    let tree = debian();
    let few = ["fw-nft-table", "fw-nft-deny", "fw-nft-on"];
    let (_, _, stage) = carry_out(&tree, &from(&[], None), &few);
    let rules = Rules::read(&stage, &[NFT.to_owned()]).unwrap();
    assert!(rules.at("input").all(|chain| chain.drops) && rules.at("forward").all(|chain| !chain.drops));
}

#[test]
fn level_2_keeps_what_leaves_to_a_list() {
    let tree = debian();
    let settings = Settings { log_host: Some("logs.example:6514".to_owned()), ..Settings::default() };
    let ids = ["fw-nft-deny", "fw-nft-output"];
    let (_, after, stage) = carry_out(&tree, &settings, &ids);
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    assert!(text(&stage, NFT).contains("tcp dport 6514 accept\n"));
}

#[test]
fn what_no_rule_wants_any_more_is_gone() {
    let tree = debian();
    let settings = from(&[], None);
    let (_, _, mut stage) = carry_out(&tree, &settings, ALL);
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    bench.finish().unwrap();
    let left: Vec<String> = stage.edits().unwrap().iter().map(|edit| edit.path.to_string()).collect();
    assert!(!left.iter().any(|path| path.contains("firewall")), "{left:?}");
}

fn opened(ports: &[(Protocol, u16, &[&str])]) -> Settings {
    let open = ports.iter().map(|(protocol, port, from)| OpenPort {
        protocol: *protocol,
        port: *port,
        from: from.iter().map(|&network| network.to_owned()).collect(),
    });
    Settings { open_ports: open.collect(), ..from(&["10.0.0.0/8"], None) }
}

#[test]
fn ports_that_the_settings_name_are_open_and_no_others() {
    let tree = debian();
    let settings =
        opened(&[(Protocol::Udp, 53, &["10.0.0.0/8", "10.9.0.0/16", "fd00::/8"]), (Protocol::Tcp, 443, &[])]);
    let (_, after, stage) = carry_out(&tree, &settings, ALL);
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    let rules = text(&stage, NFT);
    let lines = "\t\ttcp dport 443 ct state new accept\n\
                 \t\tip saddr { 10.0.0.0/8 } udp dport 53 ct state new accept\n\
                 \t\tip6 saddr { fd00::/8 } udp dport 53 ct state new accept\n";
    assert!(rules.contains(lines), "{rules}");

    // Somebody else judges it, who knows of SSH alone, or of fewer networks.
    for (settings, words) in [
        (from(&["10.0.0.0/8"], None), "port 443/tcp is open, and no setting says so"),
        (
            opened(&[(Protocol::Udp, 53, &["10.0.0.0/16", "fd00::/8"]), (Protocol::Tcp, 443, &[])]),
            "port 53/udp is open to more networks than the settings say",
        ),
        (
            Settings { ssh_from: vec!["10.0.0.0/9".to_owned()], ..settings },
            "port 22/tcp is open to more networks than the settings say",
        ),
    ] {
        let [Finding::Fail { why, places }] = &look(&stage, &settings, &["fw-open-ports"])[..] else {
            panic!("{words}")
        };
        assert_eq!((why[0].as_str(), places[0].path.as_str()), (words, NFT));
    }
}

#[test]
fn every_way_to_let_more_in_is_seen() {
    let judge = |rules: &str| {
        let text = format!(
            "define some = {{ 8080, 8081 }}\ntable inet a {{\n set all {{ type ipv4_addr; flags interval; \
             elements = {{ 0.0.0.0/0 }} }}\n set later {{ type ipv4_addr; flags dynamic; }}\n \
             chain sub {{ tcp dport 25 accept; }}\n chain ssh {{ accept }}\n chain input {{\n \
             type filter hook input priority 0; policy drop;\n iifname \"lo\" accept\n \
             ct state established,related accept\n ip saddr 10.0.0.0/8 tcp dport 22 accept\n {rules}\n }}\n}}\n"
        );
        let tree = debian().file(NFT, &text);
        look(&Stage::new(&tree), &from(&["10.0.0.0/8"], None), &["fw-open-ports"]).remove(0)
    };
    for rules in [
        "",
        "tcp dport 23 drop",
        "icmp type echo-request limit rate 10/second accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "ip saddr 10.1.0.0/16 tcp dport { 22 } counter log prefix \"accept all\" accept",
        "udp sport 67 udp dport 68 accept",
        "ip saddr 10.0.0.0/8 tcp dport ssh jump ssh",
        "tcp dport 99 log prefix \"no accept here\" reject",
    ] {
        assert_eq!(judge(rules), Finding::Pass, "{rules}");
    }
    for rules in [
        "accept",
        "counter accept comment \"lo\"",
        "iifname \"eth0\" accept",
        "ip saddr 192.0.2.1 accept",
        "tcp dport 80 accept",
        "tcp dport != 80 accept",
        "tcp dport 20-22 accept",
        "tcp dport { 22, https } accept",
        "tcp dport $some accept",
        "tcp dport 22 accept",
        "meta nfproto ipv4 tcp dport 22 accept",
        "ip saddr @all tcp dport 22 accept",
        "ip saddr @later tcp dport 22 accept",
        "ip saddr @nowhere tcp dport 22 accept",
        "ip saddr 10.0.0.0-11.0.0.0 tcp dport 22 accept",
        "ip6 saddr fd00::/8 tcp dport 22 accept",
        "ip saddr 10.0.0.0/8 udp dport 22 accept",
        "ip saddr 10.0.0.0/8 meta l4proto { tcp, udp } th dport 22 accept",
        "ct state new,established accept",
        "ct state != invalid accept",
        "udp dport 68 accept",
        "jump sub",
        "tcp dport vmap { 80 : accept, 443 : drop }",
        "tcp sport 22 accept",
    ] {
        assert!(matches!(judge(rules), Finding::Fail { .. }), "{rules}: {:?}", judge(rules));
    }
}

#[test]
fn ports_of_sshd_are_no_other_ports() {
    let tree = debian();
    let mut stage = Stage::new(&tree);
    let settings = opened(&[(Protocol::Tcp, 22, &[])]);
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    crate::rule("fw-nft-table").unwrap().measure.apply(&mut bench).unwrap();
    let error = bench.finish().unwrap_err();
    assert!(matches!(error, crate::Error::Refused { rule: "fw-open-ports", .. }), "{error}");
}
