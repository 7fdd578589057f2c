//! Every operation, once and again.
#![allow(clippy::unwrap_used)]

use hardtack_guest::{MemoryTree, Stage};
use regex::bytes::Regex;

use super::*;
use crate::Note;

fn tree() -> MemoryTree {
    MemoryTree::new()
        .file(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n1000:x:7:7::/:/bin/sh\n",
        )
        .file("/etc/group", "root:x:0:\nwww-data:x:33:\nadm:x:4:debian\n")
        .file_as("/etc/secret", "x\n", 0o640, 0, 4)
        .file("/etc/open", "x\n")
        .file("/etc/unfinished", "one\ntwo")
        .file("/etc/crlf", "Port 22\r\nUsePAM no\r\nlast=1")
        .file("/etc/default/grub", "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n")
        .file("/etc/binary", b"caf\xe9 old\n".as_slice())
        .file("/outside", "untouched\n")
        .file("/real", "target\n")
        .link("/absolute", "/real")
        .link("/escape", "../../../../real")
        .link("/dangling", "/made/by/write")
        .link("/usr-etc", "etc")
        .dir("/srv/data")
        .dir("/dir/below")
        .file("/dir/file", "x")
        .link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
}

/// Runs `actions` on `stage`.
fn run(actions: &[FileAction], stage: &mut Stage<'_>) -> Result<Vec<Note>, StepError> {
    let operations: Vec<FileOp> = actions
        .iter()
        .enumerate()
        .map(|(index, action)| FileOp { line: index + 1, action: copy(action) })
        .collect();
    let mut cx = Context::for_tests(stage);
    apply(&operations, &mut cx)?;
    Ok(cx.notes)
}

fn copy(action: &FileAction) -> FileAction {
    use FileAction::{Append, Copy, Link, Mkdir, Remove, Replace, Write};
    match action {
        Write { path, content, mode, owner } => {
            Write { path: path.clone(), content: content.clone(), mode: *mode, owner: owner.clone() }
        }
        Append { path, line } => Append { path: path.clone(), line: line.clone() },
        Replace { path, pattern, with } => {
            Replace { path: path.clone(), pattern: pattern.clone(), with: with.clone() }
        }
        Copy { origin, content, to, mode, owner } => Copy {
            origin: origin.clone(),
            content: content.clone(),
            to: to.clone(),
            mode: *mode,
            owner: owner.clone(),
        },
        Mkdir { path, mode, owner } => Mkdir { path: path.clone(), mode: *mode, owner: owner.clone() },
        Link { path, target } => Link { path: path.clone(), target: target.clone() },
        Remove { path } => Remove { path: path.clone() },
    }
}

fn open(text: &str) -> Content {
    Content { text: text.to_owned(), secret: false }
}

fn write(path: &str, text: &str) -> FileAction {
    FileAction::Write { path: path.to_owned(), content: open(text), mode: None, owner: None }
}

fn append_to(path: &str, line: &str) -> FileAction {
    FileAction::Append { path: path.to_owned(), line: open(line) }
}

fn replace_in(path: &str, pattern: &str, with: &str) -> FileAction {
    FileAction::Replace { path: path.to_owned(), pattern: Regex::new(pattern).unwrap(), with: open(with) }
}

fn mkdir(path: &str, mode: Option<u32>, owner: Option<&str>) -> FileAction {
    FileAction::Mkdir { path: path.to_owned(), mode, owner: owner.map(str::to_owned) }
}

/// The plan as lines, after one and after two runs over the same stage.
fn plans(actions: &[FileAction]) -> (Vec<String>, Vec<String>) {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    let plan = |stage: &Stage<'_>| -> Vec<String> {
        stage.changes().unwrap().iter().map(|change| format!("{:?} {}", change.op, change.path)).collect()
    };
    run(actions, &mut stage).unwrap();
    let first = plan(&stage);
    run(actions, &mut stage).unwrap();
    (first, plan(&stage))
}

fn content_after(actions: &[FileAction], path: &str) -> String {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    run(actions, &mut stage).unwrap();
    let once = stage.read(path).unwrap().unwrap();
    run(actions, &mut stage).unwrap();
    assert_eq!(stage.read(path).unwrap().unwrap(), once, "a second run changes nothing");
    String::from_utf8_lossy(&once).into_owned()
}

fn refusal(actions: &[FileAction]) -> String {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    run(actions, &mut stage).unwrap_err().to_string()
}

