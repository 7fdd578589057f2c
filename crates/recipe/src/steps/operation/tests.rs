//! Every operation: what it makes, that a second build of its output changes nothing, and what is
//! silent with the peers and an error here.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hardtack_guest::{FileType, MemoryTree, Stage};

use super::*;
use crate::{Note, RealFiles, Recipe, load_recipe};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
/// 2023-11-14, day 19675.
const EPOCH: i64 = 1_700_000_000;

fn tree() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n")
        .file("/etc/group", "root:x:0:\nadm:x:4:\nada:x:1000:\n")
        .file_as("/etc/shadow", "root:*:19000:0:99999:7:::\nada:!:19000:0:99999:7:::\n", 0o640, 0, 42)
        .file_as("/etc/shadow-", "root:$6$old$hash:19000:0:99999:7:::\n", 0o640, 0, 42)
        .dir_as("/root", 0o700, 0, 0)
        .dir_as("/home/ada", 0o755, 1000, 1000)
        .file("/etc/hostname", "old.example.org\n")
        .file(
            "/etc/hosts",
            "127.0.0.1\tlocalhost\n127.0.1.1\told.example.org old # here\n::1 ip6-localhost\n",
        )
        .file("/etc/timezone", "Etc/UTC\n")
        .link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2rest")
        .file("/usr/share/zoneinfo/README", "no zone")
        .link("/usr/share/zoneinfo/out", "/etc/passwd")
        .file("/etc/app.conf", "one=1\n#two=2\nthree=3")
        .file("/etc/crlf.conf", "a\r\nb")
        .file_as("/srv/data/file", "data\n", 0o4750, 1000, 4)
        .link("/srv/data/link", "file")
        .dir("/srv/data/empty")
        .file("/var/cache/x/a", "a")
        .file("/var/cache/x/b.log", "b")
        .file("/var/cache/x/.hidden", "h")
        .link("/var/run", "/run")
        .dir("/run/lock")
        .file("/run/old", "x")
        .link("/lib", "usr/lib")
        .file("/usr/lib/libc", "libc")
}

fn recipe(steps: &str, directory: &Path) -> Result<Recipe, String> {
    let steps: String =
        steps.lines().map(|line| format!("  {}\n", line.trim_start_matches("        "))).collect();
    let text = format!("recipe: 1\nsteps:\n{steps}");
    let env = |name: &str| (name == "PW").then(|| "correct horse".to_owned());
    load_recipe(&directory.join("r.yaml"), &text, &env, &RealFiles).map_err(|error| error.to_string())
}

fn apply(operations: &[Operation], cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let mut session = Session::new(operations);
    session.order().into_iter().try_for_each(|index| session.apply(index, cx))?;
    session.finish(cx)
}

fn run(recipe: &Recipe, stage: &mut Stage<'_>) -> Result<Vec<Note>, StepError> {
    let mut cx = Context::for_tests(stage);
    cx.epoch = EPOCH;
    apply(recipe.operations(), &mut cx)?;
    Ok(cx.notes)
}

fn plan(stage: &Stage<'_>) -> Vec<String> {
    stage.changes().unwrap().iter().map(|change| format!("{:?} {}", change.op, change.path)).collect()
}

/// What a stage amounts to, as a tree of its own: the image that a build would write.
pub(crate) fn output(stage: &Stage<'_>) -> MemoryTree {
    let mut made = MemoryTree::new();
    let mut pending = vec![GuestPath::root()];
    while let Some(path) = pending.pop() {
        let found = stage.lstat(path.as_str()).unwrap().unwrap();
        let text = path.as_str();
        made = match found.kind {
            FileType::Directory => {
                pending.extend(stage.list(text).unwrap().iter().map(|entry| path.join(&entry.name)));
                made.dir_as(text, found.mode, found.uid, found.gid)
            }
            FileType::Regular => {
                let content = stage.read(text).unwrap().unwrap();
                made.file_as(text, content, found.mode, found.uid, found.gid)
            }
            _ => made.link(text, &stage.read_link(text).unwrap().unwrap()),
        };
        for (name, value) in stage.xattrs(text).unwrap() {
            made = made.xattr(text, &name, &value);
        }
    }
    made
}

