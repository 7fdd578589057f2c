//! Small images, and the program run on them with the recipes that ship.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_tests::image::{assert_clean, debugfs_cat, debugfs_stat, extract, sha256};
use hardtack_tests::tools::{run, top};

/// False, said aloud, where one of the programs is missing.
pub(crate) fn have(programs: &[&str]) -> bool {
    let there = |program: &&&str| {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    };
    let missing = programs.iter().find(|program| !there(program));
    if let Some(program) = missing {
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

/// A real image of the end-to-end tests; none, said aloud, where it was not made.
pub(crate) fn real(name: &str) -> Option<PathBuf> {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let image = cache.join("images").join(format!("{name}.qcow2"));
    if image.is_file() {
        return Some(image);
    }
    eprintln!("SKIPPED: {}: no such image (`cargo xtask images` makes it)", image.display());
    None
}

/// The path of a recipe that ships.
pub(crate) fn recipe(name: &str) -> String {
    top().join("image-recipes").join(name).display().to_string()
}

/// Where builds find the agent.
pub(crate) const AGENT: &[&str] = &["--agent", "agent"];

/// A folder for the files of one test.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        // As much of the agent as a build looks at: a static program for this machine.
        let mut elf = vec![0_u8; 64];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (elf[16], elf[18], elf[20], elf[52]) = (2, 62, 1, 64);
        std::fs::write(scene.path("agent"), elf).unwrap();
        scene
    }

    /// With a variable of the environment.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs a line of a shell.
    pub(crate) fn sh(&self, line: &str) -> String {
        run(Command::new("sh").args(["-ec", line]).current_dir(self.folder.path()))
    }

    pub(crate) fn hardtack(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .envs(self.variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ran { code: output.status.code(), text }
    }

    /// Runs it, and expects `code`.
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.hardtack(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.text);
        ran.text
    }

    /// Builds `recipe` from `source`, which stays as it is, to `output`, which it then has nothing to do with.
    pub(crate) fn build(&self, recipe: &str, source: &Path, output: &str, more: &[&str]) -> String {
        let before = sha256(source);
        let source_name = source.to_str().unwrap();
        let line =
            [&["build", recipe, "--source", source_name, "--output", output, "--no-sync"], AGENT, more];
        let said = self.expect(0, &line.concat());
        assert_eq!(before, sha256(source), "the source has changed");
        let again = [&["build", recipe, "--source", output, "--plan"], AGENT, more].concat();
        let again = self.expect(0, &again);
        assert!(again.contains("Nothing to change"), "{again}");
        said
    }

    /// The file system of a partition, found to be clean. The disk is read as qemu-img reads it.
    pub(crate) fn partition(&self, disk: &str, number: u32) -> FileSystem {
        let raw = self.path("partition-of.raw");
        run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(self.path(disk)).arg(&raw));
        let file = self.path(&format!("{disk}.{number}"));
        extract(&raw, number, &file);
        // What ends in a hole is shorter.
        let length = std::fs::metadata(&file).unwrap().len().next_multiple_of(1 << 20);
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
        std::fs::remove_file(raw).unwrap();
        assert_clean(&file);
        FileSystem(file)
    }

    /// An ext4 of `files` in a file of this name: a target behind `->` makes a link, `#!` a program, a path
    /// that ends with a slash a directory.
    pub(crate) fn ext4(&self, name: &str, mebibytes: u32, options: &str, files: &[(&str, &str)]) {
        let tree = self.path(&format!("{name}.tree"));
        std::fs::create_dir(&tree).unwrap();
        for (path, content) in files {
            let host = tree.join(path.trim_start_matches('/'));
            if path.ends_with('/') {
                std::fs::create_dir_all(&host).unwrap();
                continue;
            }
            std::fs::create_dir_all(host.parent().unwrap()).unwrap();
            if let Some(target) = content.strip_prefix("->") {
                symlink(target, &host).unwrap();
                continue;
            }
            std::fs::write(&host, content).unwrap();
            let mode = match *path {
                "/etc/shadow" | "/etc/gshadow" => 0o640,
                _ if content.starts_with("#!") => 0o755,
                _ => 0o644,
            };
            std::fs::set_permissions(&host, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        self.sh(&format!(
            "PATH=$PATH:/usr/sbin:/sbin; mke2fs -q -F -t ext4 {options} -d {name}.tree {name} {mebibytes}M"
        ));
        std::fs::remove_dir_all(tree).unwrap();
    }

    /// A raw disk with an MBR and one partition, from sector 2048 on.
    pub(crate) fn mbr(&self, name: &str, mebibytes: u32, options: &str, files: &[(&str, &str)]) {
        self.ext4("content", mebibytes, options, files);
        self.sh(&format!(
            "PATH=$PATH:/usr/sbin:/sbin; truncate -s {}M {name}; \
             printf 'label: dos\\n2048,,83,*\\n' | sfdisk --quiet {name}; \
             dd if=content of={name} bs=1M seek=1 conv=notrunc,sparse status=none; rm content",
            mebibytes + 1
        ));
    }
}

/// A file system that debugfs reads.
pub(crate) struct FileSystem(PathBuf);

impl FileSystem {
    pub(crate) fn cat(&self, path: &str) -> String {
        debugfs_cat(&self.0, path)
    }

    /// `0644` and the like; none where nothing is there.
    pub(crate) fn mode(&self, path: &str) -> Option<String> {
        let told = debugfs_stat(&self.0, path);
        Some(told.split_once("Mode:")?.1.split_whitespace().next().unwrap().to_owned())
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.mode(path).is_some()
    }

    /// What a short symbolic link points to.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        let told = debugfs_stat(&self.0, path);
        Some(told.split_once("Fast link dest: \"")?.1.split('"').next().unwrap().to_owned())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }
}

/// True when `text` stands in `bytes`.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