#[test]
fn modes_and_owners() {
    let tree = tree();
    for (action, path, wanted) in [
        (write("/new", "x"), "/new", (0o644, 0, 0)),
        (write("/etc/secret", "y\n"), "/etc/secret", (0o640, 0, 4)),
        (
            FileAction::Write {
                path: "/etc/secret".into(),
                content: open("y"),
                mode: Some(0o600),
                owner: Some("www-data".into()),
            },
            "/etc/secret",
            (0o600, 33, 4),
        ),
        (
            FileAction::Copy {
                origin: "f".into(),
                content: b"#!".as_slice().into(),
                to: "/opt/tool".into(),
                mode: Some(0o755),
                owner: Some("www-data:adm".into()),
            },
            "/opt/tool",
            (0o755, 33, 4),
        ),
        (mkdir("/srv/data", Some(0o750), None), "/srv/data", (0o750, 0, 0)),
        (mkdir("/srv/deep/er", None, Some(":adm")), "/srv/deep/er", (0o755, 0, 4)),
        (mkdir("/srv/n", None, Some("12:34")), "/srv/n", (0o755, 12, 34)),
        // A name of digits is a name first, as for chown.
        (mkdir("/srv/o", None, Some("1000")), "/srv/o", (0o755, 7, 0)),
    ] {
        let mut stage = Stage::new(&tree);
        run(&[action], &mut stage).unwrap();
        let found = stage.stat(path).unwrap().unwrap();
        assert_eq!((found.mode, found.uid, found.gid), wanted, "{path}");
    }
    assert!(refusal(&[mkdir("/x", None, Some("nobody-here"))]).contains("no user `nobody-here`"));
    assert!(refusal(&[mkdir("/x", None, Some("root:nothing"))]).contains("no group `nothing`"));
}

#[test]
fn write_and_copy_follow_links_inside_the_image() {
    for (link, lands) in [
        ("/absolute", "/real"),
        ("/escape", "/real"),
        ("/dangling", "/made/by/write"),
        ("/usr-etc/open", "/etc/open"),
    ] {
        let (plan, again) = plans(&[write(link, "new\n")]);
        assert!(plan.contains(&format!("Write {lands}")), "{link}: {plan:?}");
        assert!(!plan.iter().any(|change| change.ends_with(link)), "{link}: {plan:?}");
        assert_eq!(plan, again);
    }
}

#[test]
fn link_and_remove_do_not() {
    let link = |path: &str, target: &str| FileAction::Link { path: path.into(), target: target.into() };
    let remove = |path: &str| FileAction::Remove { path: path.into() };
    assert_eq!(plans(&[remove("/absolute")]).0, ["Remove /absolute"]);
    assert_eq!(plans(&[link("/absolute", "/outside")]).0, ["Link /absolute"]);
    assert_eq!(plans(&[link("/etc/localtime", "/usr/share/zoneinfo/UTC")]).0, ["Link /etc/localtime"]);
    assert!(plans(&[link("/absolute", "/real")]).0.is_empty());
    assert!(plans(&[remove("/nothing/there")]).0.is_empty());
    let (plan, again) = plans(&[remove("/dir"), link("/etc/open", "secret")]);
    assert!(
        plan.contains(&"Remove /dir".to_owned()) && plan.contains(&"Link /etc/open".to_owned()),
        "{plan:?}"
    );
    assert_eq!(plan, again);
    assert!(refusal(&[link("/dir", "x")]).contains("is a directory"));
}

#[test]
fn what_is_there_already_is_no_change() {
    let actions = [
        write("/etc/open", "x\n"),
        append_to("/etc/unfinished", "two"),
        append_to("/etc/crlf", "Port 22"),
        replace_in("/etc/default/grub", "^GRUB_TIMEOUT=.*$", "GRUB_TIMEOUT=5"),
        mkdir("/srv/data", Some(0o755), Some("root:root")),
    ];
    assert!(plans(&actions).0.is_empty(), "{:?}", plans(&actions).0);
}

#[test]
fn append_ends_an_unfinished_line_and_makes_a_missing_file() {
    for (path, line, wanted) in [
        ("/etc/unfinished", "three", "one\ntwo\nthree\n"),
        ("/etc/unfinished", "tw", "one\ntwo\ntw\n"),
        ("/etc/open", "y", "x\ny\n"),
        ("/etc/open", "", "x\n\n"),
        ("/etc/sysctl.conf", "a = b", "a = b\n"),
        ("/etc/crlf", "x=1", "Port 22\r\nUsePAM no\r\nlast=1\r\nx=1\r\n"),
    ] {
        assert_eq!(content_after(&[append_to(path, line)], path), wanted);
    }
    assert!(refusal(&[append_to("/dir", "x")]).contains("is a directory"));
}

