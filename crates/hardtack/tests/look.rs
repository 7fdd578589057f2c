//! `inspect`, `diff`, `ls`, `cat`, `cp` and `tar` on images that mke2fs made, compared with debugfs and GNU tar.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// False, said aloud, where one of the programs is missing.
fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

fn run(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Bench(tempfile::TempDir);

impl Bench {
    /// `a.img` of a small root, with everything in it that is awkward; none without mke2fs.
    fn new() -> Option<Self> {
        if !have(&["mke2fs", "debugfs", "tar"]) {
            return None;
        }
        let bench = Self(tempfile::tempdir().unwrap());
        let root = bench.path("root");
        for directory in ["etc/ssh", "home/joe/.ssh", "bin", "deep/er"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let put = |name: &str, text: &str, mode: u32| {
            fs::write(root.join(name), text).unwrap();
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        put("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian \x1b[31m12\"\n", 0o644);
        put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n", 0o644);
        put(
            "etc/shadow",
            "root:*:19000:0:99999:7:::\njoe:$6$CANARYCANARY$CANARYCANARY:19000:0:99999:7:::\n",
            0o640,
        );
        put("etc/group", "root:x:0:\njoe:x:1000:\n", 0o644);
        put("bin/sh", "#!", 0o4755);
        put("home/joe/.ssh/id", "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n", 0o600);
        put("deep/er/big", &"0123456789abcdef\n".repeat(200_000), 0o644);
        put("evil\x1b[2Jname", "x", 0o644);
        put(&format!("deep/{}", "long".repeat(50)), "long", 0o600);
        symlink("../../../../../etc/passwd", root.join("deep/out")).unwrap();
        symlink("deep/er", root.join("link")).unwrap();
        fs::hard_link(root.join("deep/er/big"), root.join("deep/again")).unwrap();
        run("mke2fs", &["-q", "-t", "ext4", "-L", "rootfs", "-d", "root", "a.img", "24M"], bench.0.path());
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hardtack(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.hardtack(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn code(&self, arguments: &[&str]) -> Option<i32> {
        self.hardtack(arguments).status.code()
    }
}

#[test]
fn files_are_listed_and_printed_as_by_debugfs() {
    let Some(bench) = Bench::new() else { return };
    let listed: Value = serde_json::from_str(&bench.text(&["ls", "--json", "a.img:/etc"])).unwrap();
    let told = run("debugfs", &["-R", "ls -p /etc", "a.img"], bench.0.path());
    let mut wanted: Vec<(String, String)> = told
        .lines()
        .map(|line| line.split('/').collect::<Vec<_>>())
        .filter(|fields| fields.len() > 6 && !fields[5].starts_with('.'))
        .map(|fields| (format!("/etc/{}", fields[5]), fields[2][2..].to_owned()))
        .collect();
    wanted.sort();
    let found: Vec<(String, String)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["path"].as_str().unwrap().to_owned(), entry["mode"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(found, wanted);
    let all = bench.text(&["ls", "-lR", "a.img"]);
    assert!(!all.contains('\x1b') && all.contains("evil\\u{1b}[2Jname"), "{all}");
    assert!(all.contains("-rwsr-xr-x") && all.contains("-> deep/er"), "{all}");
    assert_eq!(bench.text(&["ls", "a.img:/link"]), "big\n");
    assert_eq!(bench.text(&["cat", "a.img:/link/big"]), "0123456789abcdef\n".repeat(200_000));
    assert_eq!(
        bench.text(&["cat", "a.img:/deep/out"]),
        fs::read_to_string(bench.path("root/etc/passwd")).unwrap()
    );
    assert_eq!(bench.text(&["ls", "-d", "a.img:/etc/{pass,sha}*"]), "/etc/passwd\n/etc/shadow\n");
    assert_eq!(bench.text(&["ls", "-d", "a.img@0:/etc"]), "/etc\n");
    assert_eq!(bench.code(&["cat", "a.img:/none"]), Some(3));
    assert_eq!(bench.code(&["cat", "a.img:/etc"]), Some(3));
    assert_eq!(bench.code(&["ls", "a.img@7:/"]), Some(3));
    assert_eq!(bench.code(&["ls", "none.img:/"]), Some(4));
    fs::copy(bench.path("a.img"), bench.path("a:b@1.img")).unwrap();
    assert_eq!(bench.text(&["ls", "a:b@1.img:/link"]), "big\n");
}

#[test]
fn copies_stay_below_the_target_and_replace_nothing() {
    let Some(bench) = Bench::new() else { return };
    fs::create_dir(bench.path("out")).unwrap();
    bench.text(&["cp", "-p", "a.img:/deep", "a.img:/bin", "out"]);
    let out = bench.path("out");
    assert_eq!(fs::read(out.join("deep/er/big")).unwrap(), fs::read(bench.path("root/deep/er/big")).unwrap());
    assert_eq!(fs::read_link(out.join("deep/out")).unwrap(), Path::new("../../../../../etc/passwd"));
    assert_eq!(
        fs::metadata(out.join("bin/sh")).unwrap().permissions().mode() & 0o7777,
        0o755,
        "no set-id bits"
    );
    assert_eq!(bench.code(&["cp", "a.img:/deep", "out"]), Some(4), "nothing is replaced");
    assert_eq!(bench.code(&["cp", "--force", "a.img:/deep", "out"]), Some(0));
    bench.text(&["cp", "a.img:/etc/shadow", "shadow"]);
    assert_eq!(fs::metadata(bench.path("shadow")).unwrap().permissions().mode() & 0o777, 0o600);
    // A link that lies where a directory is to be leads nowhere.
    fs::create_dir_all(bench.path("trap")).unwrap();
    fs::create_dir_all(bench.path("elsewhere")).unwrap();
    symlink("../elsewhere", bench.path("trap/deep")).unwrap();
    assert_eq!(bench.code(&["cp", "--force", "a.img:/deep", "trap"]), Some(4));
    // And one that lies where a file is to be is replaced, not written through.
    fs::write(bench.path("victim"), "mine").unwrap();
    fs::create_dir_all(bench.path("links")).unwrap();
    symlink("../victim", bench.path("links/passwd")).unwrap();
    bench.text(&["cp", "--force", "a.img:/etc/passwd", "links"]);
    assert_eq!(fs::read_to_string(bench.path("victim")).unwrap(), "mine");
    assert_eq!(fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn archives_are_what_gnu_tar_makes_of_the_same_files() {
    let Some(bench) = Bench::new() else { return };
    bench.text(&["tar", "a.img:/deep", "a.img:/link", "--output", "ours.tar"]);
    assert_eq!(bench.code(&["tar", "a.img:/deep", "--output", "ours.tar"]), Some(4));
    fs::create_dir(bench.path("back")).unwrap();
    run("tar", &["-xpf", "ours.tar", "-C", "back"], bench.0.path());
    run("diff", &["-r", "--no-dereference", "root/deep", "back/deep"], bench.0.path());
    let list = |archive: &str| -> Vec<String> {
        let text = run("tar", &["-tvf", archive, "--numeric-owner"], bench.0.path());
        let mut lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        lines.sort();
        lines
    };
    run(
        "tar",
        &["-cf", "theirs.tar", "--format=pax", "--sort=name", "-C", "root", "deep", "link"],
        bench.0.path(),
    );
    assert_eq!(list("ours.tar"), list("theirs.tar"));
    // Without a terminal the archive goes to standard output.
    let piped = bench.hardtack(&["tar", "a.img:/deep", "a.img:/link"]);
    assert_eq!(piped.stdout, fs::read(bench.path("ours.tar")).unwrap());
}

#[test]
fn holes_stay_holes() {
    let Some(bench) = Bench::new() else { return };
    let file = fs::File::create(bench.path("root/deep/sparse")).unwrap();
    file.set_len(200 << 20).unwrap();
    file.write_all_at(b"data", (100 << 20) - 2).unwrap();
    let small = fs::File::create(bench.path("root/deep/small")).unwrap();
    small.set_len(1 << 20).unwrap();
    run("mke2fs", &["-q", "-t", "ext4", "-d", "root", "s.img", "24M"], bench.0.path());
    let blocks = |path: PathBuf| fs::metadata(path).unwrap().blocks();
    fs::create_dir(bench.path("out")).unwrap();
    bench.text(&["cp", "s.img:/deep/sparse", "s.img:/deep/small", "out"]);
    run("cmp", &["root/deep/sparse", "out/sparse"], bench.0.path());
    run("cmp", &["root/deep/small", "out/small"], bench.0.path());
    assert!(blocks(bench.path("out/sparse")) < 2048, "written out");
    assert_eq!(fs::read_dir(bench.path("out")).unwrap().count(), 2, "a temporary file is left");
    // What cannot be written to its end is not there, under no name.
    fs::create_dir(bench.path("full")).unwrap();
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" cp a.img:/deep/er/big full/big";
    let mut limited = Command::new("sh");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_hardtack")]).current_dir(bench.0.path());
    assert_eq!(limited.output().unwrap().status.code(), Some(4));
    assert_eq!(fs::read_dir(bench.path("full")).unwrap().count(), 0);
    bench.text(&["tar", "s.img:/deep", "--output", "s.tar"]);
    assert!(fs::metadata(bench.path("s.tar")).unwrap().len() < 8 << 20);
    fs::create_dir(bench.path("back")).unwrap();
    run("tar", &["-xf", "s.tar", "-C", "back"], bench.0.path());
    run("diff", &["-r", "--no-dereference", "root/deep", "back/deep"], bench.0.path());
    assert!(blocks(bench.path("back/deep/sparse")) < 2048);
}

#[test]
fn images_are_compared() {
    let Some(bench) = Bench::new() else { return };
    fs::copy(bench.path("a.img"), bench.path("b.img")).unwrap();
    assert_eq!(bench.code(&["diff", "a.img", "b.img"]), Some(0));
    let root = bench.path("root");
    fs::write(root.join("etc/group"), "root:x:0:\njoe:x:1000:\nnew:x:7:\n").unwrap();
    fs::write(root.join("etc/shadow"), "root:!:\n").unwrap();
    fs::remove_file(root.join("link")).unwrap();
    fs::set_permissions(root.join("bin/sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("new"), "x").unwrap();
    run("mke2fs", &["-q", "-t", "ext4", "-L", "rootfs", "-d", "root", "c.img", "24M"], bench.0.path());
    let output = bench.hardtack(&["diff", "a.img", "c.img", "--content"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in
        ["~ /bin/sh: mode 4755 -> 0755", "- /link: link to deep/er", "+ /new: file, 1 bytes", "+new:x:7:"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("CANARY") && text.contains("~ /etc/shadow: size"), "{text}");
    assert_eq!(bench.code(&["diff", "a.img", "c.img", "--path", "/deep/er"]), Some(0));
    let output = bench.hardtack(&["diff", "a.img", "c.img", "--path", "/", "--stat"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 added, 1 removed, 3 changed\n");
    let output = bench.hardtack(&["diff", "a.img", "c.img", "--json"]);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[test]
fn an_image_is_told_and_nothing_of_its_secrets() {
    let Some(bench) = Bench::new() else { return };
    let text = bench.text(&["inspect", "a.img"]);
    assert!(!text.contains('\x1b') && !text.contains("CANARY"), "{text}");
    assert!(text.contains("Debian \\u{1b}[31m12"), "{text}");
    let json = bench.text(&["inspect", "a.img", "--json"]);
    assert!(!json.contains("CANARY"), "{json}");
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["schema"], 1);
    assert_eq!(found["system"]["os"]["name"], "Debian \\u{1b}[31m12");
    let part = &found["disk"]["partitions"][0];
    assert_eq!(
        (&part["content"], &part["label"], &part["mount"]),
        (&"ext4".into(), &"rootfs".into(), &"/".into())
    );
    // Features, and what is free, as dumpe2fs tells them.
    let told = run("dumpe2fs", &["-h", "a.img"], bench.0.path());
    let field = |name: &str| -> Vec<String> {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    let number = |name: &str| field(name)[0].parse::<u64>().unwrap();
    let mut features: Vec<String> = serde_json::from_value(part["file_system"]["features"].clone()).unwrap();
    let mut wanted = field("Filesystem features:");
    features.sort();
    wanted.sort();
    assert_eq!(features, wanted);
    assert_eq!(part["file_system"]["free"], number("Free blocks:") * number("Block size:"));
    assert_eq!(part["file_system"]["state"], "clean");
    let joe = found["system"]["users"].as_array().unwrap().iter().find(|user| user["name"] == "joe").unwrap();
    assert_eq!((&joe["password"], &joe["can_log_in"]), (&"set".into(), &true.into()));
    assert_eq!(found["system"]["leftovers"][0]["path"], "/home/joe/.ssh/id");
    assert_eq!(found["system"]["machine_id"], "missing");
}

#[test]
fn data_disks_and_damaged_ones_are_told_as_far_as_they_go() {
    let Some(bench) = Bench::new() else { return };
    fs::create_dir(bench.path("data")).unwrap();
    fs::write(bench.path("data/file"), "x").unwrap();
    run("mke2fs", &["-q", "-t", "ext4", "-d", "data", "data.img", "8M"], bench.0.path());
    let found: Value = serde_json::from_str(&bench.text(&["inspect", "data.img", "--json"])).unwrap();
    assert!(found["system"].is_null() && found["disk"]["partitions"][0]["content"] == "ext4");
    assert!(bench.text(&["ls", "data.img"]).contains("file\n"));
    // A root whose superblock is sound and whose descriptors are not.
    let mut bytes = fs::read(bench.path("a.img")).unwrap();
    // They lie behind the superblock, in block 1 or 2.
    bytes[2048..8192].fill(0xa5);
    fs::write(bench.path("bad.img"), &bytes).unwrap();
    let output = bench.hardtack(&["inspect", "bad.img", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["disk"]["partitions"][0]["label"], "rootfs");
    assert!(!found["notes"].as_array().unwrap().is_empty(), "{found}");
    assert_eq!(bench.code(&["ls", "bad.img"]), Some(3));
    // A database of packages that cannot be read is none that is missing.
    fs::create_dir_all(bench.path("root/var/lib/dpkg")).unwrap();
    let status = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1_\\!\n";
    fs::write(bench.path("root/var/lib/dpkg/status"), status).unwrap();
    run("mke2fs", &["-q", "-t", "ext4", "-d", "root", "p.img", "24M"], bench.0.path());
    let text = bench.text(&["inspect", "p.img"]);
    assert!(text.contains("cannot be read (dpkg, damaged)") && !text.contains("no database"), "{text}");
    fs::write(bench.path("empty.img"), []).unwrap();
    assert!(matches!(bench.code(&["ls", "empty.img"]), Some(3 | 4)));
}
