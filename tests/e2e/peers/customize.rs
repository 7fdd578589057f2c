//! Every operation of virt-customize that is done offline.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use hardtack_tests::ssh::make_key;

use super::{Bench, Reason, text};

const MATERIAL: &str = r#"
  - append-line: {path: /etc/passwd, line: "ada:x:1000:1000::/home/ada:/bin/bash"}
  - append-line: {path: /etc/shadow, line: "ada:*:19000:0:99999:7:::"}
  - append-line: {path: /etc/group, line: "ada:x:1000:"}
  - mkdir: /home/ada
  - chown: {path: /home/ada, owner: "ada:ada"}
  - mkdir: /srv/t/dest
  - mkdir: /srv/t/tree/sub
  - mkdir: /srv/t/fill
  - mkdir: /srv/t/into
  - write: {path: /srv/t/unended, content: "one"}
  - write: {path: /srv/t/ended, content: "one\n", mode: "0640", owner: "ada:ada"}
  - write: {path: /srv/t/crlf, content: "one\r\n"}
  - write: {path: /srv/t/mode, content: "x"}
  - write: {path: /srv/t/file, content: "file\n", mode: "0750", owner: "ada:ada"}
  - write: {path: /srv/t/tree/a, content: "a\n", mode: "0600"}
  - write: {path: /srv/t/tree/sub/b, content: "b\n", owner: "ada:ada"}
  - link: {target: a, path: /srv/t/tree/l}
  - write: {path: /srv/t/fill/1, content: "one\n"}
  - write: {path: /srv/t/fill/2, content: "two\n", mode: "0600", owner: "ada:ada"}
  - write: {path: /srv/t/del-1.a, content: "x"}
  - write: {path: /srv/t/del-2.a, content: "x"}
  - write: {path: /srv/t/.del.a, content: "x"}
  - write: {path: /srv/t/edit, content: "Port 22\n#Port 22\nname old old\n", mode: "0640", owner: "ada:ada"}
  - write: {path: /srv/t/moved, content: "moved\n", mode: "0600", owner: "ada:ada"}
  - write: {path: /srv/t/scrubbed, content: "secret\n"}
  - write: {path: /srv/t/full, content: "full\n", mode: "0600"}
  - write: {path: /srv/t/there, content: "there\n", mode: "0600", owner: "ada:ada"}
  - write: {path: /srv/t/there2, content: "there\n", mode: "0600", owner: "ada:ada"}
  - link: {target: file, path: /srv/t/oldlink}
  - write: {path: /etc/machine-id, content: ""}
"#;

const COMMANDS: &str = r"# what people do
append-line /srv/t/unended:two
append-line /srv/t/ended:two
append-line /srv/t/crlf:two
append-line /srv/t/new:first
append-line /srv/t/ended:
chmod 0700:/srv/t/mode
copy /srv/t/file:/srv/t/copied
copy /srv/t/tree:/srv/t/tree2
copy /srv/t/tree:/srv/t/into
copy-in in:/srv/t/dest
delete /srv/t/del-*.a
edit /srv/t/edit:\
  s/^#?Port .*/Port 2222/; s/old/new/
hostname web-1.example.net
link ../file:/srv/t/dest/link:/srv/t/dest/again
link tree:/srv/t/oldlink
mkdir /srv/t/made/below
move /srv/t/moved:/srv/t/moved-here
move /srv/t/moved-here:/srv/t/into
scrub /srv/t/scrubbed
ssh-inject ada:file:id.pub
ssh-inject root:file:id.pub
timezone Europe/Berlin
touch /srv/t/touched
truncate /srv/t/full
truncate-recursive /srv/t/fill
upload up:/srv/t/uploaded
upload up:/srv/t/dest/
upload up:/srv/t/there
write /srv/t/there2:there, too
write /srv/t/written:no end
password ada:file:password
root-password locked:password:hidden
";

const REASONS: &[Reason] = &[
    ("/etc/machine-id", "theirs fills an empty one, so that all instances share it"),
    (
        "/etc/shadow",
        "salts, yescrypt there and SHA-512 here, and the day of the change, which is not set there",
    ),
    ("/etc/shadow-", "theirs leaves the old hash there; ours has the new one in both"),
    ("/etc/hosts", "theirs renames localhost, where /etc/hostname says that"),
    ("/etc/timezone", "theirs leaves it, and it says another zone than /etc/localtime"),
    ("/etc/cloud/cloud.cfg.d/96-hardtack-hostname.cfg", "without it cloud-init gives the old name back"),
    ("/var/lib/hardtack*", "our record of events"),
    ("/srv/t/uploaded", "theirs gives it the owner that the file has on the host"),
    ("/srv/t/dest/up", "the same"),
    ("/srv/t/there", "the same, and its mode, for a file that was there"),
    ("/srv/t/dest/in/foreign", "theirs takes the owner of the host's file along"),
];

