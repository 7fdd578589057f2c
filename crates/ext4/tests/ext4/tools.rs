//! Other people's programs: mke2fs, e2fsck, debugfs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// True when `program` is there; says so visibly when not, and fails in CI.
pub fn have(program: &str) -> bool {
    let found =
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(program).exists());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Says that a test was skipped; an error in CI.
pub fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {why}");
}

pub fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A directory with an image in it.
pub struct Image {
    pub dir: TempDir,
}

impl Image {
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("fs")
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An image of `mib` MiB made by mke2fs with `args`, holding [`fill`]'s tree.
    pub fn make(args: &[&str], mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fill(&tree);
        let image = Self { dir };
        image.format(args, mib, Some(&tree));
        image
    }

    /// The same, empty.
    pub fn empty(args: &[&str], mib: u64) -> Self {
        let image = Self { dir: tempfile::tempdir().unwrap() };
        image.format(args, mib, None);
        image
    }

    fn format(&self, args: &[&str], mib: u64, tree: Option<&Path>) {
        let mut all = args.to_vec();
        let tree = tree.map(|tree| tree.to_str().unwrap().to_owned());
        if let Some(tree) = &tree {
            all.extend(["-d", tree]);
        }
        let output = self.try_format(&all, mib);
        assert!(output.status.success(), "mke2fs {all:?}: {}", said(&output));
    }

    /// Makes a file system of `mib` MiB, always with the same UUID, label and hash seed.
    pub fn try_format(&self, args: &[&str], mib: u64) -> Output {
        let path = self.path();
        std::fs::File::create(&path).unwrap().set_len(mib * 1024 * 1024).unwrap();
        let mut all = vec!["-q", "-F", "-U", "6b8a1d4e-0f7c-4d51-9a3e-2f1c5b7d9e80", "-L", "cloudimg-rootfs"];
        // mke2fs keeps the last -E only.
        let mut extended = "hash_seed=5d2f1c5b-7d9e-4d51-9a3e-0f7c6b8a1d4e".to_owned();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match *arg {
                "-E" => extended = format!("{extended},{}", rest.next().unwrap()),
                other => all.push(other),
            }
        }
        all.extend(["-E", &extended, path.to_str().unwrap()]);
        run("mke2fs", &all)
    }
}

/// A small root: files of several sizes, links, a hard link, a directory large enough for a tree.
pub fn fill(root: &Path) {
    let etc = root.join("etc");
    std::fs::create_dir_all(&etc).unwrap();
    std::fs::create_dir_all(root.join("usr/lib/deep/er")).unwrap();
    std::fs::create_dir_all(root.join("many")).unwrap();
    std::fs::write(etc.join("motd"), "welcome\n").unwrap();
    std::fs::write(etc.join("empty"), "").unwrap();
    std::fs::write(etc.join("shadow"), "root:*:19000:0:99999:7:::\n".repeat(9)).unwrap();
    std::fs::write(root.join("usr/lib/os-release"), "ID=debian\n").unwrap();
    std::fs::write(root.join("usr/lib/deep/er/big"), vec![0x5a; 300_000]).unwrap();
    std::fs::hard_link(etc.join("shadow"), etc.join("shadow-")).unwrap();
    std::os::unix::fs::symlink("../usr/lib/os-release", etc.join("os-release")).unwrap();
    std::os::unix::fs::symlink("/".repeat(3) + &"long/".repeat(20), etc.join("slow-link")).unwrap();
    for index in 0..300 {
        std::fs::write(root.join(format!("many/entry-number-{index:04}")), format!("{index}\n")).unwrap();
    }
}

/// `e2fsck -fn`: nothing to complain about.
pub fn assert_clean(image: &Path, what: &str) {
    let output = run("e2fsck", &["-fn", image.to_str().unwrap()]);
    assert!(output.status.success(), "{what}: e2fsck -fn: {}", said(&output));
}

/// One debugfs command on an image, opened for writing.
pub fn debugfs(image: &Path, command: &str) -> String {
    let output = run("debugfs", &["-w", "-R", command, image.to_str().unwrap()]);
    assert!(output.status.success(), "debugfs {command}: {}", said(&output));
    said(&output)
}

/// Many debugfs commands on an image, whether they succeed or not; answers what was said.
pub fn debugfs_script(image: &Path, commands: &str) -> String {
    let script = image.with_extension("commands");
    std::fs::write(&script, commands).unwrap();
    said(&run("debugfs", &["-w", "-f", script.to_str().unwrap(), image.to_str().unwrap()]))
}
