//! Modes and owners, and what a walk finds.

use hardtack_guest::{MemoryTree, Set, Stage};

use crate::testing::look;
use crate::{Bench, Finding, Settings, View, rule};

const STATUS: &str = "Package: passwd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n";

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/false\n")
        .file("/etc/group", "root:x:0:\nshadow:x:42:\nwww:x:33:\n")
        .file("/etc/subuid", "www:100000:65536\n")
        .file("/etc/subgid", "www:100000:65536\n")
        .file("/var/lib/dpkg/status", STATUS)
        .file("/var/lib/dpkg/info/passwd.list", "/.\n/bin\n/bin/su\n/usr/bin/diverted\n")
        .file("/var/lib/dpkg/diversions", "/usr/bin/diverted\n/usr/bin/diverted.real\n:\n")
        .file("/var/lib/dpkg/statoverride", "root root 4755 /usr/local/bin/mine\n")
        .link("/bin", "usr/bin")
}

fn why(stage: &Stage<'_>, id: &str) -> Vec<String> {
    match look(stage, &Settings::default(), &[id]).remove(0) {
        Finding::Fail { why, .. } => why,
        Finding::Pass => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_walk_finds_what_breaks_the_rules_and_passes_containers_by() {
    let tree = debian();
    let mut stage = Stage::new(&tree);
    for (path, mode, uid, gid) in [
        ("/usr/bin/su", 0o4755, 0, 0),
        ("/usr/bin/diverted.real", 0o4755, 0, 0),
        ("/usr/local/bin/mine", 0o4755, 0, 0),
        ("/usr/local/bin/door", 0o2755, 0, 0),
        ("/srv/open", 0o666, 0, 0),
        ("/srv/orphan", 0o644, 4000, 33),
        ("/srv/lent", 0o644, 100_001, 165_535),
        ("/var/lib/private/x/y", 0o600, 65_000, 65_000),
        ("/var/lib/docker/overlay2/x/bin/su", 0o4777, 4000, 4000),
        ("/proc/x", 0o666, 4000, 4000),
    ] {
        stage.write(path, "x", Set::all(mode, uid, gid)).unwrap();
    }
    stage.mkdir("/srv/drop", Set::all(0o777, 0, 0)).unwrap();
    stage.mkdir("/tmp", Set::all(0o1777, 0, 0)).unwrap();
    assert_eq!(
        why(&stage, "world-writable"),
        [
            "/srv/drop is a directory that everybody can write to, without sticky bit (0777)",
            "/srv/open can be written by everybody (0666)"
        ]
    );
    assert_eq!(why(&stage, "unowned"), ["/srv/orphan belongs to user 4000, which the image does not have"]);
    assert_eq!(why(&stage, "suid-audit").len(), 1);
    assert!(why(&stage, "suid-audit")[0].starts_with("/usr/local/bin/door runs as"));
    stage.set_xattr("/usr/local/bin/door", "security.capability", &[1]).unwrap();
    stage.set_xattr("/usr/bin/su", "security.capability", &[1]).unwrap();
    assert_eq!(why(&stage, "suid-caps").len(), 1);

    let bare =
        MemoryTree::new().file("/etc/passwd", "root:x:0:0::/:/bin/sh\n").file("/etc/group", "root:x:0:\n");
    let found = look(&Stage::new(&bare), &Settings::default(), &["suid-audit"]);
    assert!(matches!(&found[0], Finding::NotApplicable(_)));
}

#[test]
fn many_offenders_are_counted_and_a_walk_is_done_once() {
    let tree = debian();
    let mut stage = Stage::new(&tree);
    for number in 0..200 {
        stage.write(&format!("/srv/{number:03}"), "", Set::all(0o666, 0, 0)).unwrap();
    }
    let why = why(&stage, "world-writable");
    assert_eq!(why.len(), 50);
    assert!(why[49].ends_with("; and 150 more"), "{}", why[49]);
    let settings = Settings::default();
    let view = View::new(&stage, &settings).unwrap();
    let first: *const _ = super::tree::seen(&view).unwrap();
    assert!(std::ptr::eq(first, super::tree::seen(&view).unwrap()));
}

#[test]
fn modes_are_narrowed_and_groups_are_the_images_own() {
    for (group, mode, gid) in [("root:x:0:\nshadow:x:77:\n", 0o640, 77), ("root:x:0:\n", 0, 0)] {
        let tree = MemoryTree::new().file("/etc/group", group);
        let mut stage = Stage::new(&tree);
        stage.write("/etc/shadow", "", Set::all(0o664, 5, 6)).unwrap();
        stage.write("/etc/passwd", "", Set::all(0o600, 0, 0)).unwrap();
        assert_eq!(why(&stage, "perm-shadow").len(), 2);
        let settings = Settings::default();
        let mut bench = Bench::new(&mut stage, &settings, 0, &[]);
        for id in ["perm-shadow", "perm-passwd", "perm-opasswd"] {
            rule(id).unwrap().measure.apply(&mut bench).unwrap();
        }
        let found = stage.stat("/etc/shadow").unwrap().unwrap();
        assert_eq!((found.mode, found.uid, found.gid), (mode, 0, gid));
        assert_eq!(stage.stat("/etc/passwd").unwrap().unwrap().mode, 0o600);
        assert_eq!(why(&stage, "perm-shadow"), Vec::<String>::new());
    }
}
