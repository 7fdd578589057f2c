#![allow(clippy::unwrap_used)]

use super::*;
use crate::tree::MemoryTree;

fn tree() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/motd", "hello\n")
        .file_as("/etc/shadow", "root:*\n", 0o640, 0, 42)
        .link("/lib", "usr/lib")
        .file("/usr/lib/a", "a")
        .link("/etc/alias", "/etc/motd")
        .link("/etc/up", "../../../../etc/motd")
        .link("/etc/loop", "loop")
        .link("/etc/dangling", "../var/made")
        .file("/srv/x/y/z", "deep")
}

#[test]
fn writing_what_is_there_changes_nothing() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    stage.write("/etc/motd", "hello\n", Set::default()).unwrap();
    stage.write("/etc/shadow", "root:*\n", Set::all(0o640, 0, 42)).unwrap();
    stage.mkdir("/etc", Set::mode(0o755)).unwrap();
    stage.symlink("/lib", "usr/lib").unwrap();
    stage.remove("/nowhere").unwrap();
    assert!(stage.changes().unwrap().is_empty());
}

#[test]
fn what_is_new_takes_the_group_of_a_set_group_id_directory() {
    let tree = MemoryTree::new().file("/srv/plain/x", "x");
    let mut stage = Stage::new(&tree);
    stage.mkdir("/srv/shared", Set::all(0o2775, 7, 50)).unwrap();
    stage.write("/srv/shared/deep/er/file", "x", Set::default()).unwrap();
    stage.write("/srv/shared/own", "x", Set::all(0o600, 5, 6)).unwrap();
    stage.symlink("/srv/shared/link", "own").unwrap();
    stage.mkdir("/srv/shared/made", Set::mode(0o700)).unwrap();
    stage.write("/srv/plain/file", "x", Set::default()).unwrap();
    for (path, wanted) in [
        ("/srv/shared/deep/er", (0o2755, 0, 50)),
        ("/srv/shared/deep/er/file", (0o644, 0, 50)),
        ("/srv/shared/own", (0o600, 5, 6)),
        ("/srv/shared/link", (0o777, 0, 50)),
        ("/srv/shared/made", (0o700, 0, 50)),
        ("/srv/plain/file", (0o644, 0, 0)),
    ] {
        let found = stage.lstat(path).unwrap().unwrap();
        assert_eq!((found.mode, found.uid, found.gid), wanted, "{path}");
    }
}

#[test]
fn links_are_followed_inside_the_guest_only() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    for (given, wanted) in [
        ("/lib/a", "/usr/lib/a"),
        ("/etc/alias", "/etc/motd"),
        ("/etc/up", "/etc/motd"),
        ("/etc/dangling", "/var/made"),
        ("/lib/../x", "/usr/x"),
        ("/no/such/../thing", "/no/thing"),
    ] {
        assert_eq!(stage.resolve(given).unwrap().as_str(), wanted, "{given}");
    }
    assert!(matches!(stage.resolve("/etc/loop"), Err(Error::LinkLoop { .. })));
    stage.write("/etc/dangling", "x", Set::default()).unwrap();
    assert_eq!(stage.read("/var/made").unwrap().unwrap(), b"x");
    assert_eq!(stage.resolve_parent("/etc/alias").unwrap().as_str(), "/etc/alias");
}

#[test]
fn removal_is_recursive_and_listing_sees_the_stage() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    stage.remove("/srv/x").unwrap();
    assert_eq!(stage.read("/srv/x/y/z").unwrap(), None);
    stage.write("/srv/x/new", "n", Set::default()).unwrap();
    let names: Vec<_> = stage.list("/srv/x").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["new"]);
    let ops: Vec<_> = stage.changes().unwrap().into_iter().map(|change| (change.op, change.path)).collect();
    assert_eq!(
        ops,
        [
            (Op::Write, "/srv/x/new".to_owned()),
            (Op::Remove, "/srv/x/y".to_owned()),
            (Op::Remove, "/srv/x/y/z".to_owned()),
        ]
    );
}

#[test]
fn groups_are_one_entry() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    stage.set_step("packages");
    stage.set_group(Some((Op::Package, "tool 1".to_owned())));
    stage.write("/usr/bin/tool", "t", Set::mode(0o755)).unwrap();
    stage.write("/usr/share/doc/tool", "d", Set::default()).unwrap();
    stage.set_group(None);
    stage.append_bytes("/etc/motd", b"more\n".to_vec()).unwrap();
    let changes = stage.changes().unwrap();
    let shown: Vec<_> =
        changes.iter().map(|change| (change.op, change.path.as_str(), change.edits.len())).collect();
    assert_eq!(shown, [(Op::Write, "/etc/motd", 1), (Op::Package, "tool 1", 5)]);
    assert_eq!(stage.read_text("/etc/motd").unwrap().unwrap(), "hello\nmore\n");
}

#[test]
fn attributes_alone_are_their_own_change() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    stage.set_mode("/etc/shadow", 0o600).unwrap();
    stage.set_owner("/etc/alias", 7, 7).unwrap();
    stage.set_xattr("/etc/motd", "user.x", b"1").unwrap();
    let ops: Vec<_> = stage.changes().unwrap().into_iter().map(|change| change.op).collect();
    assert_eq!(ops, [Op::Chown, Op::Xattr, Op::Chmod]);
}

#[test]
fn a_file_never_silently_replaces_a_directory() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    assert!(stage.write("/etc", "x", Set::default()).is_err());
    assert!(stage.symlink("/srv/x", "y").is_err());
    assert!(stage.write("/etc/motd/below", "x", Set::default()).is_err());
    assert!(stage.mkdir("/etc/motd", Set::default()).is_err());
}
