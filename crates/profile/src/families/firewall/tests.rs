use hardtack_guest::{MemoryTree, Stage};

use super::nft::Rules;
use super::plan::{NFT, ROLL_BACK, ports};
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

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
    assert_eq!(after[12], Finding::FirstBoot(word.to_owned()));
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
    assert_eq!(after[12], Finding::Pass);
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
    let (before, after, stage) = carry_out(&tree, &from(&["10.0.0.0/8"], Some(5)), ALL);
    assert!(fails(&before).contains(&"fw-iptables"), "{before:#?}");
    assert_eq!(fails(&after), Vec::<&str>::new(), "{after:#?}");
    let v4 = text(&stage, "/etc/hardtack/firewall.v4");
    assert!(v4.contains("-A HARDTACK -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\n"), "{v4}");
    assert!(!text(&stage, "/etc/hardtack/firewall.v6").contains("--dport 22"));
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