/// Builds `tree` by the steps, proves that doing it again changes nothing, and answers the output.
fn built_in(tree: &MemoryTree, steps: &str, directory: &Path) -> (MemoryTree, Vec<Note>) {
    let recipe = recipe(steps, directory).unwrap();
    let mut stage = Stage::new(tree);
    let notes = run(&recipe, &mut stage).unwrap();
    let first = output(&stage);
    run(&recipe, &mut stage).unwrap();
    let made = output(&stage);
    {
        let compared = Stage::new(&made);
        let states = |tree: &MemoryTree| format!("{tree:?}");
        assert_eq!(states(&first), states(&made), "a second pass changes nothing: {steps}");
        drop(compared);
    }
    let mut again = Stage::new(&made);
    run(&recipe, &mut again).unwrap();
    assert_eq!(plan(&again), Vec::<String>::new(), "a second build changes nothing: {steps}");
    (made, notes)
}

fn built(steps: &str) -> MemoryTree {
    built_in(&tree(), steps, Path::new("/")).0
}

fn text(tree: &MemoryTree, path: &str) -> String {
    Stage::new(tree).read_text(path).unwrap().unwrap_or_else(|| panic!("{path} is missing"))
}

fn exists(tree: &MemoryTree, path: &str) -> bool {
    Stage::new(tree).lstat(path).unwrap().is_some()
}

fn refusal(steps: &str) -> String {
    let tree = tree();
    let recipe = match recipe(steps, Path::new("/")) {
        Ok(recipe) => recipe,
        Err(error) => return error,
    };
    run(&recipe, &mut Stage::new(&tree)).unwrap_err().to_string()
}

#[test]
fn a_line_is_there_once_with_the_files_own_end() {
    let made = built(
        "- append-line: {path: /etc/app.conf, line: four=4}\n- append-line: {path: /etc/crlf.conf, line: c}\n\
         - append-line: {path: /etc/app.conf, line: one=1}\n- append-line: {path: /etc/new, line: x}",
    );
    assert_eq!(text(&made, "/etc/app.conf"), "one=1\n#two=2\nthree=3\nfour=4\n");
    assert_eq!(text(&made, "/etc/crlf.conf"), "a\r\nb\r\nc\r\n");
    assert_eq!(text(&made, "/etc/new"), "x\n");
    assert!(refusal("- append-line: {path: /no/dir, line: x}").contains("no such file or directory"));
    assert!(refusal("- append-line: {path: /etc, line: x}").contains("is a directory"));
}

#[test]
fn modes_are_octal_and_owners_may_be_names() {
    let made = built(
        "- chmod: {path: /etc/app.conf, mode: 700}\n- chown: {path: /etc/app.conf, owner: \"ada:adm\"}",
    );
    let found = Stage::new(&made).stat("/etc/app.conf").unwrap().unwrap();
    assert_eq!((found.mode, found.uid, found.gid), (0o700, 1000, 4));
    assert!(refusal("- chmod: {path: /etc/app.conf, mode: 0o890}").contains("octal"));
    assert!(refusal("- chmod: {path: /nothing, mode: 644}").contains("no such file"));
    assert!(
        refusal("- chown: {path: /etc/app.conf, owner: nobody-here}").contains("has no user `nobody-here`")
    );
}

#[test]
fn a_copy_is_made_once_and_keeps_what_it_was_made_of() {
    let made = built(
        "- copy: {from: /etc/app.conf, to: /etc/app.conf.orig}\n\
         - edit: {path: /etc/app.conf, match: '^one=.*$', with: one=9}\n- copy: {from: /srv/data, to: /srv/twin}",
    );
    assert_eq!(text(&made, "/etc/app.conf.orig"), "one=1\n#two=2\nthree=3");
    assert!(text(&made, "/etc/app.conf").starts_with("one=9\n"));
    let found = Stage::new(&made).stat("/srv/twin/file").unwrap().unwrap();
    assert_eq!((found.mode, found.uid, found.gid), (0o4750, 1000, 4));
    assert!(!exists(&made, "/srv/twin/data"), "not a second time into itself");
    assert!(exists(&built("- copy: {from: /srv/data, to: /var/run/lock}"), "/run/lock/data/file"));
    assert!(refusal("- copy: {from: /nothing, to: /etc}").contains("no such file"));
    assert!(refusal("- copy: {from: /etc/app.conf, to: /no/where}").contains("no such file"));
}

