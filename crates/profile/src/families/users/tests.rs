//! Users and groups with one fault each.

use hardtack_guest::{MemoryTree, Set, Stage};

use crate::testing::{carry_out, look};
use crate::{Finding, Settings};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534::/bin:/bin/sync\nwww:x:33:33::/var/www:/usr/sbin/nologin\n\
                      anna:x:1000:1000::/home/anna:/bin/bash\n";
const SHADOW: &str = "root:*:1::::::\nsync:*:1::::::\nwww:*:1::::::\nanna:!:1::::::\n";
const GROUP: &str = "root:x:0:\nshadow:x:42:\nwww:x:33:\nanna:x:1000:\nnogroup:x:65534:anna\n";
const GSHADOW: &str = "root:*::\nshadow:*::\nwww:!::\nanna:!::\nnogroup:*::anna\n";

fn stage<'t>(tree: &'t MemoryTree, extra: &[(&str, &str)]) -> Stage<'t> {
    let mut stage = Stage::new(tree);
    for (path, text) in [
        ("/etc/passwd", PASSWD),
        ("/etc/shadow", SHADOW),
        ("/etc/group", GROUP),
        ("/etc/gshadow", GSHADOW),
        ("/etc/shells", "/bin/bash\n"),
        ("/etc/login.defs", "#HOME_MODE 0700\nENV_SUPATH PATH=/usr/sbin:/sbin\n"),
        ("/usr/sbin/x", ""),
        ("/sbin/x", ""),
    ] {
        stage.write(path, text, Set::all(0o644, 0, 0)).unwrap();
    }
    stage.mkdir("/home/anna", Set::all(0o750, 1000, 1000)).unwrap();
    for (path, text) in extra {
        stage.write(path, *text, Set::default()).unwrap();
    }
    stage
}

