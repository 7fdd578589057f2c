use hardtack_guest::{Error as Guest, GuestPath, MemoryTree, Stage};

use super::{check, unread};
use crate::{Error, Finding, Kind, Profile};

const STATUS: &str = "Package: sudo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";

#[test]
fn a_file_that_cannot_be_read_fails_its_rule_alone() {
    let path = GuestPath::new("/etc/issue");
    let found = unread(Error::Guest(Guest::LinkLoop { path: path.clone() }));
    let Ok(Finding::Fail { why, places }) = found else { panic!("{found:?}") };
    assert_eq!(why, ["/etc/issue: too many levels of symbolic links"]);
    assert_eq!((places[0].path.as_str(), places[0].line), ("/etc/issue", None));
    let content = Guest::Content { path, line: Some(3), what: "no key".to_owned() };
    let found = unread(Error::Guest(content));
    assert!(matches!(found, Ok(Finding::Fail { places, .. }) if places[0].line == Some(3)));
    let found = unread(Error::Guest(Guest::Refused("/var/lib/dpkg/status:12: no field".to_owned())));
    let Ok(Finding::Fail { places, .. }) = found else { panic!("{found:?}") };
    assert_eq!((places[0].path.as_str(), places[0].line), ("/var/lib/dpkg/status", Some(12)));
    assert!(unread(Error::Guest(Guest::Refused("no file system".to_owned()))).is_err());
}

/// What the profile `cis-2` says of an image, by the names of its rules.
fn judge(tree: &MemoryTree) -> impl Fn(&str) -> Finding + use<> {
    let all = check(&Profile::new(Kind::Cis2), &Stage::new(tree)).unwrap();
    move |id| all.iter().find(|judged| judged.rule.id == id).unwrap().finding.clone()
}

#[track_caller]
fn assert_unjudged(finding: &Finding, path: &str) {
    let Finding::Fail { why, places } = finding else { panic!("{path}: {finding:?}") };
    assert!(why.iter().any(|why| why.contains(path)), "{path}: {why:?}");
    assert!(places.iter().any(|place| place.path == path), "{path}: {places:?}");
}

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/var/lib/dpkg/status", STATUS)
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        .file("/etc/group", "root:x:0:\n")
        .file("/etc/sudoers", "Defaults use_pty\n@includedir /etc/sudoers.d\n")
}

#[test]
fn a_file_that_is_too_large_lets_nothing_pass() {
    let large = |text: &str| format!("{text}{}", "# filler\n".repeat(1 << 20));
    for (path, text, rules) in [
        ("/etc/security/limits.d/zz.conf", "* soft core 1\n", &["core-limits"][..]),
        ("/etc/sudoers.d/zz", "ana ALL=(ALL) NOPASSWD: ALL\n", &["sudo-nopasswd", "sudo-authenticate"]),
        ("/etc/shells", "/usr/sbin/nologin\n", &["nologin-shells"]),
        ("/etc/apt/apt.conf.d/zz", "APT::Get::AllowUnauthenticated \"true\";\n", &["apt-no-unauth"]),
        ("/etc/audit/rules.d/zz.rules", "-e 0\n", &["audit-immutable"]),
        ("/etc/nftables.conf", "add rule inet filter input accept\n", &[]),
        ("/etc/login.defs", "UMASK 000\n", &["umask-login-defs", "pass-hash"]),
    ] {
        let judged = judge(&debian().file(path, large(text)));
        for rule in rules {
            assert_unjudged(&judged(rule), path);
        }
        // The others do not suffer by it.
        let (fine, other) = (judge(&debian())("motd-text"), judged("motd-text"));
        assert_eq!(fine, other, "{path}");
    }
}

#[test]
fn what_is_no_file_in_the_place_of_one_is_a_fault() {
    let judged = judge(&debian().dir("/etc/login.defs").file("/etc/login.defs/x", ""));
    for rule in ["pass-max-days", "pass-hash", "umask-login-defs"] {
        assert_unjudged(&judged(rule), "/etc/login.defs");
    }
}

#[test]
fn binary_garbage_in_sudoers_fails_whoever_reads_it() {
    let judged = judge(&debian().file("/etc/sudoers.d/zz", "\0\u{1}\u{2}Defaults use_pty\n"));
    for rule in ["sudo-pty", "sudo-log", "sudo-nopasswd", "sudo-authenticate", "sudo-timeout"] {
        assert_unjudged(&judged(rule), "/etc/sudoers.d/zz");
    }
    // Letters of another encoding in a comment are not garbage.
    let judged = judge(&debian().file("/etc/sudoers.d/zz", b"# Gr\xfc\xdfe\n"));
    assert_eq!(judged("sudo-pty"), Finding::Pass);
}

#[test]
fn a_damaged_package_database_fails_those_who_ask_it() {
    for status in ["Package: sudo\nStatus: install ok installed\n", "no stanza at all\n", "\0\0\0\n"] {
        let judged = judge(&debian().file("/var/lib/dpkg/status", status));
        for rule in ["sudo-installed", "cli-telnet", "apport-off", "apparmor-installed"] {
            let found = judged(rule);
            assert!(matches!(found, Finding::Fail { .. }), "{status:?}: {rule}: {found:?}");
            assert_unjudged(&found, "/var/lib/dpkg/status");
        }
        assert_eq!(judged("uid0-only-root"), Finding::Pass);
    }
}