#[test]
fn a_move_through_a_link_loses_nothing() {
    let made =
        built("- move: {from: /etc/app.conf, to: /var/run/lock/m}\n- chmod: {path: /run/lock/m, mode: 600}");
    assert!(text(&made, "/run/lock/m").starts_with("one=1") && !exists(&made, "/etc/app.conf"));
    let made = built(
        "- append-line: {path: /etc/app.conf, line: more}\n- move: {from: /etc/app.conf, to: /srv/a}\n\
         - move: {from: /srv/a, to: /srv/b}",
    );
    assert!(text(&made, "/srv/b").ends_with("three=3\nmore\n") && !exists(&made, "/srv/a"));
    assert!(exists(&built("- move: {from: /srv/data, to: /srv/other}"), "/srv/other/file"));
    assert!(refusal("- move: {from: /nothing, to: /etc}").contains("no such file"));
    assert!(refusal("- move: {from: /srv, to: /srv/data}").contains("into itself"));
}

#[test]
fn what_is_deleted_stays_away_and_no_match_is_an_error() {
    let made = built(
        "- delete: \"/var/cache/x/*\"\n- delete: /var/run/{old,older}\n- delete: {path: /never, optional: true}",
    );
    assert!(!exists(&made, "/var/cache/x/a") && exists(&made, "/var/cache/x/.hidden"));
    assert!(!exists(&made, "/run/old") && exists(&made, "/run/lock"));
    let record = text(&made, record::PATH);
    assert!(record.contains("/var/cache/x/b.log") && !record.contains("never"), "{record}");
    let mode = Stage::new(&made).stat(record::PATH).unwrap().unwrap().mode;
    assert_eq!(mode, 0o600);
    // What later steps make of it stays, and what was done to it before is done.
    let made = built(
        "- chmod: {path: /etc/app.conf, mode: 600}\n- delete: /etc/app.conf\n- mkdir: /var/x\n- touch: /var/x/y\n\
         - delete: /var/x\n- delete: /run/old\n- write: {path: /run/old, content: new}",
    );
    assert!(!exists(&made, "/etc/app.conf") && !exists(&made, "/var/x"));
    assert_eq!(text(&made, "/run/old"), "new");
    assert!(refusal("- delete: /nothing/*").contains("nothing in the image matches"));
    assert!(refusal("- delete: /").contains("root directory"));
    assert!(refusal("- delete: relative").contains("absolute"));
}

#[test]
fn edits_are_counted_and_made_once() {
    let made = built("- edit: {path: /etc/app.conf, match: '^#(two)=.*', with: '$1=22', expect: 1}");
    assert_eq!(text(&made, "/etc/app.conf"), "one=1\ntwo=22\nthree=3");
    // Not the same twice: without the record it would grow.
    let made = built("- edit: {path: /etc/app.conf, match: 'e', with: 'ee'}");
    assert_eq!(text(&made, "/etc/app.conf"), "onee=1\n#two=2\nthreeee=3");
    let made = built("- edit: {path: /etc/app.conf, match: '^#.*', with: ''}");
    assert_eq!(text(&made, "/etc/app.conf"), "one=1\n\nthree=3");
    assert!(!exists(&built("- edit: {path: /etc/app.conf, match: '^one=.*$', with: one=2}"), record::PATH));
    assert!(refusal("- edit: {path: /etc/app.conf, match: zzz, with: x}").contains("nothing matches"));
    assert!(
        refusal("- edit: {path: /etc/app.conf, match: '=', with: x, expect: 2}").contains("matches 3 times")
    );
    assert!(refusal("- edit: {path: /nothing, match: a, with: b}").contains("no such file"));
}

