//! Where virt-customize succeeds and does nothing, or something else: theirs says yes, ours no.

use hardtack_tests::tools::output;

use super::{Bench, said, text};

const MATERIAL: &str = r#"
  - append-line: {path: /etc/passwd, line: "ada:x:1000:1000::/home/ada:/bin/bash"}
  - append-line: {path: /etc/shadow, line: "ada:*:19000:0:99999:7:::"}
  - append-line: {path: /etc/group, line: "ada:x:1000:"}
  - mkdir: /home/ada
  - mkdir: /srv/t/into
  - write: {path: /srv/t/mode, content: "x"}
  - write: {path: /srv/t/edit, content: "Port 22\n"}
  - write: {path: /srv/t/moved, content: "moved\n"}
"#;

/// Option, value, our exit code, and what ours says.
const TRAPS: &[(&str, &str, i32, &str)] = &[
    ("--delete", "/srv/none/*", 3, "--delete: nothing in the image matches /srv/none/*"),
    ("--password", "nobody-here:file:password", 3, "--password: the image has no user `nobody-here`"),
    ("--edit", "/srv/t/edit:s/no such words/x/", 3, "--edit: /srv/t/edit: nothing matches"),
    ("--chmod", "700:/srv/t/mode", 2, "virt-customize reads 700 as a decimal number, which is 01274"),
    ("--timezone", "../../../etc/passwd", 2, "cannot be a time zone"),
    ("--ssh-inject", "ada:string:no key at all", 2, "key"),
    ("--link", "x:/srv/t/into", 3, "/srv/t/into is a directory in the image, which a link does not replace"),
];

#[test]
#[ignore = "libguestfs under emulation: minutes"]
fn where_theirs_says_yes_ours_says_no() {
    let Some(bench) = Bench::new(MATERIAL.trim_start_matches('\n')) else { return };
    text(&bench.path("password"), "correct horse\n");
    bench.copy("ours.qcow2");
    let before = std::fs::read(bench.path("ours.qcow2")).unwrap();
    for (option, value, code, words) in TRAPS {
        let told = output(bench.ours("customize").args(["-a", "ours.qcow2", option, value]));
        let said = said(&told);
        assert_eq!(told.status.code(), Some(*code), "{option} {value}: {said}");
        assert!(said.contains(words), "{option} {value}: {said}");
        assert!(!said.contains("recipe line") && !said.contains("optional: true"), "{said}");
    }
    assert!(
        std::fs::read(bench.path("ours.qcow2")).unwrap() == before,
        "an image that was refused is changed"
    );

    // All at once, and two that go through a link whose target is absolute (/var/run).
    bench.copy("theirs.qcow2");
    let mut theirs = bench.theirs("virt-customize");
    theirs.args(["-a", "theirs.qcow2"]);
    for (option, value, ..) in TRAPS {
        theirs.args([option, value]);
    }
    let told = output(
        theirs
            .args(["--write", "/var/run/kept:x", "--delete", "/var/run/kept"])
            .args(["--move", "/srv/t/moved:/var/run/lock/moved"]),
    );
    assert_eq!(told.status.code(), Some(0), "theirs became stricter: {}", said(&told));
    let changed = bench.differences("base.qcow2", "theirs.qcow2");
    assert!(changed.contains_key("/run/kept"), "theirs deletes through /var/run now: {:?}", changed.keys());
    assert!(
        changed.contains_key("/srv/t/moved") && !changed.contains_key("/run/lock/moved"),
        "it is not lost"
    );
    assert_eq!(changed["/srv/t/mode"]["what"][0], "mode 0644 -> 1274", "{}", changed["/srv/t/mode"]);
    assert!(changed.contains_key("/srv/t/into/x"), "{:?}", changed.keys());
    assert!(!changed.contains_key("/etc/shadow") && !changed.contains_key("/srv/t/edit"));
    assert!(bench.cat("theirs.qcow2", "/home/ada/.ssh/authorized_keys").contains("no key at all"));

    let told = output(bench.ours("customize").args(["-a", "ours.qcow2", "--write", "/var/run/kept:x"]));
    assert!(told.status.success(), "{}", said(&told));
    let told = output(bench.ours("customize").args(["-a", "ours.qcow2", "--delete", "/var/run/kept"]));
    assert!(told.status.success(), "{}", said(&told));
    assert!(!bench.differences("base.qcow2", "ours.qcow2").contains_key("/run/kept"));
}
