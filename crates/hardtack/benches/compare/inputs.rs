//! What the contenders work on: the image in other formats and sizes, recipes, scripts of debugfs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lengths of the files that recipes write.
const SMALL: usize = 4 << 10;
const LARGE: usize = 20_000_000;
/// Existing files that the 600 edits replace; the others are new.
const REPLACED: usize = 100;

/// Files in the directory of the run; outputs go there too.
pub(crate) struct Inputs {
    /// The image itself: qcow2 with zlib.
    pub(crate) zlib: PathBuf,
    directory: PathBuf,
    /// Where the root file system begins in the raw disk, in bytes.
    pub(crate) root: u64,
}

impl Inputs {
    /// Makes what is not there yet.
    pub(crate) fn make(image: &Path, directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let inputs = Self { zlib: image.canonicalize().unwrap(), directory: directory.to_owned(), root: 0 };
        inputs.variant("root.raw", &["-O", "raw"]);
        inputs.variant("plain.qcow2", &["-O", "qcow2"]);
        inputs.variant("zstd.qcow2", &["-O", "qcow2", "-c", "-o", "compression_type=zstd"]);
        for (name, size) in [("4G.qcow2", "4G"), ("1T.qcow2", "1T")] {
            if inputs.variant(name, &["-O", "qcow2", "-c"]) {
                run(Command::new("qemu-img").args(["resize", "-q"]).arg(inputs.path(name)).arg(size));
            }
        }
        std::fs::write(inputs.path("small"), noise(SMALL)).unwrap();
        std::fs::write(inputs.path("large"), noise(LARGE)).unwrap();
        let root = first_linux_partition(&inputs.path("root.raw"));
        let inputs = Self { root, ..inputs };
        inputs.recipes();
        std::fs::write(inputs.path("16KiB.yaml"), cloud_config()).unwrap();
        inputs
    }

    /// A file of the run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The raw disk as debugfs opens the file system in it.
    pub(crate) fn for_debugfs(&self, disk: &Path) -> String {
        format!("{}?offset={}", disk.display(), self.root)
    }

    /// True when it was made now.
    fn variant(&self, name: &str, options: &[&str]) -> bool {
        let (path, part) = (self.path(name), self.path("part"));
        if path.exists() {
            return false;
        }
        run(Command::new("qemu-img")
            .args(["convert", "-m", "16", "-W"])
            .args(options)
            .arg(&self.zlib)
            .arg(&part));
        std::fs::rename(part, path).unwrap();
        true
    }

    fn recipes(&self) {
        let mut edits = Recipe::default();
        for path in self.existing_files() {
            edits.write(&path, "replaced by a recipe\n");
        }
        for number in 0..600 - REPLACED {
            let folder = ["/etc/bench", "/usr/share/bench", "/usr/local/lib/bench", "/srv/bench"][number % 4];
            let line = format!("file {number} of a recipe, with some words that repeat\n");
            edits.write(&format!("{folder}/{number:03}"), &line.repeat(1 + number % 60));
        }
        std::fs::write(self.path("600.yaml"), edits.0).unwrap();
        for count in [100, 500] {
            let mut recipe = Recipe::default();
            let mut script = "mkdir /opt/bench\ncd /opt/bench\n".to_owned();
            for number in 0..count {
                recipe.copy("small", &format!("/opt/bench/{number:03}"));
                writeln!(script, "write {} {number:03}", self.path("small").display()).unwrap();
            }
            std::fs::write(self.path(&format!("{count}.yaml")), recipe.0).unwrap();
            std::fs::write(self.path(&format!("{count}.debugfs")), script).unwrap();
        }
        let mut recipe = Recipe::default();
        recipe.copy("large", "/opt/bench/large");
        std::fs::write(self.path("large.yaml"), recipe.0).unwrap();
        let script =
            format!("mkdir /opt/bench\ncd /opt/bench\nwrite {} large\n", self.path("large").display());
        std::fs::write(self.path("large.debugfs"), script).unwrap();
    }

    /// Files that every Debian root has, as many as are replaced.
    fn existing_files(&self) -> Vec<String> {
        let disk = self.for_debugfs(&self.path("root.raw"));
        let listed = run(Command::new("debugfs").args(["-R", "ls -p /var/lib/dpkg/info", &disk]));
        // /inode/mode/owner/group/name/size/
        let names = listed.lines().filter_map(|line| line.split('/').nth(5));
        let names = names.filter(|name| name.ends_with(".md5sums")).take(REPLACED);
        let found: Vec<String> = names.map(|name| format!("/var/lib/dpkg/info/{name}")).collect();
        assert_eq!(found.len(), REPLACED, "too few packages in the image");
        found
    }
}

/// A recipe with one `files` step.
struct Recipe(String);

impl Default for Recipe {
    fn default() -> Self {
        Self("recipe: 1\nsteps:\n  - files:\n".to_owned())
    }
}

impl Recipe {
    fn write(&mut self, path: &str, content: &str) {
        let content = serde_json::to_string(content).unwrap();
        writeln!(self.0, "      - {{write: {path:?}, content: {content}}}").unwrap();
    }

    fn copy(&mut self, file: &str, to: &str) {
        writeln!(self.0, "      - {{copy: {file}, to: {to:?}}}").unwrap();
    }
}

/// Cloud-config as people write it, as much of it as EC2 takes.
fn cloud_config() -> String {
    const SIZE: usize = 16 << 10;
    let mut text =
        "#cloud-config\nhostname: bench\ntimezone: UTC\npackage_update: true\npackages:\n".to_owned();
    for package in
        ["chrony", "curl", "git", "htop", "jq", "nginx", "python3", "rsync", "tmux", "unattended-upgrades"]
    {
        writeln!(text, "  - {package}").unwrap();
    }
    text.push_str("users:\n  - default\n");
    for number in 0..8 {
        writeln!(
            text,
            "  - name: user{number}\n    gecos: User {number}\n    groups: [adm, users]\n    shell: /bin/bash\n    \
             sudo: ALL=(ALL) NOPASSWD:ALL\n    ssh_authorized_keys:\n      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} user{number}",
            "A".repeat(43)
        )
        .unwrap();
    }
    text.push_str("runcmd:\n");
    for number in 0..40 {
        writeln!(text, "  - [sh, -c, \"echo {number} > /run/bench-{number}\"]").unwrap();
    }
    text.push_str("write_files:\n");
    let mut number = 0;
    while text.len() < SIZE - 600 {
        writeln!(
            text,
            "  - path: /etc/bench/{number}.conf\n    owner: root:root\n    permissions: '0644'\n    content: |\n      \
             # file {number}\n      key = value {number}\n      other = a longer line of text that says nothing\n"
        )
        .unwrap();
        number += 1;
    }
    text.push_str("final_message: \"up after $UPTIME seconds\"\n# ");
    text.push_str(&"x".repeat(SIZE - text.len() - 1));
    text.push('\n');
    assert_eq!(text.len(), SIZE);
    text
}

/// Bytes that do not compress, the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(next).take(length).collect()
}

fn first_linux_partition(disk: &Path) -> u64 {
    let table = run(Command::new("sfdisk").arg("--json").arg(disk));
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    let partitions = table["partitiontable"]["partitions"].as_array().unwrap().clone();
    // The largest one is the root of every image that is made for these tests.
    partitions.iter().max_by_key(|entry| entry["size"].as_u64()).unwrap()["start"].as_u64().unwrap() * 512
}

/// True when the program can be started.
pub(crate) fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {text}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
