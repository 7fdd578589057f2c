use hardtack_guest::MemoryTree;

use crate::testing::carry_out;
use crate::{Error, Finding, Settings};

fn debian() -> MemoryTree {
    MemoryTree::new().link("/lib", "usr/lib").link("/sbin/init", "/lib/systemd/systemd")
}

fn done(tree: &MemoryTree, id: &str) -> (Finding, Finding) {
    let (before, after, _) = carry_out(tree, &Settings::default(), &[id]);
    (before[0].clone(), after[0].clone())
}

#[test]
fn a_service_and_its_socket_are_masked() {
    let tree = debian()
        .file("/usr/lib/systemd/system/rpcbind.service", "[Service]\n")
        .file("/usr/lib/systemd/system/rpcbind.socket", "[Socket]\n")
        .link(
            "/etc/systemd/system/sockets.target.wants/rpcbind.socket",
            "/lib/systemd/system/rpcbind.socket",
        );
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["svc-rpcbind"]);
    let [Finding::Fail { why, places }] = before.as_slice() else { panic!("{before:?}") };
    assert_eq!(why[0], "rpcbind.socket is started");
    assert_eq!(places[0].path, "/etc/systemd/system/sockets.target.wants/rpcbind.socket");
    assert_eq!(after, [Finding::Pass]);
    // Masked although only the socket started it: whoever asks for it by name does not get it either.
    assert_eq!(stage.read_link("/etc/systemd/system/rpcbind.service").unwrap().as_deref(), Some("/dev/null"));
}

#[test]
fn what_is_not_there_needs_no_mask() {
    let tree = debian();
    let (before, after, stage) =
        carry_out(&tree, &Settings::default(), &["svc-web", "svc-nis", "svc-xinetd"]);
    assert_eq!((before, after), (vec![Finding::Pass; 3], vec![Finding::Pass; 3]));
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn the_refusal_names_the_rule() {
    let tree = debian().file("/etc/systemd/system/nginx.service", "[Service]\n");
    let mut stage = hardtack_guest::Stage::new(&tree);
    let settings = Settings::default();
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    let error = crate::rule("svc-web").unwrap().measure.apply(&mut bench).unwrap_err();
    let Error::Refused { rule, hint, .. } = error else { panic!("{error}") };
    assert_eq!(rule, "svc-web");
    assert!(hint.contains("exception"));
}

#[test]
fn lines_of_inetd_count_while_one_runs() {
    let tree = debian()
        .file("/etc/inetd.conf", "#ftp stream tcp\ntftp dgram udp wait nobody /usr/sbin/tcpd in.tftpd\n")
        .file("/usr/lib/systemd/system/inetd.service", "[Service]\n");
    assert_eq!(done(&tree, "svc-tftp").0, Finding::Pass, "no inetd runs");
    let tree = tree.link("/etc/systemd/system/multi-user.target.wants/inetd.service", "/x");
    let (before, after, _) = carry_out(&tree, &Settings::default(), &["svc-tftp", "svc-ftp", "svc-xinetd"]);
    let Finding::Fail { why, places } = &before[0] else { panic!("{before:?}") };
    assert_eq!((why[0].as_str(), places[0].line), ("inetd starts a server for tftp", Some(2)));
    assert_eq!(before[1], Finding::Pass);
    assert_eq!(after, vec![Finding::Pass; 3]);
}

#[test]
fn postfix_listens_to_itself() {
    let tree = debian().file(
        "/etc/postfix/main.cf",
        "# inet_interfaces = loopback-only\ninet_interfaces = localhost\nmyhostname = a\ninet_interfaces =\n  $myhostname,\n  localhost\nmynetworks = x\n",
    );
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["svc-mta-local"]);
    let Finding::Fail { why, places } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "postfix.service listens to \"$myhostname, localhost\"");
    assert_eq!(places[0].line, Some(4));
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/postfix/main.cf").unwrap().unwrap(),
        "# inet_interfaces = loopback-only\ninet_interfaces = localhost\nmyhostname = a\ninet_interfaces = loopback-only\nmynetworks = x\n"
    );
}

#[test]
fn exim_listens_to_itself() {
    // What Debian asks nobody and writes: local only.
    let own = debian().file(
        "/etc/exim4/update-exim4.conf.conf",
        "dc_eximconfig_configtype='local'\ndc_local_interfaces='127.0.0.1 ; ::1'\n",
    );
    let (before, _, stage) = carry_out(&own, &Settings::default(), &["svc-mta-local"]);
    assert_eq!(before, [Finding::Pass]);
    assert!(stage.edits().unwrap().is_empty());
    let open = debian().file("/etc/exim4/update-exim4.conf.conf", "dc_local_interfaces=''\n");
    let (before, after) = done(&open, "svc-mta-local");
    assert!(matches!(before, Finding::Fail { .. }), "{before:?}");
    assert_eq!(after, Finding::Pass);
    assert!(matches!(done(&debian(), "svc-mta-local").0, Finding::NotApplicable(_)));
}

#[test]
fn clients_go_at_first_boot() {
    let status =
        "Package: inetutils-telnet\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:2.4-2\n";
    let tree = debian().file("/var/lib/dpkg/status", status);
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["cli-telnet", "cli-ftp"]);
    assert!(matches!(before[0], Finding::Fail { .. }), "{before:?}");
    assert_eq!(before[1], Finding::Pass);
    assert_eq!(after, [Finding::FirstBoot("apt-get removes inetutils-telnet".to_owned()), Finding::Pass]);
    let script = stage.read_text("/usr/lib/hardtack/profile-first-boot").unwrap().unwrap();
    assert!(script.contains("packages_remove telnet inetutils-telnet telnet-ssl"));
}
