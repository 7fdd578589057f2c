#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};

use super::*;
use crate::execute::testing::with;
use crate::testing::{Tree, is_root};

fn act(tree: &Tree, work: impl Fn(&Execution<'_>) -> Result<(), AgentError>) -> Result<(), String> {
    let mut done = Ok(());
    with(&tree.host(), "", "write_files", |cx| done = work(cx).map_err(|error| error.to_string()));
    done
}

fn mode(tree: &Tree, path: &str) -> u32 {
    tree.metadata(path).mode() & 0o7777
}

#[test]
fn files_are_written_whole_with_exact_modes() {
    let tree = Tree::new().file("etc/old", "old");
    fs::set_permissions(tree.host().path("/etc/old"), fs::Permissions::from_mode(0o751)).unwrap();
    act(&tree, |cx| {
        write(cx, "/etc/old", b"new", None, None)?;
        write(cx, "/etc/fresh", b"x", None, None)?;
        write(cx, "/opt/a/b/c", b"y", Some(0o4755), None)?;
        write(cx, "/opt/a/wide", b"z", Some(0o666), None)
    })
    .unwrap();
    assert_eq!((tree.read("etc/old").as_str(), mode(&tree, "etc/old")), ("new", 0o751));
    assert_eq!(mode(&tree, "etc/fresh"), 0o644);
    assert_eq!(mode(&tree, "opt/a/b/c"), 0o4755);
    assert_eq!(mode(&tree, "opt/a/wide"), 0o666);
    assert_eq!((mode(&tree, "opt"), mode(&tree, "opt/a/b")), (0o755, 0o755));
    assert_eq!(fs::read_dir(tree.host().path("/opt/a")).unwrap().count(), 2);
}

#[test]
fn links_are_written_through() {
    let tree = Tree::new()
        .file("run/resolv.conf", "old")
        .link("etc/resolv.conf", "../run/resolv.conf")
        .link("etc/dangling", "/var/lib/made")
        .directory("var/lib")
        .link("etc/loop", "loop");
    act(&tree, |cx| {
        write(cx, "/etc/resolv.conf", b"new", None, None)?;
        append(cx, "/etc/resolv.conf", b"+", None, None)?;
        write(cx, "/etc/dangling", b"made", None, None)
    })
    .unwrap();
    assert!(tree.metadata("etc/resolv.conf").is_symlink());
    assert_eq!(tree.read("run/resolv.conf"), "new+");
    assert_eq!(tree.read("var/lib/made"), "made");
    let error = act(&tree, |cx| write(cx, "/etc/loop", b"", None, None)).unwrap_err();
    assert!(error.contains("circle"), "{error}");
}

#[test]
fn other_names_of_a_file_see_what_is_written() {
    let tree = Tree::new().file("a", "long old text");
    let host = tree.host();
    fs::hard_link(host.path("/a"), host.path("/b")).unwrap();
    act(&tree, |cx| write(cx, "/a", b"new", Some(0o600), None)).unwrap();
    assert_eq!(tree.read("b"), "new");
    assert_eq!(mode(&tree, "b"), 0o600);
    assert_eq!(tree.metadata("a").nlink(), 2);
}

#[test]
fn what_cannot_be_is_said() {
    let tree = Tree::new().directory("etc/directory").file("etc/file", "");
    for (path, word) in
        [("/etc/directory", "a directory stands"), ("/etc/file/x", "cannot create"), ("", "is not")]
    {
        let error = act(&tree, |cx| write(cx, path, b"", None, None)).unwrap_err();
        assert!(error.contains(word), "{path}: {error}");
    }
    let owner = Owner { user: Some("nobody-here".to_owned()), group: None };
    let error = act(&tree, |cx| write(cx, "/etc/new", b"", None, Some(&owner))).unwrap_err();
    assert!(error.contains("no user nobody-here"), "{error}");
    assert!(!tree.host().exists("/etc/new"));
    // A pipe without a reader holds nobody.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.host().path("/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(act(&tree, |cx| write(cx, "/pipe", b"x", None, None)).is_err());
}

#[test]
fn directories_and_links_are_made() {
    let tree = Tree::new().file("etc/localtime", "copy").directory("d");
    act(&tree, |cx| {
        directory(cx, "/srv/a/b", 0o700, None)?;
        directory(cx, "/d", 0o1777, None)?;
        link(cx, "/etc/localtime", "/usr/share/zoneinfo/UTC")?;
        link(cx, "/etc/localtime", "/usr/share/zoneinfo/CET")?;
        remove(cx, "/nothing")
    })
    .unwrap();
    assert_eq!((mode(&tree, "srv/a"), mode(&tree, "srv/a/b"), mode(&tree, "d")), (0o755, 0o700, 0o1777));
    let target = fs::read_link(tree.host().path("/etc/localtime")).unwrap();
    assert_eq!(target.to_str(), Some("/usr/share/zoneinfo/CET"));
    assert!(act(&tree, |cx| link(cx, "/d", "x")).is_err());
    act(&tree, |cx| remove(cx, "/etc/localtime")).unwrap();
    assert!(tree.host().path("/etc/localtime").symlink_metadata().is_err());
}

#[test]
fn owners_are_given_and_kept() {
    if !is_root() {
        return;
    }
    let tree = Tree::new()
        .file("etc/passwd", "joe:x:4001:4002::/home/joe:/bin/sh\n")
        .file("etc/group", "joe:x:4002:\nwww:x:4003:\n");
    let owner = |user: &str, group: &str| {
        let some = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        Owner { user: some(user), group: some(group) }
    };
    act(&tree, |cx| {
        write(cx, "/f", b"1", Some(0o4711), Some(&owner("joe", "www")))?;
        write(cx, "/f", b"2", None, None)?;
        append(cx, "/g", b"3", Some(0o600), Some(&owner("", "www")))?;
        directory(cx, "/h", 0o750, Some(&owner("joe", "")))
    })
    .unwrap();
    let found = tree.metadata("f");
    assert_eq!((found.uid(), found.gid(), mode(&tree, "f")), (4001, 4003, 0o4711));
    assert_eq!((tree.metadata("g").uid(), tree.metadata("g").gid()), (0, 4003));
    assert_eq!((tree.metadata("h").uid(), tree.metadata("h").gid()), (4001, 0));
}

/// A user who is logged in before the last stage must not lead root to files that are not theirs.
#[test]
fn links_of_users_lead_nowhere_else() {
    if !is_root() {
        return;
    }
    let tree = Tree::new()
        .file("etc/passwd", "joe:x:4001:4001::/home/joe:/bin/sh\n")
        .file("etc/shadow", "secret")
        .directory("etc/sub")
        .directory("home/joe/own");
    let host = tree.host();
    for path in ["/home/joe", "/home/joe/own"] {
        chown(host.path(path), Some(4001), Some(4001)).unwrap();
    }
    let lay = |name: &str, target: &str| {
        let path = host.path(&format!("/home/joe/{name}"));
        symlink(target, &path).unwrap();
        lchown(path, Some(4001), Some(4001)).unwrap();
    };
    lay("file", "/etc/shadow");
    lay("above", "../../etc");
    lay("new", "/etc/cron.d/x");
    lay("twice", "/home/joe/above/shadow");
    lay("mine", "own/file");
    let joe = Owner { user: Some("joe".to_owned()), group: None };
    for path in ["file", "above/shadow", "above/made/x", "new", "twice"] {
        let path = &format!("/home/joe/{path}");
        for error in [
            act(&tree, |cx| write(cx, path, b"root::", Some(0o666), Some(&joe))),
            act(&tree, |cx| append(cx, path, b"root::", Some(0o666), Some(&joe))),
        ] {
            assert!(error.unwrap_err().contains("user number 4001"), "{path}");
        }
    }
    for error in [
        act(&tree, |cx| directory(cx, "/home/joe/above/sub", 0o777, Some(&joe))),
        act(&tree, |cx| link(cx, "/home/joe/above/x", "/y")),
        act(&tree, |cx| remove(cx, "/home/joe/above/shadow")),
    ] {
        assert!(error.unwrap_err().contains("user number 4001"));
    }
    assert_eq!(tree.read("etc/shadow"), "secret");
    let shadow = tree.metadata("etc/shadow");
    assert_eq!((shadow.uid(), shadow.mode() & 0o022), (0, 0));
    assert_eq!(tree.metadata("etc/sub").uid(), 0);
    assert!(!host.exists("/etc/cron.d") && !host.exists("/etc/made"));
    // What stays among their own things is as under cloud-init.
    act(&tree, |cx| write(cx, "/home/joe/mine", b"new", None, Some(&joe))).unwrap();
    assert_eq!(
        (tree.read("home/joe/own/file").as_str(), tree.metadata("home/joe/own/file").uid()),
        ("new", 4001)
    );
    act(&tree, |cx| write(cx, "/home/joe/plain/x", b"new", None, None)).unwrap();
    assert_eq!(tree.metadata("home/joe/plain").uid(), 0);
}

/// Nor by other names of files, or by pipes.
#[test]
fn other_names_in_directories_of_users_are_not_written_into() {
    if !is_root() {
        return;
    }
    let tree = Tree::new().file("etc/shadow", "secret").directory("tmp");
    let host = tree.host();
    fs::set_permissions(host.path("/tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::hard_link(host.path("/etc/shadow"), host.path("/tmp/x")).unwrap();
    let pipe = host.path("/tmp/pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    assert!(act(&tree, |cx| append(cx, "/tmp/x", b"y", None, None)).is_err());
    assert!(act(&tree, |cx| write(cx, "/tmp/pipe", b"y", None, None)).is_err());
    drop(reader);
    act(&tree, |cx| write(cx, "/tmp/x", b"new", None, None)).unwrap();
    assert_eq!((tree.read("tmp/x").as_str(), tree.read("etc/shadow").as_str()), ("new", "secret"));
}
