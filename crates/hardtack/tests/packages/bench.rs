//! A small image with dpkg's and apt's records, and a repository that signs with a key it trusts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_tests::repository::{Made, have, run};
use serde_json::Value;

const TOOLS: [&str; 8] = ["gpg", "apt-ftparchive", "dpkg-deb", "xz", "zstd", "gzip", "mke2fs", "debugfs"];

/// What the image has, each as `Package: …` and more fields.
const INSTALLED: [(&str, &str, &str); 6] = [
    ("dpkg", "1.22.0", "Essential: yes\n"),
    ("base", "1", ""),
    ("old-one", "1", ""),
    ("other-mail", "1", "Provides: mail-agent\n"),
    ("steady", "1", ""),
    ("tool", "1", "Depends: base\n"),
];

pub(crate) struct Bench {
    pub(crate) made: Made,
}

impl Bench {
    /// `base.img`, and the packages of these tests in a signed repository; none without the tools.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !have(test, &TOOLS) {
            return None;
        }
        let bench = Self { made: Made::new() };
        let made = &bench.made;
        made.key("good", "ed25519", &[], "0");
        for (name, version, more) in [
            ("app", "1.0", "Depends: lib (>= 2), missing | second, mail-agent\nConflicts: old-one (<< 9)\n"),
            ("lib", "2.0", ""),
            ("second", "1", "Multi-Arch: foreign\n"),
            ("mail", "1", "Provides: mail-agent\n"),
            ("tool", "2", "Depends: base (>= 1)\n"),
            ("steady", "2", ""),
            ("broken", "1", "Depends: nowhere (>= 3)\n"),
        ] {
            made.deb(name, version, more);
        }
        bench.publish("");
        bench.image();
        Some(bench)
    }

    /// Index and signature of what is in the pool.
    pub(crate) fn publish(&self, fields: &str) {
        self.made.index(fields);
        self.made.sign(&["good"], &[]);
    }

    fn image(&self) {
        let root = self.path("root");
        let put = |name: &str, content: &[u8]| {
            let to = root.join(name);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, content).unwrap();
        };
        put("etc/os-release", b"ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian 13\"\n");
        put("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
        put("etc/group", b"root:x:0:\n");
        put("etc/shadow", b"root:*:19000:0:99999:7:::\n");
        put("etc/apt/trusted.gpg.d/good.gpg", &self.made.ring("good"));
        put("usr/lib/systemd/systemd", b"");
        let mut status = String::new();
        for (name, version, more) in INSTALLED {
            status += &format!(
                "Package: {name}\nStatus: install ok installed\nMaintainer: T <t@example.org>\nArchitecture: {}\n{more}\
                 Version: {version}\nDescription: {name}\n\n",
                if name == "dpkg" { "amd64" } else { "all" }
            );
            put(&format!("var/lib/dpkg/info/{name}.list"), b"/.\n");
        }
        put("var/lib/dpkg/status", status.as_bytes());
        put("var/lib/dpkg/available", b"");
        put("var/lib/dpkg/info/format", b"1\n");
        run(Command::new("mke2fs").current_dir(self.path("")).args([
            "-q",
            "-t",
            "ext4",
            "-L",
            "rootfs",
            "-E",
            "root_owner=0:0",
            "-d",
            "root",
            "base.img",
            "32M",
        ]));
        // As much of a program as a build looks at: a static ELF of this machine.
        let mut elf = vec![0_u8; 64];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (elf[16], elf[18], elf[20], elf[52]) = (2, 62, 1, 64);
        std::fs::write(self.path("agent"), elf).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.made.path(name)
    }

    /// `r.yaml` with the step; `repository` of its own unless there is one in it.
    pub(crate) fn recipe(&self, step: &str) {
        let own = if step.contains("repository:") {
            String::new()
        } else {
            format!("      repository: {{uri: \"{}\", suite: stable, components: main}}\n", self.made.uri())
        };
        let text = format!("recipe: 1\nname: r\nsteps:\n  - packages:\n{step}{own}");
        std::fs::write(self.path("r.yaml"), text).unwrap();
    }

    pub(crate) fn hardtack(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments)
            .current_dir(self.path(""))
            .env("SOURCE_DATE_EPOCH", "1760000000")
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("http_proxy")
            .env_remove("all_proxy")
            .output()
            .unwrap()
    }

    fn building<'a>(source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["build", "r.yaml", "--source", source, "--agent", "agent"];
        arguments.extend(more);
        arguments
    }

    /// What a build that must succeed says on standard error.
    #[track_caller]
    pub(crate) fn build(&self, source: &str, output: &str, more: &[&str]) -> String {
        let _ = std::fs::remove_file(self.path(output));
        let mut arguments = Self::building(source, &["--output", output, "--format", "raw"]);
        arguments.extend(more);
        let done = self.hardtack(&arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{arguments:?}: {said}");
        said
    }

    /// What a plan that must succeed has.
    #[track_caller]
    pub(crate) fn plan(&self, source: &str, more: &[&str]) -> Value {
        let mut arguments = Self::building(source, &["--plan", "--json"]);
        arguments.extend(more);
        let done = self.hardtack(&arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// A build that must be refused with this exit code and all of these words.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, more: &[&str], wanted: &[&str]) {
        let arguments = Self::building("base.img", &[&["--plan"], more].concat());
        let done = self.hardtack(&arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{said}");
        for word in wanted {
            assert!(said.contains(word), "no {word:?}: {said}");
        }
    }

    /// A file of an image, by debugfs.
    pub(crate) fn file(&self, image: &str, path: &str) -> String {
        let read = run(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(self.path(image)));
        String::from_utf8(read.stdout).unwrap()
    }

    /// `name version status` of every package in an image, sorted.
    pub(crate) fn packages(&self, image: &str) -> Vec<String> {
        let status = self.file(image, "/var/lib/dpkg/status");
        let field = |stanza: &str, name: &str| {
            let found = stanza.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        let mut all: Vec<String> = status
            .split("\n\n")
            .filter(|stanza| !stanza.trim().is_empty())
            .map(|one| {
                format!("{} {} {}", field(one, "Package:"), field(one, "Version:"), field(one, "Status:"))
            })
            .collect();
        all.sort();
        all
    }
}

pub(crate) fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}
