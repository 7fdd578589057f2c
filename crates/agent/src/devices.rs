//! The running machine's block devices, for data sources: which file systems they hold, and their files.
//!
//! Superblocks are read here, not by blkid, and the kernel mounts, not mount(8). A device that does not answer
//! is waited for only so long.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hardtack_datasource::{BlockDevice, Local, superblock};
use hardtack_modules::Machine;
use rustix::mount::{MountFlags, UnmountFlags};

use crate::machine::Tree;

/// Where seeds are mounted.
const PLACE: &str = "run/hardtack/seed";
/// How long all devices together have to answer. An empty optical drive needs some seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Devices that are looked at. A machine of the cloud has a dozen.
const MOST: usize = 256;

/// The machine below a root: `/`, or a directory of a test, whose `dev` then holds images.
pub(crate) struct Devices {
    root: PathBuf,
    tree: Tree,
}

impl Devices {
    /// The machine below `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { tree: Tree::new(root.clone()), root }
    }

    /// The kernel's names of what may hold a seed: partitions too, nothing that is empty. Floppies make one
    /// wait for seconds, and nobody seeds by them.
    fn names(&self) -> Vec<String> {
        let mut names = self.tree.list("/sys/class/block");
        names.retain(|name| {
            let skipped = ["fd", "mtdblock"].iter().any(|kind| is_numbered(name, kind));
            let size = self.tree.read(&format!("/sys/class/block/{name}/size")).unwrap_or_default();
            !skipped && size.iter().any(|digit| matches!(digit, b'1'..=b'9'))
        });
        names.truncate(MOST);
        names
    }

    fn path(&self, device: &str) -> PathBuf {
        self.root.join(device.trim_start_matches('/'))
    }

    /// Where the kernel has the device mounted already.
    fn mounted(&self, device: &str) -> Option<String> {
        let mounts = self.tree.read("/proc/self/mounts")?;
        let mounts = String::from_utf8_lossy(&mounts).into_owned();
        mounts.lines().find_map(|line| {
            let (source, rest) = line.split_once(' ')?;
            let place = rest.split(' ').next()?;
            // Escaped names (`\040`) are not those of a seed.
            (source == device && !place.contains('\\')).then(|| place.to_owned())
        })
    }
}

fn is_numbered(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What the device at `path` holds. Without `O_NONBLOCK` opening a floppy would wait for a medium; an empty
/// CD drive that is opened with it answers each read with lines on the console, and without it at once.
fn probe(path: &Path) -> io::Result<Option<superblock::Superblock>> {
    let is_cd = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_numbered(name, "sr"));
    let flags = if is_cd { rustix::fs::OFlags::empty() } else { rustix::fs::OFlags::NONBLOCK };
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let mut file = File::options().read(true).custom_flags(flags).open(path)?;
    superblock::probe(&mut file)
}

impl Local for Devices {
    fn machine(&self) -> &dyn Machine {
        &self.tree
    }

    fn block_devices(&self) -> Vec<BlockDevice> {
        let names = self.names();
        let (send, receive) = mpsc::channel();
        for name in &names {
            // `cciss!c0d0` is /dev/cciss/c0d0.
            let device = format!("/dev/{}", name.replace('!', "/"));
            let path = self.path(&device);
            let send = send.clone();
            // A thread that hangs in a dead device is left behind.
            let started = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
                let _ = send.send((device, probe(&path)));
            });
            drop(started);
        }
        drop(send);
        let end = Instant::now() + PATIENCE;
        let mut devices = Vec::new();
        while let Ok((path, found)) = receive.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if let Ok(Some(found)) = found {
                devices.push(BlockDevice {
                    path,
                    file_system: found.file_system.to_owned(),
                    label: found.label,
                    boot_label: found.boot_label,
                    uuid: found.uuid,
                });
            }
        }
        devices.sort_by(|one, other| one.path.cmp(&other.path));
        devices
    }

    fn with_files(&self, device: &BlockDevice, work: &mut dyn FnMut(&dyn Machine)) -> io::Result<()> {
        if let Some(place) = self.mounted(&device.path) {
            work(&Tree::new(self.path(&place)));
            return Ok(());
        }
        let mounted = Mounted::new(&self.root.join(PLACE), &self.path(&device.path), &device.file_system)?;
        work(&Tree::new(mounted.place.clone()));
        Ok(())
    }
}

/// A file system that is mounted as long as this lives.
struct Mounted {
    place: PathBuf,
}

