use hardtack_guest::MemoryTree;

use super::RULES;
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

fn all() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.id).collect()
}

fn debian() -> MemoryTree {
    MemoryTree::new()
        .link("/sbin/init", "../lib/systemd/systemd")
        .file("/lib/systemd/systemd", "")
        .file("/lib/systemd/systemd-sysctl", "")
        .file("/lib/systemd/system/reboot.target", "[Unit]\n")
        .link("/lib/systemd/system/ctrl-alt-del.target", "reboot.target")
        .file("/etc/sysctl.conf", "#kernel.sysrq=438\nnet.ipv4.conf.all.send_redirects=1\n")
        .link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
        .file(
            "/usr/lib/sysctl.d/99-protect-links.conf",
            "fs.protected_fifos = 1\nfs.protected_hardlinks = 1\nnet/ipv4/conf/default/send_redirects = 1\n",
        )
}

#[test]
fn a_file_that_sorts_behind_debians_wins() {
    let tree = debian();
    let ids = ["sys-send-redirects", "sys-protected-links"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let Finding::Fail { why, places } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "net.ipv4.conf.all.send_redirects is 1, not 0");
    assert_eq!((places[0].path.as_str(), places[0].line), ("/etc/sysctl.d/99-sysctl.conf", Some(2)));
    let Finding::Fail { why, .. } = &before[1] else { panic!("{before:?}") };
    assert_eq!(why[1], "fs.protected_fifos is 1, not 2");
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    assert!(
        stage
            .read_text("/etc/sysctl.conf")
            .unwrap()
            .unwrap()
            .contains("\nnet.ipv4.conf.all.send_redirects=1\n")
    );
}

#[test]
fn all_of_them_hold_once_done() {
    let tree = debian();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &all());
    let failed = before.iter().filter(|finding| matches!(finding, Finding::Fail { .. })).count();
    assert_eq!(failed, all().len() - 1, "modules can be loaded before, too: {before:#?}");
    assert!(after.iter().all(|finding| *finding == Finding::Pass), "{after:#?}");
    let text = stage.read_text(super::PATH).unwrap().unwrap();
    assert!(
        text.contains("\n-dev.tty.legacy_tiocsti = 0\n") && text.contains("\nkernel.sysrq = 0\n"),
        "{text}"
    );
    assert_eq!(
        stage.read_link("/etc/systemd/system/ctrl-alt-del.target").unwrap().as_deref(),
        Some("/dev/null")
    );
    assert_eq!(
        stage.lstat("/etc/systemd/system/reboot.target").unwrap(),
        None,
        "the machine can be rebooted"
    );
}

#[test]
fn under_upstart_sysctl_conf_says_nothing_else() {
    let tree = MemoryTree::new()
        .file("/sbin/init", "")
        .file("/sbin/upstart", "")
        .file("/etc/init/rc-sysinit.conf", "start on x\n")
        .file("/etc/init/control-alt-delete.conf", "start on control-alt-delete\n")
        .file("/etc/sysctl.d/10-network-security.conf", "net.ipv4.conf.all.rp_filter=0\n")
        .file("/etc/sysctl.conf", "# mine\nnet.ipv4.conf.all.rp_filter=0\nkernel.x = 1\n");
    let ids = ["sys-rp-filter", "sys-ctrl-alt-del", "sys-tiocsti"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert!(before.iter().all(|finding| matches!(finding, Finding::Fail { .. })), "{before:?}");
    assert_eq!(after, [Finding::Pass, Finding::Pass, Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/sysctl.conf").unwrap().as_deref(),
        Some("# mine\n#net.ipv4.conf.all.rp_filter=0\nkernel.x = 1\n")
    );
    assert!(stage.read_text(super::PATH).unwrap().unwrap().contains("\ndev.tty.legacy_tiocsti = 0\n"));
}

#[test]
fn forwarding_is_left_to_containers() {
    let status = "Package: docker.io\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
    let tree = debian().file("/var/lib/dpkg/status", status);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["sys-ip-forward"]);
    assert!(
        matches!(before[0], Finding::Exception(_)) && matches!(after[0], Finding::Exception(_)),
        "{after:?}"
    );
    assert_eq!(stage.stat(super::PATH).unwrap(), None);
}

#[test]
fn what_the_running_machine_has_counts_too() {
    let tree = debian().file(
        "/var/lib/hardtack/profile.tsv",
        "sys-dmesg\tfail\tkernel/dmesg_restrict is 0, not 1.\nsys-kptr\tpass\t\n",
    );
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["sys-dmesg", "sys-kptr"]);
    let Finding::Fail { why, .. } = &after[0] else { panic!("{after:?}") };
    assert_eq!(why[0], "at first boot: kernel/dmesg_restrict is 0, not 1.");
    assert_eq!(after[1], Finding::Pass);
    let script = stage.read_text(crate::first_boot::SCRIPT).unwrap().unwrap();
    assert!(script.contains("kernel/dmesg_restrict 1\nEND\n"), "{script}");
}

#[test]
fn modules_stay_loadable() {
    let tree = debian().file("/etc/sysctl.d/x.conf", "kernel.modules_disabled=1\n");
    let stage = hardtack_guest::Stage::new(&tree);
    let found = look(&stage, &Settings::default(), &["sys-modules-disabled"]);
    assert_eq!(
        found,
        [Finding::Fail {
            why: vec!["kernel.modules_disabled is 1".to_owned()],
            places: vec![hardtack_report::Place { path: "/etc/sysctl.d/x.conf".to_owned(), line: Some(1) }],
        }]
    );
}

#[test]
fn a_file_that_is_too_large_to_read_hides_nothing() {
    let large = format!("{}\nkernel.randomize_va_space = 0\n", "#".repeat(9 << 20));
    let tree = MemoryTree::new().file("/etc/sysctl.d/zzz.conf", large);
    let stage = hardtack_guest::Stage::new(&tree);
    let settings = crate::Settings::default();
    let view = crate::View::new(&stage, &settings).unwrap();
    let error = crate::rule("sys-aslr").unwrap().measure.check(&view).unwrap_err().to_string();
    assert!(error.contains("/etc/sysctl.d/zzz.conf"), "{error}");
}
