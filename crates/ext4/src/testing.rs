//! Images for unit tests: made by mke2fs, edited in memory, judged by e2fsck and debugfs.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use hardtack_disk::{BlockSource, Overlay, RawSource};
use tempfile::TempDir;

use crate::volume::Volume;

/// The time that edits write.
pub(crate) const EPOCH: i64 = 1_700_000_000;

/// An image file in a directory of its own.
pub(crate) struct Image {
    dir: TempDir,
}

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Image {
    /// An image of `mib` MiB made by mke2fs with `args` ("-t", "ext4", …). UUID and hash seed are fixed.
    pub(crate) fn make(args: &[&str], mib: u64) -> Self {
        let image = Self { dir: tempfile::tempdir().unwrap() };
        let path = image.path();
        std::fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
        let mut all = vec!["-q", "-F", "-U", "6b8a1d4e-0f7c-4d51-9a3e-2f1c5b7d9e80"];
        all.extend(["-E", "hash_seed=5d2f1c5b-7d9e-4d51-9a3e-0f7c6b8a1d4e,lazy_itable_init=1"]);
        all.extend(args);
        all.push(path.to_str().unwrap());
        let output = run("mke2fs", &all);
        assert!(output.status.success(), "mke2fs {all:?}: {}", said(&output));
        image
    }

    /// A copy of an image that others made.
    pub(crate) fn copy_of(path: &Path) -> Self {
        let image = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::copy(path, image.path()).unwrap();
        image
    }

    /// The image as mke2fs (and debugfs) left it.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("fs")
    }

    /// A volume above the image; the file is not changed.
    pub(crate) fn volume(&self) -> Volume {
        let disk = Overlay::new(RawSource::open(&self.path()).unwrap());
        Volume::open(Arc::new(disk), EPOCH).unwrap()
    }

    /// What the volume holds after its last commit, as a file.
    pub(crate) fn save(&self, volume: &Volume) -> PathBuf {
        let path = self.dir.path().join("edited");
        let disk = volume.disk();
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(disk.len()).unwrap();
        let zeros = vec![0; 1 << 20];
        let mut buf = zeros.clone();
        let mut at = 0;
        while at < disk.len() {
            let count = usize::try_from(disk.len() - at).unwrap().min(buf.len());
            disk.read_at(at, &mut buf[..count]).unwrap();
            // Compared as slices: fast without optimisation too.
            if buf[..count] != zeros[..count] {
                std::os::unix::fs::FileExt::write_all_at(&file, &buf[..count], at).unwrap();
            }
            at += count as u64;
        }
        path
    }

    /// A copy of the image as mke2fs left it, in a file of `size` bytes.
    pub(crate) fn copy_of_size(&self, size: u64) -> PathBuf {
        let path = self.dir.path().join("copy");
        std::fs::copy(self.path(), &path).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        path
    }

    /// Saves and asks e2fsck.
    pub(crate) fn assert_clean(&self, volume: &Volume, what: &str) {
        assert_clean(&self.save(volume), what);
    }
}

/// `e2fsck -fn` has nothing to say.
pub(crate) fn assert_clean(path: &Path, what: &str) {
    let output = run("e2fsck", &["-fn", path.to_str().unwrap()]);
    assert!(output.status.success(), "{what}: e2fsck -fn: {}", said(&output));
}

/// One debugfs command on an image, opened for writing.
pub(crate) fn debugfs(path: &Path, command: &str) -> String {
    let output = run("debugfs", &["-w", "-R", command, path.to_str().unwrap()]);
    assert!(output.status.success(), "debugfs {command}: {}", said(&output));
    said(&output)
}

/// Grows the file system to its file.
pub(crate) fn resize2fs(path: &Path) {
    let output = run("resize2fs", &["-f", path.to_str().unwrap()]);
    assert!(output.status.success(), "resize2fs: {}", said(&output));
}

/// Mounts the image ("ro" or "rw") and calls `act` with the mount point; a visible skip where that cannot
/// be done (no root, or blocks larger than the kernel takes), and false then.
#[allow(clippy::print_stderr)]
pub(crate) fn mounted(path: &Path, mode: &str, act: impl FnOnce(&Path)) -> bool {
    let point = tempfile::tempdir().unwrap();
    let target = point.path().to_str().unwrap();
    let output = run("mount", &["-o", &format!("loop,{mode}"), path.to_str().unwrap(), target]);
    if !output.status.success() {
        eprintln!("SKIPPED: no loop mount: {}", said(&output).trim());
        return false;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(point.path())));
    // Somebody else on the machine may be looking at every new mount for a moment.
    let unmounted = (0..50).any(|_| {
        let done = run("umount", &[target]).status.success();
        if !done {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        done
    });
    assert!(unmounted, "{target} stays mounted");
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    true
}