fn found(stage: &Stage<'_>, id: &str) -> String {
    match look(stage, &Settings::default(), &[id]).remove(0) {
        Finding::Fail { why, places } => {
            let place = &places[0];
            format!("{}:{} {}", place.path, place.line.unwrap_or(0), why[0])
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn each_fault_is_told_with_its_line() {
    let tree = MemoryTree::new();
    let passwd = |line: &str| format!("{PASSWD}{line}\n");
    let group = |line: &str| format!("{GROUP}{line}\n");
    for (id, path, text, wanted) in [
        (
            "uid0-only-root",
            "/etc/passwd",
            passwd("toor:x:0:33::/:/bin/false"),
            ":5 toor has the user number 0",
        ),
        ("gid0-users", "/etc/passwd", passwd("a:x:9:0::/:/bin/false"), ":5 a has root's group"),
        ("gid0-group", "/etc/group", group("wheel:x:0:"), ":6 wheel has the group number 0"),
        (
            "root-path",
            "/root/.profile",
            "x\nexport PATH=\"/usr/sbin:.:$PATH\"\n".to_owned(),
            "/root/.profile:2 root's PATH has \".\"",
        ),
        ("root-path", "/root/.bashrc", "PATH=/sbin::/gone\n".to_owned(), ":1 root's PATH has \"\""),
        ("root-path", "/etc/login.defs", "ENV_SUPATH PATH=/gone\n".to_owned(), "/gone, which is missing"),
        (
            "system-shells",
            "/etc/passwd",
            passwd("pg:x:50:33::/:/bin/bash"),
            ":5 pg is no person, and has the shell /bin/bash",
        ),
        (
            "no-shell-locked",
            "/etc/shadow",
            SHADOW.replace("www:*", "www:$6$x"),
            "/etc/passwd:3 www has no shell",
        ),
        ("shadowed", "/etc/passwd", PASSWD.replace("anna:x", "anna:$1$x"), ":4 anna has its password"),
        ("no-empty-password", "/etc/shadow", SHADOW.replace("anna:!", "anna:"), ":4 anna needs no password"),
        ("groups-exist", "/etc/passwd", passwd("a:x:9:77::/:/bin/false"), ":5 a is in group 77"),
        (
            "shadow-group-empty",
            "/etc/group",
            GROUP.replace("42:", "42:anna"),
            ":2 anna is in the group shadow",
        ),
        ("dup-uid", "/etc/passwd", passwd("a:x:33:33::/:/bin/false"), ":5 a has the number 33, as www has"),
        ("dup-uid", "/etc/passwd", passwd("a:x:0033:33::/:/bin/false"), ":5 a has the number 33, as www has"),
        ("dup-gid", "/etc/group", group("b:x:33:"), ":6 b has the number 33, as www has"),
        ("dup-user", "/etc/passwd", passwd("anna:x:9:33::/:/bin/false"), ":5 anna has the name anna"),
        ("dup-group", "/etc/group", group("www:x:9:"), ":6 www has the name www"),
        ("group-gshadow-same", "/etc/group", group("new:x:1001:"), ":6 new has no line in /etc/gshadow"),
        ("group-gshadow-same", "/etc/group", GROUP.replace("33:", "33:ghost"), ":3 www has the member ghost"),
        (
            "homes",
            "/etc/passwd",
            passwd("a:x:1001:33::/home/a:/bin/sh"),
            ":5 a has the home /home/a, which is missing",
        ),
        ("dotfiles", "/home/anna/.rhosts", "+ +\n".to_owned(), "lets others in"),
        ("dotfiles", "/home/anna/.netrc", "x\n".to_owned(), "its mode is 0644, not 0600"),
        ("dotfiles", "/root/.bash_history", "x\n".to_owned(), "tells what was typed"),
        (
            "authorized-keys",
            "/home/gone/.ssh/authorized_keys",
            "ssh-ed25519 AAAA a@b\n".to_owned(),
            ":1 /home/gone is nobody's home",
        ),
        (
            "authorized-keys",
            "/home/anna/.ssh/authorized_keys",
            "# x\nssh-rsa AAAA packer_1\n".to_owned(),
            ":2 this key was made for a build",
        ),
    ] {
        assert_eq!(found(&stage(&tree, &[]), id), "Pass", "{id}");
        let found = found(&stage(&tree, &[(path, &text)]), id);
        assert!(found.contains(wanted), "{id}: {found}");
    }
}

#[test]
fn keys_that_a_build_gives_to_users_are_told_and_do_not_fail() {
    let tree = MemoryTree::new();
    let stage = stage(
        &tree,
        &[("/home/anna/.ssh/authorized_keys", "ssh-ed25519 AAAA a@b\n# x\nssh-ed25519 BBBB c\n")],
    );
    let found = look(&stage, &Settings::default(), &["authorized-keys"]);
    let Finding::Exception(why) = &found[0] else { panic!("{found:?}") };
    assert!(why.ends_with("/home/anna/.ssh/authorized_keys (2)"), "{why}");
}

#[test]
fn homes_are_closed_and_new_ones_too() {
    let tree = MemoryTree::new();
    let mut stage = stage(&tree, &[]);
    stage.set_mode("/home/anna", 0o2755).unwrap();
    assert!(found(&stage, "homes").contains("2755, not 0750"));
    let settings = Settings::default();
    let mut bench = crate::Bench::new(&mut stage, &settings, 0, &[]);
    crate::rule("homes").unwrap().measure.apply(&mut bench).unwrap();
    assert_eq!(stage.stat("/home/anna").unwrap().unwrap().mode, 0o2750);
    assert!(stage.read_text("/etc/login.defs").unwrap().unwrap().ends_with("HOME_MODE\t0750\n"));
    assert_eq!(found(&stage, "homes"), "Pass");
}

#[test]
fn damaged_files_are_no_panic() {
    let tree = MemoryTree::new()
        .file("/etc/passwd", vec![0xff; 5000])
        .file("/etc/group", ":::::\n\n::\n")
        .file("/etc/shadow", "::::\n")
        .file("/etc/gshadow", "x\n")
        .link("/home", "/home");
    let ids = ["uid0-only-root", "dup-uid", "group-gshadow-same", "homes", "dotfiles", "system-shells"];
    assert_eq!(look(&Stage::new(&tree), &Settings::default(), &ids).len(), ids.len());
    let empty = MemoryTree::new();
    let (before, _, _) = carry_out(&empty, &Settings::default(), &ids[..3]);
    assert!(before.iter().all(|found| matches!(found, Finding::NotApplicable(_))));
}
