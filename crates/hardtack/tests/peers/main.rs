//! `hardtack customize`, `hardtack sysprep` and `hardtack recipe import` on a small root that mke2fs made.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Bench(tempfile::TempDir);

impl Bench {
    /// `a.img`, raw, 0640; none, said aloud, without mke2fs.
    fn new() -> Option<Self> {
        for program in ["mke2fs", "debugfs", "qemu-img"] {
            if Command::new(program).arg("--version").output().is_err() {
                eprintln!("SKIPPED: {program} is not installed");
                return None;
            }
        }
        let bench = Self(tempfile::tempdir().unwrap());
        let root = bench.path("root");
        for directory in ["etc", "root", "home/joe", "var/log", "srv", "usr/share/zoneinfo/Europe"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for (name, text) in [
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
            ("etc/debian_version", "12.0\n"),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n"),
            ("etc/shadow", "root:*:19000:0:99999:7:::\njoe:*:19000:0:99999:7:::\n"),
            ("etc/group", "root:x:0:\njoe:x:1000:\n"),
            ("etc/hostname", "old\n"),
            ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 old\n"),
            ("etc/motd", "hello\n"),
            ("usr/share/zoneinfo/Europe/Berlin", "TZif2"),
            ("var/log/syslog", "was here\n"),
            ("root/.bash_history", "typed\n"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        run("mke2fs", &["-q", "-t", "ext4", "-d", "root", "a.img", "24M"], bench.0.path());
        fs::set_permissions(bench.path("a.img"), fs::Permissions::from_mode(0o640)).unwrap();
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hardtack(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("SOURCE_DATE_EPOCH", "1760000000")
            .output()
            .unwrap()
    }

    /// Standard output and standard error of what must succeed.
    fn ok(&self, arguments: &[&str]) -> (String, String) {
        let output = self.hardtack(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {told}");
        (String::from_utf8(output.stdout).unwrap(), told)
    }

    fn cat(&self, image: &str, path: &str) -> String {
        self.ok(&["cat", &format!("{image}:{path}")]).0
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_image_is_replaced_whole_or_not_at_all() {
    let Some(bench) = Bench::new() else { return };
    let (before, names) = (fs::read(bench.path("a.img")).unwrap(), bench.names());
    // The second operation fails: the first is not there either.
    let output =
        bench.hardtack(&["customize", "-a", "a.img", "--write", "/etc/motd:new", "--delete", "/none/*"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("--delete: nothing in the image matches /none/*"), "{told}");
    assert!(told.contains("`--lenient`") && !told.contains("optional: true"), "{told}");
    assert!(!told.contains("recipe line"), "{told}");
    assert!(fs::read(bench.path("a.img")).unwrap() == before, "the image was changed");
    assert_eq!(bench.names(), names, "something was left behind");

    bench.ok(&["customize", "-a", "a.img", "--lenient", "--write", "/etc/motd:new", "--delete", "/none/*"]);
    assert_eq!(bench.cat("a.img", "/etc/motd"), "new");
    assert_eq!(bench.names(), names);
    let mode = fs::metadata(bench.path("a.img")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "the image's mode");
    let (_, told) = bench.ok(&["customize", "-a", "a.img", "--write", "/etc/motd:new"]);
    assert!(told.contains("is as asked for already"), "{told}");
}

#[test]
fn the_format_and_a_link_to_the_image_stay() {
    let Some(bench) = Bench::new() else { return };
    run("qemu-img", &["convert", "-O", "qcow2", "a.img", "b.qcow2"], bench.0.path());
    symlink("b.qcow2", bench.path("link")).unwrap();
    bench.ok(&["customize", "-a", "link", "--touch", "/etc/new"]);
    assert_eq!(fs::read_link(bench.path("link")).unwrap(), Path::new("b.qcow2"));
    assert_eq!(&fs::read(bench.path("b.qcow2")).unwrap()[..4], b"QFI\xfb");
    assert_eq!(bench.cat("b.qcow2", "/etc/new"), "");
    assert_eq!(
        bench.hardtack(&["customize", "--format", "raw", "-a", "b.qcow2", "--touch", "/x"]).status.code(),
        Some(3)
    );
}

#[test]
fn a_dry_run_and_an_output_leave_the_image_alone() {
    let Some(bench) = Bench::new() else { return };
    let before = fs::read(bench.path("a.img")).unwrap();
    let (shown, _) = bench.ok(&["customize", "-n", "-a", "a.img", "--write", "/etc/motd:new"]);
    assert!(shown.contains("/etc/motd") && shown.contains("+new"), "{shown}");
    let (json, _) = bench.ok(&["customize", "--plan", "--json", "-a", "a.img", "--write", "/etc/motd:new"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"].as_array().unwrap().len(), 1, "{json}");
    let written = ["customize", "-a", "a.img", "--write", "/etc/motd:new", "--output", "c.img", "--json"];
    let (json, _) = bench.ok(&written);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"], 1);
    assert_eq!(bench.cat("c.img", "/etc/motd"), "new");
    assert!(Path::new(json["provenance"].as_str().unwrap()).is_relative(), "{json}");
    assert_eq!(bench.hardtack(&written).status.code(), Some(4), "an output is not replaced without --force");
    assert!(fs::read(bench.path("a.img")).unwrap() == before);
}

#[test]
fn a_random_password_is_told_once_and_a_given_one_never() {
    let Some(bench) = Bench::new() else { return };
    fs::write(bench.path("commands"), "password joe:password:CANARY-words\n").unwrap();
    let (out, told) = bench.ok(&[
        "customize",
        "-a",
        "a.img",
        "--root-password",
        "random",
        "--commands-from-file",
        "commands",
        "--output",
        "c.img",
    ]);
    let password = out.lines().find_map(|line| line.strip_prefix("password of root: ")).unwrap();
    assert_eq!((password.len(), out.matches(password).count()), (16, 1), "{out}");
    assert!(!told.contains(password));
    let record = bench.names().into_iter().filter(|name| name.starts_with("c.img.")).collect::<Vec<_>>();
    assert_eq!(record.len(), 1, "{record:?}");
    let record = fs::read_to_string(bench.path(&record[0])).unwrap();
    for (what, text) in [("output", &out), ("talk", &told), ("record", &record)] {
        assert!(!text.contains("CANARY") && !text.contains("$6$"), "{what}: {text}");
    }
    assert!(!record.contains(password));
    let shadow = bench.cat("c.img", "/etc/shadow");
    assert_eq!(shadow.matches(":$6$").count(), 2, "{shadow}");
    let (plan, told) = bench.ok(&["customize", "-n", "-a", "a.img", "--commands-from-file", "commands"]);
    assert!(!format!("{plan}{told}").contains("CANARY"));
}

#[test]
fn what_is_imported_builds_the_same() {
    let Some(bench) = Bench::new() else { return };
    fs::write(bench.path("up"), "up\n").unwrap();
    let line = [
        "--hostname",
        "web-1",
        "--timezone",
        "Europe/Berlin",
        "--write",
        "/srv/a:text",
        "--copy",
        "/srv/a:/srv/b",
        "--move",
        "/srv/b:/srv/c",
        "--chmod",
        "0600:/srv/a",
        "--edit",
        "/etc/motd:s/hello/bye/",
        "--upload",
        "up:/srv/up",
        "--append-line",
        "/etc/hosts:10.0.0.1 db",
        "--link",
        "a:/srv/l",
        "--mkdir",
        "/srv/d/e",
        "--delete",
        "/var/log/*",
        "--truncate",
        "/root/.bash_history",
        "--root-password",
        "disabled",
    ];
    bench.ok(&[&["customize", "-a", "a.img", "--output", "one.img"], &line[..]].concat());
    let (recipe, _) = bench.ok(&[&["recipe", "import", "--"], &line[..]].concat());
    fs::write(bench.path("r.yaml"), recipe).unwrap();
    bench.ok(&["build", "r.yaml", "--source", "a.img", "--output", "two.img", "--format", "raw"]);
    assert_eq!(bench.hardtack(&["diff", "one.img", "two.img"]).status.code(), Some(0));
    assert_eq!(bench.hardtack(&["diff", "a.img", "two.img"]).status.code(), Some(1));
}

#[test]
fn sysprep_takes_its_own_options() {
    let Some(bench) = Bench::new() else { return };
    bench.ok(&["sysprep", "-a", "a.img", "--operations", "bash-history,customize", "--hostname", "template"]);
    assert_eq!(bench.hardtack(&["cat", "a.img:/root/.bash_history"]).status.code(), Some(3));
    assert_eq!(bench.cat("a.img", "/var/log/syslog"), "was here\n");
    assert_eq!(bench.cat("a.img", "/etc/hostname"), "template\n");
    let asked = ["sysprep", "-a", "a.img", "--enable", "logfiles", "--hostname", "x"];
    assert_eq!(bench.hardtack(&asked).status.code(), Some(2), "customize is left out");
    assert_eq!(bench.hardtack(&["sysprep", "-a", "a.img", "--enable", "fs-uuids"]).status.code(), Some(2));
    let (list, _) = bench.ok(&["sysprep", "--list-operations"]);
    assert!(list.contains("\nlogfiles * ") && list.contains("\nuser-account   "), "{list}");
}