/// What must have happened: none of it is the same in both because neither did it.
const DONE: &[&str] = &[
    "/srv/t/unended",
    "/srv/t/ended",
    "/srv/t/crlf",
    "/srv/t/new",
    "/srv/t/mode",
    "/srv/t/copied",
    "/srv/t/tree2/sub/b",
    "/srv/t/into/tree/l",
    "/srv/t/dest/in/d/j",
    "/srv/t/dest/in/l",
    "/srv/t/del-1.a",
    "/srv/t/edit",
    "/etc/hostname",
    "/srv/t/dest/link",
    "/srv/t/dest/again",
    "/srv/t/oldlink",
    "/srv/t/made/below",
    "/srv/t/moved",
    "/srv/t/into/moved-here",
    "/srv/t/scrubbed",
    "/home/ada/.ssh/authorized_keys",
    "/root/.ssh/authorized_keys",
    "/etc/localtime",
    "/srv/t/touched",
    "/srv/t/full",
    "/srv/t/fill/1",
    "/srv/t/fill/2",
    "/srv/t/uploaded",
    "/srv/t/dest/up",
    "/srv/t/there",
    "/srv/t/there2",
    "/srv/t/written",
    "/etc/shadow",
];

/// A line of shadow without the hash's letters and the day.
fn without_salt(line: &str) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    let locked = fields[1].starts_with('!');
    if fields[1].trim_start_matches('!').starts_with('$') {
        fields[1] = if locked { "locked hash" } else { "hash" };
        fields[2] = "day";
    }
    fields.join(":")
}

#[test]
#[ignore = "libguestfs under emulation: minutes"]
fn the_same_files_as_with_virt_customize() {
    let Some(bench) = Bench::new(MATERIAL.trim_start_matches('\n')) else { return };
    std::fs::create_dir_all(bench.path("in/d")).unwrap();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(bench.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, content, bits) in [
        ("up", "up\n", 0o640),
        ("in/i", "i\n", 0o600),
        ("in/d/j", "j\n", 0o755),
        ("in/foreign", "f\n", 0o644),
    ] {
        text(&bench.path(name), content);
        mode(name, bits);
    }
    mode("in", 0o755);
    mode("in/d", 0o750);
    symlink("i", bench.path("in/l")).unwrap();
    // Owners of the host are another system's.
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("SKIPPED: owners of the host's files are compared as root only");
        return;
    }
    for name in ["up", "in/foreign"] {
        chown(bench.path(name), Some(4321), Some(4321)).unwrap();
    }
    text(&bench.path("password"), "correct horse\n");
    text(&bench.path("commands"), COMMANDS);
    make_key(bench.directory.path(), "id");

    bench.both("customize", &["--commands-from-file", "commands"]);

    let changed = bench.differences("base.qcow2", "ours.qcow2");
    let idle: Vec<_> = DONE.iter().filter(|path| !changed.contains_key(**path)).collect();
    assert!(idle.is_empty(), "nothing came of {idle:?}");
    bench.assert_same_but(REASONS);

    let shadow = |image: &str| bench.cat(image, "/etc/shadow").lines().map(without_salt).collect::<Vec<_>>();
    assert_eq!(shadow("theirs.qcow2"), shadow("ours.qcow2"));
    assert!(shadow("ours.qcow2").iter().any(|line| line.starts_with("ada:hash:day:0:")));
    assert!(shadow("ours.qcow2").iter().any(|line| line.starts_with("root:locked hash:day:0:")));
    for path in ["/srv/t/uploaded", "/srv/t/dest/up", "/srv/t/there", "/srv/t/dest/in/foreign"] {
        assert_eq!(bench.cat("theirs.qcow2", path), bench.cat("ours.qcow2", path), "{path}");
    }
    // The other tool made a file of the right words, read by neither of the two.
    for image in ["theirs.qcow2", "ours.qcow2"] {
        assert_eq!(
            bench.debugfs(image, "cat /srv/t/edit"),
            "Port 2222\nPort 2222\nname new old\n",
            "{image}"
        );
        let told = bench.debugfs(image, "stat /srv/t/edit");
        assert!(told.contains("Mode:  0640") && told.contains("User:  1000"), "{image}: {told}");
    }
    assert_eq!(bench.cat("theirs.qcow2", "/etc/hosts").lines().next(), Some("127.0.0.1 web-1.example.net"));
    assert!(bench.cat("ours.qcow2", "/etc/hosts").contains("127.0.0.1 localhost"));

    // And once more: nothing is left to do.
    let plan = hardtack_tests::tools::run(bench.ours("customize").args([
        "-a",
        "ours.qcow2",
        "--commands-from-file",
        "commands",
        "-n",
        "--json",
    ]));
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0), "{plan}");
}
