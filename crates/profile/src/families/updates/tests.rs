#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::process::Command;

use hardtack_guest::{MemoryTree, Stage};

use super::apt_conf::AptConf;
use super::sources::sources;
use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const STATUS: &str =
    "Package: unattended-upgrades\nStatus: install ok installed\nArchitecture: all\nVersion: 2\n";
/// A file with all that the grammar has.
const GRAMMAR: &str = "// a comment\nAPT\n{\n  NeverAutoRemove { \"^linux-.*\"; \"x\"; };\n  Get { Assume-Yes \"true\"; // behind\n };\n\
                       };\nDPkg::Pre-Install-Pkgs {\"/usr/sbin/dpkg-preconfigure --apt || true\";};\n/* Acquire::AllowInsecureRepositories \"1\";\n */\n\
                       # Acquire::x \"1\";\nAcquire::http::Proxy \"http://a:3142/\"; Acquire { Retries 3; https { Verify-Peer \"false\"; } }\n\
                       acquire::RETRIES \"5\";\nAPT::Gone \"1\";\n#clear APT::Gone;\n";

fn debian() -> MemoryTree {
    let timer = "[Install]\nWantedBy=timers.target\n";
    MemoryTree::new()
        .link("/lib", "usr/lib")
        .link("/sbin/init", "/lib/systemd/systemd")
        .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n")
        .file("/usr/lib/systemd/system/apt-daily.timer", timer)
        .file("/usr/lib/systemd/system/apt-daily-upgrade.timer", timer)
        .file("/etc/apt/apt.conf.d/01x", "")
        .file("/var/lib/dpkg/status", STATUS)
}

fn one(tree: &MemoryTree, id: &str) -> Finding {
    look(&Stage::new(tree), &Settings::default(), &[id]).remove(0)
}

fn why(finding: &Finding) -> &[String] {
    match finding {
        Finding::Fail { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sources_of_both_kinds_are_read() {
    let tree = debian()
        .file("/etc/apt/sources.list", "# deb [trusted=yes] x y z\ndeb [ arch=amd64 trusted=yes ] http://a bookworm main # x\ndeb-src http://a b c\n")
        .file(
            "/etc/apt/sources.list.d/debian.sources",
            "Types: deb deb-src\nURIs: http://b\n# a comment\nSuites: bookworm\n bookworm-updates\nTrusted: Yes\n\nTypes: deb\nEnabled: no\nURIs: http://c\nSuites: x\nTrusted: yes\n",
        )
        .file("/etc/apt/sources.list.d/old.list.save", "deb [trusted=yes] http://d e f\n");
    let found = sources(&Stage::new(&tree)).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].suites.as_slice()), (2, &["bookworm".to_owned()][..]));
    assert_eq!(found[1].suites, ["bookworm", "bookworm-updates"]);
    let finding = one(&tree, "apt-repos");
    let Finding::Fail { why, places } = &finding else { panic!("{finding:?}") };
    assert_eq!(why[..2], ["trusted is yes: it needs no signature", "trusted is yes: it needs no signature"]);
    assert_eq!((places[0].line, places[1].line), (Some(2), Some(1)));
    assert_eq!(why[2], "no source of security updates");
}

#[test]
fn the_suite_of_security_updates_is_wanted_of_releases() {
    let plain = "deb http://deb.debian.org/debian bookworm main\n";
    let secure = "deb http://deb.debian.org/debian-security bookworm-security main\n";
    assert_eq!(why(&one(&debian().file("/etc/apt/sources.list", plain), "apt-repos")).len(), 1);
    assert_eq!(
        one(&debian().file("/etc/apt/sources.list", format!("{plain}{secure}")), "apt-repos"),
        Finding::Pass
    );
    let old = "deb http://mirror/debian-security buster/updates main\n";
    assert_eq!(one(&debian().file("/etc/apt/sources.list", old), "apt-repos"), Finding::Pass);
    let sid = debian().file("/etc/os-release", "ID=debian\n").file("/etc/apt/sources.list", plain);
    assert_eq!(one(&sid, "apt-repos"), Finding::Pass, "unstable has none");
}

#[test]
fn keys_are_there_and_roots() {
    let tree = debian()
        .file("/etc/apt/sources.list", "deb [signed-by=/usr/share/keyrings/x.gpg] http://a b c\n")
        .file_as("/etc/apt/trusted.gpg.d/y.asc", "", 0o664, 0, 0);
    let finding = one(&tree, "apt-keys");
    assert_eq!(why(&finding)[0], "the key /usr/share/keyrings/x.gpg is not there");
    assert!(why(&finding)[1].starts_with("others than root can change it: 0664"));
}

#[test]
fn what_turns_signatures_off_is_overruled_or_told() {
    let tree =
        debian().file("/etc/apt/apt.conf.d/99local", "Acquire { AllowInsecureRepositories \"true\"; };\n");
    let (before, after, _) = carry_out(&tree, &Settings::default(), &["apt-no-unauth"]);
    assert_eq!(why(&before[0]), ["acquire::allowinsecurerepositories is \"true\""]);
    assert_eq!(after, [Finding::Pass]);
    // The main file is read behind all others.
    let tree = debian().file("/etc/apt/apt.conf", "APT::Get::AllowUnauthenticated \"1\";\n");
    let (_, after, _) = carry_out(&tree, &Settings::default(), &["apt-no-unauth"]);
    let [Finding::Fail { places, .. }] = after.as_slice() else { panic!("{after:?}") };
    assert_eq!((places[0].path.as_str(), places[0].line), ("/etc/apt/apt.conf", Some(1)));
    let tree = debian().file("/etc/apt/apt.conf.d/50x", "Acquire::https::Verify-Peer \"false\";\n");
    assert_eq!(why(&one(&tree, "apt-no-unauth")), ["acquire::https::verify-peer is \"false\""]);
}

