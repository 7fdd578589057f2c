#![allow(clippy::unwrap_used)]
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use hardtack_credentials::AccountConfig;

use super::*;
use crate::testing::Tree;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                      _apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n\
                      backup:x:1002:1002::/srv:/bin/false\nbad line\n+::::::\n";
const NOW: u64 = 1_700_000_000;

fn tree() -> Tree {
    Tree::new()
        .file("etc/passwd", PASSWD)
        .file("etc/group", "root:x:0:\nsudo:x:27:ann\nadm:x:4:\nann:x:1000:\ntaken:x:1001:\n")
        .file("etc/shadow", "root:*:19000:0:99999:7:::\nann:$6$x$y:19000:0:99999:7:::\n")
        .file("etc/gshadow", "root:*::\nsudo:*::ann\nadm:*::\nann:!::\n")
        .file("etc/skel/.bashrc", "# bashrc\n")
        .file("etc/skel/.config/x", "x\n")
        .file("etc/sudoers.d/README", "")
        .file("bin/bash", "")
        .directory("home")
}

fn debian() -> AccountConfig {
    AccountConfig {
        name: "debian".into(),
        password_hash: "$6$salt$hash".into(),
        gecos: "Debian: a user\n".into(),
        groups: vec!["sudo".into(), "adm".into(), "absent".into()],
        sudo: vec!["ALL=(ALL) NOPASSWD:ALL".into()],
        authorized_keys: vec!["ssh-ed25519 AAAA one".into(), "ssh-ed25519 BBBB two\n".into()],
        ..AccountConfig::default()
    }
}

#[test]
fn accounts_are_read_and_damage_is_skipped() {
    let tree = tree();
    let names: Vec<String> = all(&tree.host()).unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["root", "nobody", "_apt", "ann", "backup"]);
    assert_eq!(people(&tree.host()).unwrap(), [find(&tree.host(), "ann").unwrap().unwrap()]);
    assert_eq!(find(&tree.host(), "nobody-here").unwrap(), None);
}

#[test]
fn a_new_account_is_complete() {
    if !crate::testing::is_root() {
        return;
    }
    let tree = tree();
    let account = create(&tree.host(), &debian(), NOW).unwrap();
    // 1001 is free as a user's number but not as a group's.
    assert_eq!((account.uid, account.gid), (1003, 1003));
    let line = |path: &str, name: &str| {
        let text = tree.read(path);
        text.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap_or_default().to_owned()
    };
    assert_eq!(line("etc/passwd", "debian"), "debian:x:1003:1003:Debian  a user :/home/debian:/bin/bash");
    assert_eq!(line("etc/shadow", "debian"), "debian:$6$salt$hash:19675:0:99999:7:::");
    assert_eq!(line("etc/group", "debian"), "debian:x:1003:");
    assert_eq!(line("etc/gshadow", "debian"), "debian:!::");
    assert_eq!(line("etc/group", "sudo"), "sudo:x:27:ann,debian");
    assert_eq!(line("etc/gshadow", "sudo"), "sudo:*::ann,debian");
    assert_eq!(line("etc/group", "adm"), "adm:x:4:debian");
    assert!(tree.read("etc/passwd").contains("bad line\n"), "other lines are kept");
    for (path, mode) in
        [("home/debian", 0o750), ("home/debian/.ssh", 0o700), ("home/debian/.ssh/authorized_keys", 0o600)]
    {
        let metadata = tree.metadata(path);
        assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (mode, 1003, 1003), "{path}");
    }
    assert_eq!(tree.read("home/debian/.ssh/authorized_keys"), "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n");
    assert_eq!(tree.read("home/debian/.config/x"), "x\n");
    assert_eq!(tree.metadata("home/debian/.config/x").uid(), 1003);
    assert_eq!(tree.read("etc/sudoers.d/90-hardtack-debian"), "debian ALL=(ALL) NOPASSWD:ALL\n");
    assert_eq!(tree.metadata("etc/sudoers.d/90-hardtack-debian").mode() & 0o777, 0o440);

    let before = tree.read("etc/passwd");
    assert_eq!(create(&tree.host(), &debian(), NOW).unwrap(), account);
    assert_eq!(tree.read("etc/passwd"), before, "the second time is nothing to do");
}

#[test]
fn databases_keep_their_mode_and_a_missing_one_stays_missing() {
    if !crate::testing::is_root() {
        return;
    }
    let tree = tree();
    std::fs::remove_file(tree.host().path("/etc/gshadow")).unwrap();
    std::fs::set_permissions(tree.host().path("/etc/shadow"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    let plain = AccountConfig { name: "u".into(), ..AccountConfig::default() };
    // A clock that was never set.
    create(&tree.host(), &plain, 100).unwrap();
    assert_eq!(tree.metadata("etc/shadow").mode() & 0o7777, 0o600);
    assert!(tree.read("etc/shadow").ends_with("u:!::0:99999:7:::\n"));
    assert!(!tree.host().exists("/etc/gshadow"));
}

#[test]
fn the_shadow_tools_find_nothing_wrong() {
    if !crate::testing::is_root() || !crate::testing::has("pwck") {
        return;
    }
    let tree = tree();
    let clean =
        PASSWD.replace("bad line\n", "").replace("+::::::\n", "").replace("/srv:/bin/false", "/:/bin/bash");
    std::fs::write(tree.host().path("/etc/passwd"), clean).unwrap();
    std::fs::write(
        tree.host().path("/etc/group"),
        "root:x:0:\nsudo:x:27:ann\nadm:x:4:\nann:x:1000:\nb:x:1002:\nn:x:65534:\n",
    )
    .unwrap();
    std::fs::write(
        tree.host().path("/etc/gshadow"),
        "root:*::\nsudo:*::ann\nadm:*::\nann:!::\nb:!::\nn:!::\n",
    )
    .unwrap();
    let names = ["nobody", "_apt", "backup"];
    let shadow: String = names.iter().map(|name| format!("{name}:*:19000:0:99999:7:::\n")).collect();
    std::fs::write(tree.host().path("/etc/shadow"), format!("{}{shadow}", tree.read("etc/shadow"))).unwrap();
    create(&tree.host(), &debian(), NOW).unwrap();
    let root = tree.host().path("/").display().to_string();
    for (tool, file) in [("pwck", "passwd"), ("grpck", "group")] {
        let output =
            std::process::Command::new(tool).args(["-r", "-R", root.trim_end_matches('/')]).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("debian"), "{file}: {text}");
    }
}

#[test]
fn names_that_would_break_a_file_are_refused() {
    let tree = tree();
    for name in ["", "a:b", "a/b", "../x", "-x", "a\nb", "é", &"x".repeat(33)] {
        let account = AccountConfig { name: name.to_owned(), ..AccountConfig::default() };
        assert!(create(&tree.host(), &account, NOW).is_err(), "{name:?}");
    }
    assert_eq!(tree.read("etc/passwd"), PASSWD);
}