#[test]
fn replace_works_line_by_line_on_every_match() {
    for (path, pattern, with, wanted) in [
        (
            "/etc/default/grub",
            "^GRUB_TIMEOUT=.*$",
            "GRUB_TIMEOUT=0",
            "GRUB_TIMEOUT=0\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n",
        ),
        ("/etc/default/grub", "T", "t", "GRUB_tIMEOUt=5\n#GRUB_tIMEOUt=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n"),
        (
            "/etc/default/grub",
            "^#?(GRUB_TIMEOUT)=.*",
            "${1}=9",
            "GRUB_TIMEOUT=9\nGRUB_TIMEOUT=9\nGRUB_CMDLINE_LINUX=\"quiet\"\n",
        ),
        (
            "/etc/default/grub",
            "\"quiet\"$",
            "\"$$x\"",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"$x\"\n",
        ),
        ("/etc/crlf", "no$", "yes", "Port 22\r\nUsePAM yes\r\nlast=1"),
        ("/etc/crlf", "1$", "2", "Port 22\r\nUsePAM no\r\nlast=2"),
        ("/etc/unfinished", "one|two", "x", "x\nx"),
        ("/etc/binary", "old", "new", "caf\u{fffd} new\n"),
        // The result matches again; what is there already is seen.
        ("/etc/unfinished", "two", "two three", "one\ntwo three"),
        (
            "/etc/default/grub",
            "quiet",
            "quiet splash",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet splash\"\n",
        ),
        (
            "/etc/default/grub",
            "^(GRUB_CMDLINE_LINUX=\".*)\"$",
            "$1 splash\"",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet splash\"\n",
        ),
        (
            "/etc/default/grub",
            "^(GRUB_CMDLINE_LINUX=\".*)\"$",
            "$1 quiet\"",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet quiet\"\n",
        ),
        // Nothing matches, and the wanted state holds.
        (
            "/etc/default/grub",
            "^NOPE$|^GRUB_TIMEOUT=7$",
            "GRUB_TIMEOUT=5",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n",
        ),
        (
            "/etc/default/grub",
            "nothing",
            "",
            "GRUB_TIMEOUT=5\n#GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=\"quiet\"\n",
        ),
        ("/etc/open", "y(.*)z", "x$1", "x\n"),
    ] {
        assert_eq!(content_after(&[replace_in(path, pattern, with)], path), wanted, "{pattern} {with}");
    }
}

#[test]
fn replace_says_when_it_cannot() {
    for (path, pattern, with, part) in [
        ("/etc/open", "nope", "wanted", "no line matches `nope`"),
        // A comment that holds the wanted text is not the wanted line.
        ("/etc/default/grub", "^GRUB_TIMEOUT=8$", "GRUB_TIMEOUT=0", "no line matches"),
        ("/missing", "a", "b", "no such file"),
        ("/dir", "a", "b", "is a directory"),
        ("/etc/unfinished", "^(.)(.)", "$2$1", "at every build"),
        ("/etc/crlf", r"^(\w+)\s(\w+)$", "$2 $1", "at every build"),
        ("/etc/unfinished", "^(.*)$", "[$1]", "at every build"),
    ] {
        let said = refusal(&[replace_in(path, pattern, with)]);
        assert!(said.contains(part) && said.contains("recipe line 1"), "{pattern}: {said}");
    }
}

#[test]
fn directories_and_files_are_not_mixed_up() {
    assert!(refusal(&[mkdir("/etc/open", None, None)]).contains("is a file in the image, not a directory"));
    assert!(refusal(&[write("/dir", "x")]).contains("is a directory in the image, not a file"));
}

#[test]
fn secrets_are_hidden_and_new_files_closed() {
    let tree = tree();
    let mut stage = Stage::new(&tree);
    let secret = |text: &str| Content { text: text.to_owned(), secret: true };
    let actions = [
        FileAction::Write {
            path: "/etc/new".into(),
            content: secret("canary-1\ncanary-2\n"),
            mode: None,
            owner: None,
        },
        FileAction::Append { path: "/etc/new2".into(), line: secret("canary-3") },
        FileAction::Write { path: "/etc/open".into(), content: secret("canary-4"), mode: None, owner: None },
    ];
    let notes = run(&actions, &mut stage).unwrap();
    for path in ["/etc/new", "/etc/new2"] {
        assert_eq!(stage.stat(path).unwrap().unwrap().mode, 0o600, "{path}");
    }
    assert_eq!(stage.stat("/etc/open").unwrap().unwrap().mode, 0o644);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].text.contains("/etc/open"));
    for canary in ["canary-1", "canary-2", "canary-3", "canary-4"] {
        assert!(stage.secrets().iter().any(|known| known == canary), "{canary}");
    }
    assert!(!format!("{actions:?}").contains("canary"));
}

#[test]
fn a_link_loop_is_an_error_and_no_endless_walk() {
    let tree = MemoryTree::new().link("/a", "/b").link("/b", "/a");
    let mut stage = Stage::new(&tree);
    let said = run(&[write("/a", "x")], &mut stage).unwrap_err();
    assert!(matches!(said, StepError::Guest { .. }), "{said}");
}