impl Mounted {
    fn new(above: &Path, device: &Path, kind: &str) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = above.join(format!("{}-{number}", std::process::id()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        if let Err(error) = rustix::mount::mount(device, &place, kind, flags, None) {
            let _ = fs::remove_dir(&place);
            return Err(error.into());
        }
        Ok(Self { place })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever still has a file open keeps the file system, not the place.
        let _ = rustix::mount::unmount(&self.place, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.place);
    }
}

/// `uname -m`.
pub(crate) fn architecture() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

/// The kernel's command line; in a container that of process 1 (`cloudinit/util.py`, `get_cmdline`).
pub(crate) fn command_line(machine: &dyn Machine, container: bool) -> String {
    let path = if container { "/proc/1/cmdline" } else { "/proc/cmdline" };
    let bytes = machine.read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use super::*;
    use crate::testing::Loop;
    use std::process::Command;

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in ["dev", "sys/class/block", "run"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        root
    }

    fn add(root: &Path, name: &str, bytes: &[u8]) {
        let sys = root.join("sys/class/block").join(name);
        fs::create_dir_all(&sys).unwrap();
        fs::write(sys.join("size"), format!("{}\n", bytes.len() / 512)).unwrap();
        fs::write(root.join("dev").join(name), bytes).unwrap();
    }

    #[test]
    fn what_the_devices_hold() {
        let root = machine();
        let mut ext = vec![0; 64 << 10];
        ext[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        ext[1024 + 0x78..1024 + 0x7c].copy_from_slice(b"root");
        add(root.path(), "vda1", &ext);
        add(root.path(), "vda", &[0; 4096]);
        add(root.path(), "loop0", b"");
        add(root.path(), "fd0", &ext);
        let devices = Devices::new(root.path());
        assert_eq!(devices.names(), ["vda", "vda1"]);
        let found = devices.block_devices();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].file_system.as_str()), ("/dev/vda1", "ext2"));
        assert_eq!(found[0].label, "root");
    }

    #[test]
    fn what_cannot_be_mounted_is_an_error_and_leaves_nothing() {
        let root = machine();
        add(root.path(), "vdb", &[0; 4096]);
        let devices = Devices::new(root.path());
        let device = BlockDevice {
            path: "/dev/vdb".to_owned(),
            file_system: "vfat".to_owned(),
            ..BlockDevice::default()
        };
        let mut called = false;
        assert!(devices.with_files(&device, &mut |_| called = true).is_err());
        assert!(!called);
        assert_eq!(fs::read_dir(root.path().join(PLACE)).unwrap().count(), 0);
    }

    #[test]
    fn a_device_that_is_mounted_is_read_where_it_is() {
        let root = machine();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::create_dir_all(root.path().join("media/seed")).unwrap();
        fs::write(root.path().join("media/seed/user-data"), "#").unwrap();
        fs::write(root.path().join("proc/self/mounts"), "/dev/vdb /media/seed vfat ro 0 0\n").unwrap();
        let devices = Devices::new(root.path());
        let device = BlockDevice { path: "/dev/vdb".to_owned(), ..BlockDevice::default() };
        let mut read = None;
        devices.with_files(&device, &mut |files| read = files.read("/user-data")).unwrap();
        assert_eq!(read.as_deref(), Some(&b"#"[..]));
    }

    /// vfat as a seed has it; ext4 where the kernel has no vfat, since mounting is the same.
    #[test]
    fn the_kernel_mounts_a_seed() {
        for (tool, arguments, kind) in
            [("mkfs.vfat", ["-n", "CIDATA"], "vfat"), ("mkfs.ext4", ["-qL", "CIDATA"], "ext4")]
        {
            let root = machine();
            let image = root.path().join("seed.img");
            File::create(&image).unwrap().set_len(4 << 20).unwrap();
            let made = Command::new(tool).args(arguments).arg(&image).output();
            if !made.is_ok_and(|output| output.status.success()) {
                assert!(std::env::var_os("CI").is_none(), "{tool} is needed");
                eprintln!("SKIPPED: no {tool}");
                continue;
            }
            let Some(device) = Loop::new(&image) else { continue };
            let devices = Devices::new("/");
            let found = devices.block_devices().into_iter().find(|found| found.path == device.path).unwrap();
            assert_eq!((found.file_system.as_str(), found.label.as_str()), (kind, "CIDATA"));
            let place = root.path().join(PLACE);
            match Mounted::new(&place, Path::new(&device.path), kind) {
                Ok(mounted) => {
                    let there = Tree::new(mounted.place.clone()).exists("/lost+found");
                    assert_eq!(there, kind == "ext4");
                    assert!(fs::write(mounted.place.join("x"), "").is_err(), "the seed can be written");
                }
                Err(error) => eprintln!("SKIPPED: this kernel or container mounts no {kind}: {error}"),
            }
            assert_eq!(fs::read_dir(place).unwrap().count(), 0);
        }
    }
}
