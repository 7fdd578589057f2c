//! Where virt-customize succeeds and does nothing, or something else: theirs says yes, ours no.

use hardtack_tests::tools::{output, run};

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
  - mkdir: /srv/t/real
  - link: {target: /srv/t/real, path: /srv/t/absolute}
"#;

/// Option, value, our exit code, and what ours says.
const TRAPS: &[(&str, &str, i32, &str)] = &[
    ("--delete", "/srv/none/*", 3, "--delete: nothing in the image matches /srv/none/*"),
    ("--password", "nobody-here:file:password", 3, "--password: the image has no user `nobody-here`"),
    ("--edit", "/srv/t/edit:s/no such words/x/", 3, "--edit: /srv/t/edit: nothing matches"),
    ("--chmod", "700:/srv/t/mode", 2, "virt-customize reads 700 as a decimal number, which is 01274"),
    ("--timezone", "../../../etc/passwd", 2, "cannot be a time zone"),
    ("--ssh-inject", "ada:string:no key at all", 2, "key"),
    ("--hostname", "bad host!", 2, "`bad host!` cannot be a host name"),
    ("--password", "ada:disabled:", 2, "the selector `disabled` is not known"),
    ("--link", "x:/srv/t/into", 3, "/srv/t/into is a directory in the image, which a link does not replace"),
];

/// Those that theirs refuses as well: before it begins, or when half of it is written.
const REFUSED: &[&str] = &["bad host!", "ada:disabled:"];

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

    // All at once, and three that go through a link whose target is absolute.
    bench.copy("theirs.qcow2");
    let mut theirs = bench.theirs("virt-customize");
    theirs.args(["-a", "theirs.qcow2"]);
    for (option, value, ..) in TRAPS.iter().filter(|(_, value, ..)| !REFUSED.contains(value)) {
        theirs.args([option, value]);
    }
    let told = output(
        theirs
            .args(["--write", "/var/run/kept:x", "--delete", "/var/run/kept"])
            .args(["--move", "/srv/t/moved:/var/run/lock/moved"])
            .args(["--link", "/srv/t/mode:/var/run/link"]),
    );
    assert_eq!(told.status.code(), Some(0), "theirs became stricter: {}", said(&told));
    let changed = bench.differences("base.qcow2", "theirs.qcow2");
    assert!(changed.contains_key("/run/kept"), "theirs deletes through /var/run now: {:?}", changed.keys());
    assert!(
        changed.contains_key("/srv/t/moved") && !changed.contains_key("/run/lock/moved"),
        "it is not lost"
    );
    assert!(!changed.contains_key("/run/link"), "theirs links through a link now");
    assert_eq!(changed["/srv/t/mode"]["what"][0], "mode 0644 -> 1274", "{}", changed["/srv/t/mode"]);
    assert!(changed.contains_key("/srv/t/into/x"), "{:?}", changed.keys());
    assert!(!changed.contains_key("/etc/shadow") && !changed.contains_key("/srv/t/edit"));
    assert!(bench.cat("theirs.qcow2", "/home/ada/.ssh/authorized_keys").contains("no key at all"));

    for (option, value) in [
        ("--write", "/var/run/kept:x"),
        ("--delete", "/var/run/kept"),
        ("--move", "/srv/t/moved:/var/run/lock/moved"),
        ("--link", "/srv/t/mode:/var/run/link"),
    ] {
        run(bench.ours("customize").args(["-a", "ours.qcow2", option, value]));
    }
    let changed = bench.differences("base.qcow2", "ours.qcow2");
    assert!(!changed.contains_key("/run/kept"), "{:?}", changed.keys());
    for path in ["/srv/t/moved", "/run/lock/moved", "/run/link"] {
        assert!(changed.contains_key(path), "{path}: {:?}", changed.keys());
    }
}

#[test]
#[ignore = "libguestfs under emulation: minutes"]
fn where_theirs_stops_halfway_or_ours_goes_on() {
    let Some(bench) = Bench::new(MATERIAL.trim_start_matches('\n')) else { return };
    bench.copy("theirs.qcow2");
    let told = output(bench.theirs("virt-customize").args(["-a", "theirs.qcow2", "--hostname", "bad host!"]));
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert_eq!(bench.cat("theirs.qcow2", "/etc/hostname"), "bad host!\n", "theirs writes nothing now");

    // Into a directory behind a link whose target is absolute.
    std::fs::create_dir(bench.path("in")).unwrap();
    text(&bench.path("in/file"), "in\n");
    bench.copy("ours.qcow2");
    for (option, value, made) in [
        ("--copy", "/srv/t/edit:/srv/t/absolute/copied", "/srv/t/real/copied"),
        ("--copy-in", "in:/srv/t/absolute", "/srv/t/real/in/file"),
    ] {
        bench.copy("theirs.qcow2");
        let told = output(bench.theirs("virt-customize").args(["-a", "theirs.qcow2", option, value]));
        assert_eq!(told.status.code(), Some(1), "{option} {value}: {}", said(&told));
        run(bench.ours("customize").args(["-a", "ours.qcow2", option, value]));
        assert!(bench.differences("base.qcow2", "ours.qcow2").contains_key(made), "{made}");
    }
}

/// Wrong usage that both refuse before they open the image.
#[test]
#[ignore = "needs guestfs-tools"]
fn what_both_refuse() {
    let Some(bench) = Bench::new(MATERIAL.trim_start_matches('\n')) else { return };
    for (verb, arguments) in [
        ("customize", &["--password", "ada:disabled:"][..]),
        ("customize", &["--password", "ada:locked:"]),
        ("sysprep", &["--operations", "logfiles", "--remove-user-accounts", "ada"]),
    ] {
        let told = output(bench.theirs(&format!("virt-{verb}")).args(["-a", "base.qcow2"]).args(arguments));
        assert_eq!(told.status.code(), Some(1), "{arguments:?}: {}", said(&told));
        let told = output(bench.ours(verb).args(["-a", "base.qcow2"]).args(arguments));
        assert_eq!(told.status.code(), Some(2), "{arguments:?}: {}", said(&told));
    }
}