#[test]
fn updates_install_themselves() {
    let ids = ["unattended"];
    let tree =
        debian().file("/etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"0\";\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert!(why(&before[0]).iter().any(|why| why.contains("Unattended-Upgrade is \"0\"")), "{before:?}");
    assert!(why(&before[0]).iter().any(|why| why == "apt-daily.timer is not enabled"), "{before:?}");
    assert_eq!(after, [Finding::Pass]);
    assert!(
        stage.lstat("/etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer").unwrap().is_some()
    );
    let bare = debian().file("/var/lib/dpkg/status", "");
    let (_, after, _) = carry_out(&bare, &Settings::default(), &ids);
    assert_eq!(after, [Finding::FirstBoot("apt-get installs unattended-upgrades".to_owned())]);
    let overlaid = tree.file("/etc/overlayroot.conf", "overlayroot=\"tmpfs\"\n");
    let (_, after, stage) = carry_out(&overlaid, &Settings::default(), &ids);
    assert!(matches!(after[0], Finding::Exception(_)), "{after:?}");
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn dnf_automatic_installs_security_updates() {
    let conf = "[commands]\nupgrade_type = default\nrandom_sleep = 0\n\n[emitters]\napply_updates = yes\n";
    let tree = MemoryTree::new()
        .file("/usr/bin/dnf", "")
        .link("/sbin/init", "/usr/lib/systemd/systemd")
        .file("/etc/dnf/automatic.conf", conf)
        .file("/usr/lib/systemd/system/dnf-automatic.timer", "[Install]\nWantedBy=timers.target\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["dnf-automatic"]);
    assert_eq!(why(&before[0]).len(), 3, "{before:?}");
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(
        stage.read_text("/etc/dnf/automatic.conf").unwrap().unwrap(),
        "[commands]\napply_updates = yes\nupgrade_type = security\nrandom_sleep = 0\n\n[emitters]\napply_updates = yes\n"
    );
    let bare = MemoryTree::new().file("/usr/bin/dnf", "");
    let (_, after, _) = carry_out(&bare, &Settings::default(), &["dnf-automatic"]);
    assert!(matches!(after[0], Finding::FirstBoot(_)), "{after:?}");
}

#[test]
fn a_snap_needs_squashfs() {
    let status = "Package: snapd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n";
    let tree = debian().file("/var/lib/dpkg/status", status);
    assert_eq!(one(&tree, "snapd"), Finding::Pass);
    let tree = tree.file("/etc/modprobe.d/x.conf", "install squashfs /bin/false\n");
    assert_eq!(why(&one(&tree, "snapd")).len(), 1);
}

#[test]
fn damage_is_no_panic() {
    for text in ["}}};;{{\"", "\"", "#clear", "A {", "A::B \"x", "/*", "ü \"ä"] {
        let tree = debian()
            .file("/etc/apt/apt.conf", text)
            .file("/etc/apt/sources.list.d/x.sources", " x\n:\n\u{fc}");
        let all: Vec<&str> = super::RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(look(&Stage::new(&tree), &Settings::default(), &all).len(), all.len(), "{text}");
    }
}

/// APT itself reads the same.
#[test]
fn apt_config_agrees() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("etc/apt/apt.conf.d");
    std::fs::create_dir_all(&directory).unwrap();
    let files = [
        ("10a", GRAMMAR),
        ("20b.conf", "Acquire::Retries \"7\";\n"),
        ("30c.dpkg-old", "Acquire::Retries \"9\";\n"),
    ];
    let mut tree = MemoryTree::new();
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
        tree = tree.file(&format!("/etc/apt/apt.conf.d/{name}"), text);
    }
    let first = root.path().join("first.conf");
    std::fs::write(&first, format!("Dir \"{}/\";\n", root.path().display())).unwrap();
    let Ok(said) =
        Command::new("apt-config").arg("dump").env("APT_CONFIG", &first).env("LC_ALL", "C").output()
    else {
        eprintln!("SKIPPED: apt-config is not there");
        return;
    };
    let said = String::from_utf8(said.stdout).unwrap();
    let theirs: BTreeMap<String, &str> = said
        .lines()
        .filter_map(|line| line.strip_suffix("\";")?.split_once(" \""))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let stage = Stage::new(&tree);
    let conf = AptConf::read(&stage).unwrap();
    for name in [
        "APT::Get::Assume-Yes",
        "Acquire::http::Proxy",
        "Acquire::https::Verify-Peer",
        "Acquire::Retries",
        "Acquire::AllowInsecureRepositories",
        "Acquire::x",
        "APT::Gone",
    ] {
        let ours = conf.get(name).map(|set| set.value.as_str());
        // What nobody set has APT's own value, or an empty one.
        let their = theirs.get(&name.to_ascii_lowercase()).copied().filter(|value| !value.is_empty());
        assert_eq!(ours, their.filter(|_| name != "Acquire::AllowInsecureRepositories"), "{name}");
    }
    assert_eq!(theirs.get("acquire::allowinsecurerepositories").copied(), Some("0"));
}