#[test]
fn one_line_becomes_several() {
    let step = r#"- edit: {path: /etc/app.conf, match: '^(\s*)#two=2$', with: "${1}two=2\n${1}four=4\n", expect: 1}"#;
    assert_eq!(text(&built(step), "/etc/app.conf"), "one=1\ntwo=2\nfour=4\nthree=3");
    // With a result that matches again, too.
    let made = built(r#"- edit: {path: /etc/app.conf, match: 'one', with: "one\none"}"#);
    assert_eq!(text(&made, "/etc/app.conf"), "one\none=1\n#two=2\nthree=3");
    // In the file's own ends of lines.
    let made = built(r#"- edit: {path: /etc/crlf.conf, match: '^a$', with: "x\ny", expect: 1}"#);
    assert_eq!(text(&made, "/etc/crlf.conf"), "x\r\ny\r\nb");
    // What somebody took out of the middle since is told.
    let half = tree().file("/etc/app.conf", "one=1\ntwo=2\nthree=3");
    let recipe = recipe(step, Path::new("/")).unwrap();
    assert!(run(&recipe, &mut Stage::new(&half)).unwrap_err().to_string().contains("matches 0 times"));
}

#[test]
fn debian_keeps_its_name_in_two_files() {
    let made = built("- hostname: web-1.example.net");
    assert_eq!(text(&made, "/etc/hostname"), "web-1.example.net\n");
    let hosts = text(&made, "/etc/hosts");
    assert!(
        hosts.contains("127.0.1.1\tweb-1.example.net web-1 # here\n")
            && hosts.ends_with("\n::1 ip6-localhost\n"),
        "{hosts}"
    );
    let made = built("- hostname: short");
    assert!(text(&made, "/etc/hosts").contains("127.0.1.1\tshort # here"), "not twice");
    assert!(!exists(&made, "/etc/cloud"));
    for name in ["'bad host!'", "''", "-x", "a..b", "a_b"] {
        assert!(!refusal(&format!("- hostname: {name}")).is_empty());
    }
}

#[test]
fn every_family_of_distributions_has_its_place() {
    let with = |release: &str| MemoryTree::new().file("/etc/os-release", release);
    let cases = [
        (with("ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.4\n"), "/etc/hostname", "web-1\n"),
        (with("ID=almalinux\nVERSION_ID=8\n"), "/etc/hostname", "web-1\n"),
        (with("ID=amzn\nVERSION_ID=2023\nID_LIKE=fedora\n"), "/etc/hostname", "web-1\n"),
        (with("ID=amzn\nVERSION_ID=2018.03\n"), "/etc/sysconfig/network", "HOSTNAME=web-1\n"),
        (with("ID=alpine\n"), "/etc/hostname", "web-1\n"),
        (with("ID=arch\n"), "/etc/hostname", "web-1\n"),
        (with("ID=unheard\n").file("/usr/lib/systemd/systemd", ""), "/etc/hostname", "web-1\n"),
        (with("ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n"), "/etc/HOSTNAME", "web-1\n"),
        (
            MemoryTree::new()
                .file("/etc/redhat-release", "CentOS release 6.10\n")
                .file("/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=old\n"),
            "/etc/sysconfig/network",
            "NETWORKING=yes\nHOSTNAME=web-1\n",
        ),
    ];
    for (tree, path, wanted) in cases {
        let (made, _) = built_in(&tree, "- hostname: web-1", Path::new("/"));
        assert_eq!(text(&made, path), wanted);
    }
    let unknown = with("ID=unheard\n");
    let recipe = recipe("- hostname: x", Path::new("/")).unwrap();
    let error = run(&recipe, &mut Stage::new(&unknown)).unwrap_err().to_string();
    assert!(error.contains("unheard") && error.contains("not known"), "{error}");
}

#[test]
fn cloud_init_keeps_the_name() {
    let tree = tree()
        .file("/usr/bin/cloud-init", "")
        .file("/etc/cloud/cloud.cfg", "preserve_hostname: false\n")
        .file("/etc/cloud/cloud.cfg.d/99-late.cfg", "preserve_hostname: false\n");
    let (made, notes) = built_in(&tree, "- hostname: web-1", Path::new("/"));
    assert!(
        text(&made, "/etc/cloud/cloud.cfg.d/96-hardtack-hostname.cfg").ends_with("preserve_hostname: true\n")
    );
    assert!(notes.iter().any(|note| note.text.contains("99-late.cfg")), "{notes:?}");
}

#[test]
fn links_are_where_they_are_said_to_be() {
    let made =
        built("- link: {target: /srv, path: [/srv-1, /var/run/srv-2]}\n- link: {target: x, path: /srv-1}");
    let stage = Stage::new(&made);
    assert_eq!(stage.read_link("/srv-1").unwrap().as_deref(), Some("x"));
    assert_eq!(stage.read_link("/run/srv-2").unwrap().as_deref(), Some("/srv"));
    assert!(refusal("- link: {target: x, path: /etc}").contains("is a directory"));
    assert!(refusal("- link: {target: x, path: /no/dir}").contains("no such file"));
}

#[test]
fn directories_and_empty_files() {
    let made = built(
        "- mkdir: /var/run/a/b\n- touch: /run/a/b/c\n- truncate: /srv/data/file\n- truncate-recursive: /var/cache",
    );
    assert_eq!(text(&made, "/run/a/b/c"), "");
    let found = Stage::new(&made).stat("/srv/data/file").unwrap().unwrap();
    assert_eq!((found.size, found.mode), (0, 0o4750));
    assert_eq!(text(&made, "/var/cache/x/.hidden"), "");
    assert!(refusal("- mkdir: /etc/passwd").contains("is a file"));
    assert!(refusal("- touch: /etc").contains("is a directory"));
    assert!(refusal("- touch: /lib").contains("is a symbolic link"));
    assert!(refusal("- truncate: /nothing").contains("no such file"));
    assert!(refusal("- truncate-recursive: /nothing").contains("no such file"));
}

#[test]
fn passwords_are_of_users_that_are_there() {
    let made = built("- root-password: {env: PW}\n- password: {user: ada, password: disabled}");
    let shadow = text(&made, "/etc/shadow");
    let field = |name: &str, at: usize| {
        let line = shadow.lines().find(|line| line.starts_with(name)).unwrap();
        line.split(':').nth(at).unwrap().to_owned()
    };
    assert!(hardtack_guest::accounts::verifies("correct horse", &field("root", 1)));
    assert_eq!((field("root", 2), field("ada", 1)), ("19675".to_owned(), "*".to_owned()));
    assert!(!text(&made, "/etc/shadow-").contains("$6$old$hash"), "the old password is gone");
    let locked = text(&built("- root-password: {password: {env: PW}, locked: true}"), "/etc/shadow");
    assert!(locked.starts_with("root:!$6$"), "{locked}");
    assert!(text(&built("- password: {user: ada, password: locked}"), "/etc/shadow").contains("ada:!*:"));
    let (_, notes) = built_in(&tree(), "- root-password: random", Path::new("/"));
    assert!(notes.iter().any(|note| note.text.contains("at first boot")), "{notes:?}");
    assert!(refusal("- password: {user: eve, password: locked}").contains("no user `eve`"));
    assert!(refusal("- root-password: {hash: \"$1$salt$qJH7.N4xYta3aEG/dfqo/0\"}").contains("MD5"));
    assert!(refusal("- root-password: secret").contains("does not stand in a recipe"));
}

#[test]
fn a_secret_is_in_no_plan() {
    let tree = tree();
    let recipe = recipe(
        "- root-password: {env: PW}\n- write: {path: /etc/token, content: {env: PW}}\n\
         - append-line: {path: /etc/app.conf, line: {env: PW}}\n- move: {from: /etc/token, to: /etc/moved}",
        Path::new("/"),
    )
    .unwrap();
    let mut stage = Stage::new(&tree);
    run(&recipe, &mut stage).unwrap();
    let shown = crate::Plan::new(&stage).unwrap().to_text().unwrap();
    assert!(!shown.contains("horse") && !shown.contains("$6$"), "{shown}");
    assert_eq!(stage.stat("/etc/moved").unwrap().unwrap().mode, 0o600);
    assert!(!text(&output(&stage), record::PATH).contains("horse"));
}

#[test]
fn keys_stand_once_in_the_file_that_sshd_reads() {
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMo8Ckfqnh8n6YrjCm1F5+GWfPBxZM2O8rS5xFGPb0gL other";
    let steps = format!(
        "- ssh-inject: {{user: ada, key: \"{KEY} one\"}}\n- ssh-inject: {{user: ada, key: \"{KEY} two\"}}"
    );
    let (made, _) = built_in(&tree().file("/home/ada/.ssh/authorized_keys", other), &steps, Path::new("/"));
    assert_eq!(text(&made, "/home/ada/.ssh/authorized_keys"), format!("{other}\n{KEY} one\n"));
    let stage = Stage::new(&made);
    let found =
        ["/home/ada/.ssh", "/home/ada/.ssh/authorized_keys"].map(|path| stage.stat(path).unwrap().unwrap());
    assert_eq!(found.map(|found| (found.mode, found.uid)), [(0o700, 1000), (0o600, 1000)]);

    let elsewhere =
        tree().file("/etc/ssh/sshd_config", "AuthorizedKeysFile /etc/ssh/keys/%u\n").dir("/etc/ssh/keys");
    let (made, _) = built_in(&elsewhere, &steps, Path::new("/"));
    assert_eq!(text(&made, "/etc/ssh/keys/ada"), format!("{KEY} one\n"));
    let none = tree().file("/etc/ssh/sshd_config", "AuthorizedKeysFile none\n");
    let recipe = recipe(&steps, Path::new("/")).unwrap();
    assert!(
        run(&recipe, &mut Stage::new(&none)).unwrap_err().to_string().contains("AuthorizedKeysFile none")
    );
    assert!(refusal(&format!("- ssh-inject: {{user: eve, key: \"{KEY}\"}}")).contains("no user `eve`"));
    assert!(
        refusal("- ssh-inject: {user: ada, key: \"ssh-ed25519 AAAA broken\"}").contains("not a public key")
    );
    assert!(refusal("- ssh-inject: {user: ada}").contains("needs a key"));
}

#[test]
fn both_files_of_the_time_zone_agree() {
    let made = built("- timezone: Europe/Berlin");
    let link = Stage::new(&made).read_link("/etc/localtime").unwrap();
    assert_eq!(link.as_deref(), Some("/usr/share/zoneinfo/Europe/Berlin"));
    assert_eq!(text(&made, "/etc/timezone"), "Europe/Berlin\n");
    assert!(refusal("- timezone: Mars/Base").contains("no time zone Mars/Base"));
    assert!(refusal("- timezone: ../../../etc/passwd").contains("cannot be a time zone"));
    assert!(refusal("- timezone: out").contains("is no time zone"));
    assert!(refusal("- timezone: README").contains("is no time zone"));
}

#[test]
fn a_scrubbed_file_is_a_file() {
    assert!(!exists(&built("- scrub: /srv/data/file"), "/srv/data/file"));
    assert!(refusal("- scrub: /srv/data/link").contains("symbolic link"));
    assert!(refusal("- scrub: /srv/data").contains("a directory"));
    assert!(refusal("- scrub: /nothing").contains("no such file"));
}

#[test]
fn files_of_the_host_come_as_roots() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let host = tempfile::tempdir().unwrap();
    let file = |name: &str| host.path().join(name);
    std::fs::create_dir_all(file("tree/lib")).unwrap();
    std::fs::write(file("tree/lib/new"), "new").unwrap();
    symlink("new", file("tree/lib/link")).unwrap();
    std::fs::write(file("tool"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(file("tool"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::set_permissions(file("tree/lib"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let (made, _) = built_in(
        &tree(),
        "- upload: {from: tool, to: /usr/lib}\n- upload: {from: tool, to: /srv/t, mode: \"0600\", owner: ada}\n\
         - copy-in: {from: tree, to: /srv}\n- copy-in: {from: tool, to: /run, owner: \"ada:adm\", mode: \"0700\"}",
        host.path(),
    );
    let stage = Stage::new(&made);
    let found = |path: &str| stage.stat(path).unwrap().map(|found| (found.mode, found.uid, found.gid));
    assert_eq!(found("/usr/lib/tool"), Some((0o755, 0, 0)));
    assert_eq!(found("/srv/t"), Some((0o600, 1000, 0)));
    assert_eq!(found("/srv/tree/lib"), Some((0o750, 0, 0)));
    assert_eq!(stage.read_link("/srv/tree/lib/link").unwrap().as_deref(), Some("new"));
    assert_eq!(found("/run/tool"), Some((0o700, 1000, 4)));
    let refused = |steps: &str| {
        let tree = tree();
        match recipe(steps, host.path()) {
            Ok(recipe) => run(&recipe, &mut Stage::new(&tree)).unwrap_err().to_string(),
            Err(error) => error,
        }
    };
    assert!(refused("- copy-in: {from: tree, to: /no/where}").contains("no such file or directory"));
    assert!(refused("- upload: {from: tool, to: /no/where}").contains("no such file"));
    assert!(refused("- upload: {from: missing, to: /srv}").contains("no such file"));
}

#[test]
fn an_archive_does_not_break_merged_usr() {
    let host = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(1000);
        header.set_gid(4);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content).unwrap();
    };
    add("lib/", tar::EntryType::Directory, b"");
    add("lib/new", tar::EntryType::Regular, b"new");
    add("opt/", tar::EntryType::Directory, b"");
    std::fs::write(host.path().join("x.tar"), archive.into_inner().unwrap()).unwrap();
    let (made, _) = built_in(&tree(), "- tar-in: {from: x.tar, to: /}", host.path());
    let stage = Stage::new(&made);
    assert_eq!(stage.read_link("/lib").unwrap().as_deref(), Some("usr/lib"), "the link stays");
    assert_eq!(text(&made, "/usr/lib/libc"), "libc");
    let found = stage.stat("/usr/lib/new").unwrap().unwrap();
    assert_eq!((found.mode, found.uid, found.gid), (0o755, 1000, 4));
}

#[test]
fn labels_are_the_images_own() {
    let selinux = tree().file("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
    let labelled = selinux
        .clone()
        .file("/etc/selinux/targeted/contexts/files/file_contexts", "/.*\tsystem_u:object_r:default_t:s0\n")
        .xattr("/etc/passwd", "security.selinux", b"own\0");
    let (made, _) = built_in(&labelled, "- selinux-relabel: true", Path::new("/"));
    let stage = Stage::new(&made);
    assert_eq!(stage.xattrs("/etc/app.conf").unwrap()[0].1, b"system_u:object_r:default_t:s0\0");
    assert_eq!(stage.xattrs("/etc/passwd").unwrap()[0].1, b"own\0");
    assert!(!exists(&made, "/.autorelabel"));
    let (made, notes) = built_in(&selinux, "- selinux-relabel: true", Path::new("/"));
    assert!(exists(&made, "/.autorelabel") && notes[0].text.contains("at first boot"));
    assert!(refusal("- selinux-relabel: true").contains("no SELinux"));
}

#[test]
fn what_needs_the_guest_waits_for_its_first_boot() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("setup.sh"), "#!/bin/sh\ntrue\n").unwrap();
    let steps = "- firstboot: setup.sh\n- run-command: touch /x\n- install: [nginx, vim]\n- update: true\n\
                 - uninstall: nano\n- firstboot-command: touch /y\n- firstboot-install: htop\n- run: setup.sh";
    let recipe = recipe(steps, host.path()).unwrap();
    let tree = tree().file("/bin/sh", "");
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    apply(recipe.operations(), &mut cx).unwrap();
    let kinds: Vec<(&str, bool)> = cx.agent.tasks.iter().map(|task| (task.kind.name(), task.stop)).collect();
    let wanted = [
        ("command", true),
        ("install", true),
        ("update", true),
        ("uninstall", true),
        ("script", true),
        ("script", false),
        ("command", false),
        ("install", false),
    ];
    assert_eq!(kinds, wanted, "firstboot comes behind all others");
    assert!(cx.notes.iter().filter(|note| note.text.contains("at first boot")).count() >= 8);
}

#[test]
fn optional_passes_over_what_is_not_there_and_says_so() {
    let steps = "- chmod: {path: /nothing, mode: 600, optional: true}\n- hostname: {name: x, optional: true}\n\
                 - edit: {path: /etc/app.conf, match: zzz, with: y, optional: true}\n\
                 - selinux-relabel: {optional: true}\n- password: {user: eve, password: locked, optional: true}";
    let (_, notes) = built_in(&tree(), steps, Path::new("/"));
    let passed = notes.iter().filter(|note| note.text.contains("is passed over")).count();
    assert_eq!(passed, 4, "{notes:?}");
}

#[test]
fn optional_passes_over_absence_and_nothing_else() {
    for (steps, said) in [
        ("- scrub: {path: /srv/data/link, optional: true}", "symbolic link"),
        ("- scrub: {path: /srv/data, optional: true}", "a directory"),
        ("- edit: {path: /etc/app.conf, match: '=', with: x, expect: 2, optional: true}", "matches 3 times"),
        ("- touch: {path: /etc, optional: true}", "is a directory"),
        ("- copy: {from: /srv, to: /srv/data, optional: true}", "into itself"),
        ("- link: {target: x, path: /etc, optional: true}", "is a directory"),
        ("- timezone: {zone: README, optional: true}", "is no time zone"),
    ] {
        assert!(refusal(steps).contains(said), "{steps}: {}", refusal(steps));
    }
    let unknown = MemoryTree::new().file("/etc/os-release", "ID=unheard\n");
    let recipe = recipe("- hostname: {name: x, optional: true}", Path::new("/")).unwrap();
    assert!(run(&recipe, &mut Stage::new(&unknown)).is_err());
    built(
        "- scrub: {path: /nothing, optional: true}\n- timezone: {zone: Mars/Base, optional: true}\n\
         - delete: {path: /nothing/*, optional: true}\n- copy: {from: /nothing, to: /x, optional: true}\n\
         - edit: {path: /etc/app.conf, match: zzz, with: x, expect: 2, optional: true}",
    );
}

#[test]
fn a_result_that_was_changed_since_is_not_done() {
    let moved = recipe("- move: {from: /etc/app.conf, to: /etc/moved}", Path::new("/")).unwrap();
    let copied = recipe("- copy: {from: /srv/data, to: /srv/twin}", Path::new("/")).unwrap();
    let made =
        built("- move: {from: /etc/app.conf, to: /etc/moved}\n- copy: {from: /srv/data, to: /srv/twin}");
    let old = text(&made, "/etc/moved");
    for other in [
        made.clone().file("/etc/moved", "EVIL").file_as("/srv/twin/file", "EVIL", 0o4750, 1000, 4),
        made.clone().file_as("/etc/moved", &old, 0o666, 0, 0).file_as(
            "/srv/twin/file",
            "data\n",
            0o4755,
            1000,
            4,
        ),
        made.clone().file_as("/etc/moved", &old, 0o644, 7, 0).file_as(
            "/srv/twin/file",
            "data\n",
            0o4750,
            0,
            4,
        ),
        made.clone().link("/etc/moved", "/etc/passwd").link("/srv/twin/link", "/etc/passwd"),
    ] {
        let error = run(&moved, &mut Stage::new(&other)).unwrap_err().to_string();
        assert!(error.contains("has been changed since"), "{error}");
        let mut stage = Stage::new(&other);
        run(&copied, &mut stage).unwrap();
        let changed = plan(&stage);
        assert!(changed.iter().any(|line| line.contains("/srv/twin/")), "{changed:?}");
    }
}

#[test]
fn nobody_guesses_a_secret_from_the_record() {
    let steps = "- write: {path: /etc/token, content: {env: PW}}\n- move: {from: /etc/token, to: /etc/moved}\n\
                 - append-line: {path: /etc/moved, line: {env: PW}}";
    let (made, _) = built_in(&tree(), steps, Path::new("/"));
    let of = |secret: &str| {
        let env = |name: &str| (name == "PW").then(|| secret.to_owned());
        let text = format!("recipe: 1\nsteps:\n{}\n", steps.replace("                 ", ""));
        let recipe = load_recipe(Path::new("/r.yaml"), &text, &env, &RealFiles).unwrap();
        let tree = tree();
        let mut stage = Stage::new(&tree);
        run(&recipe, &mut stage).unwrap();
        stage.read_text(record::PATH).unwrap().unwrap()
    };
    assert_eq!(of("correct horse"), of("battery staple"));
    assert_eq!(of("correct horse"), text(&made, record::PATH));
}

#[test]
fn a_record_that_is_none_is_refused() {
    let broken = tree().file(record::PATH, "garbage");
    let recipe = recipe("- mkdir: /x", Path::new("/")).unwrap();
    let error = run(&recipe, &mut Stage::new(&broken)).unwrap_err().to_string();
    assert!(error.contains(record::PATH), "{error}");
}
