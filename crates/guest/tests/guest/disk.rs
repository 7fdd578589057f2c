//! Disks for tests, made by mke2fs, mkfs.vfat and sgdisk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite, Overlay};
use hardtack_guest::{Error, Guest};
use tempfile::TempDir;

pub const EPOCH: i64 = 1_700_000_000;
pub const MIB: u64 = 1024 * 1024;
pub const LINUX: &str = "8300";
pub const ROOT_X86_64: &str = "8304";
pub const ESP: &str = "ef00";
pub const BIOS: &str = "ef02";

/// True when all programs are there; says so visibly when not, and fails in CI.
pub fn have(programs: &[&str]) -> bool {
    for program in programs {
        if !["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(program).exists())
        {
            eprintln!("SKIPPED: {program} is not installed");
            assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
            return false;
        }
    }
    true
}

/// The programs that most tests need.
pub fn tools() -> bool {
    have(&["mke2fs", "sgdisk", "mkfs.vfat", "mcopy", "e2fsck", "debugfs"])
}

pub fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

pub fn succeed(program: &str, args: &[&str]) -> String {
    let output = run(program, args);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// A place for the files of one test.
pub struct Bench {
    dir: TempDir,
}

/// A partition of a disk to be made.
pub struct Part<'a> {
    pub number: u32,
    pub kind: &'a str,
    pub name: &'a str,
    /// What fills it; none: 1 MiB of nothing.
    pub content: Option<PathBuf>,
}

impl Bench {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An ext4 file system with the given files; a target after "->" makes a link, a path that
    /// ends with "/" a directory.
    pub fn ext4(&self, name: &str, mib: u64, args: &[&str], files: &[(&str, &str)]) -> PathBuf {
        let tree = self.path(&format!("{name}.tree"));
        // The same name may be used again for another file system.
        let _ = std::fs::remove_dir_all(&tree);
        std::fs::create_dir_all(&tree).unwrap();
        for (path, content) in files {
            let host = tree.join(path.trim_start_matches('/'));
            if path.ends_with('/') {
                std::fs::create_dir_all(&host).unwrap();
                continue;
            }
            std::fs::create_dir_all(host.parent().unwrap()).unwrap();
            match content.strip_prefix("->") {
                Some(target) => std::os::unix::fs::symlink(target, &host).unwrap(),
                None => std::fs::write(&host, content).unwrap(),
            }
        }
        let image = self.path(name);
        File::create(&image).unwrap().set_len(mib * MIB).unwrap();
        let mut all = vec!["-q", "-F", "-t", "ext4", "-d", tree.to_str().unwrap()];
        all.extend(args);
        all.push(image.to_str().unwrap());
        succeed("mke2fs", &all);
        image
    }

    /// A root as Debian makes it, with the given fstab.
    pub fn root(&self, name: &str, args: &[&str], fstab: &str) -> PathBuf {
        self.ext4(
            name,
            48,
            args,
            &[
                (
                    "/usr/lib/os-release",
                    "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n",
                ),
                ("/etc/os-release", "->../usr/lib/os-release"),
                ("/etc/fstab", fstab),
                ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
                ("/etc/motd", "welcome\n"),
                ("/boot/hidden", "below the mount\n"),
                ("/data/", ""),
                ("/home/", ""),
            ],
        )
    }

    /// A FAT file system with one loader in it.
    pub fn esp(&self, name: &str, mib: u64, args: &[&str]) -> PathBuf {
        let image = self.path(name);
        File::create(&image).unwrap().set_len(mib * MIB).unwrap();
        let mut all = args.to_vec();
        all.push(image.to_str().unwrap());
        succeed("mkfs.vfat", &all);
        let grub = self.path("grub.cfg");
        std::fs::write(&grub, "search.fs_uuid root\n".repeat(3000)).unwrap();
        let target = image.to_str().unwrap();
        for directory in ["::/EFI", "::/EFI/debian"] {
            succeed("mmd", &["-i", target, directory]);
        }
        succeed("mcopy", &["-i", target, grub.to_str().unwrap(), "::/EFI/debian/grub.cfg"]);
        succeed("mcopy", &["-i", target, grub.to_str().unwrap(), "::/EFI/A long name with blanks.txt"]);
        image
    }

    /// A file whose first bytes are `magic`, for kinds that need no more to be recognised.
    pub fn magic(&self, name: &str, at: u64, magic: &[u8]) -> PathBuf {
        let image = self.path(name);
        let file = File::create(&image).unwrap();
        file.set_len(4 * MIB).unwrap();
        file.write_all_at(magic, at).unwrap();
        image
    }

    /// A GPT disk of these partitions, in this order on the disk.
    pub fn gpt(&self, name: &str, parts: &[Part<'_>]) -> PathBuf {
        let disk = self.path(name);
        let size = |part: &Part<'_>| {
            part.content.as_ref().map_or(MIB, |path| std::fs::metadata(path).unwrap().len())
        };
        let total: u64 = parts.iter().map(size).sum();
        File::create(&disk).unwrap().set_len(total + 2 * MIB).unwrap();
        let mut args = vec!["-a".to_owned(), "2048".to_owned()];
        let mut at = MIB;
        for part in parts {
            let (first, last) = (at / 512, (at + size(part)) / 512 - 1);
            args.push(format!("--new={}:{first}:{last}", part.number));
            args.push(format!("--typecode={}:{}", part.number, part.kind));
            args.push(format!("--change-name={}:{}", part.number, part.name));
            args.push(format!(
                "--partition-guid={}:5d2f1c5b-7d9e-4d51-9a3e-0f7c6b8a1d{:02x}",
                part.number, part.number
            ));
            at += size(part);
        }
        args.push(disk.to_str().unwrap().to_owned());
        succeed("sgdisk", &args.iter().map(String::as_str).collect::<Vec<_>>());
        let mut at = MIB;
        for part in parts {
            if let Some(content) = &part.content {
                succeed(
                    "dd",
                    &[
                        &format!("if={}", content.display()),
                        &format!("of={}", disk.display()),
                        "bs=1M",
                        &format!("seek={}", at / MIB),
                        "conv=notrunc,sparse",
                    ],
                );
            }
            at += size(part);
        }
        disk
    }

    /// An MBR disk: one Linux partition from 1 MiB on.
    pub fn mbr(&self, name: &str, content: &Path) -> PathBuf {
        let disk = self.path(name);
        let bytes = std::fs::read(content).unwrap();
        let file = File::create(&disk).unwrap();
        file.set_len(MIB + bytes.len() as u64).unwrap();
        file.write_all_at(&bytes, MIB).unwrap();
        let mut sector = [0; 512];
        sector[440..444].copy_from_slice(&0x3eb5_f2d1_u32.to_le_bytes());
        sector[446] = 0x80;
        sector[450] = 0x83;
        sector[454..458].copy_from_slice(&2048_u32.to_le_bytes());
        sector[458..462].copy_from_slice(&u32::try_from(bytes.len() / 512).unwrap().to_le_bytes());
        sector[510..512].copy_from_slice(&[0x55, 0xaa]);
        file.write_all_at(&sector, 0).unwrap();
        disk
    }
}

/// The disk in memory, with an overlay above it.
pub fn overlay(path: &Path) -> Arc<Overlay<Vec<u8>>> {
    Arc::new(Overlay::new(std::fs::read(path).unwrap()))
}

pub fn open(path: &Path) -> Result<Guest, Error> {
    Guest::open(overlay(path), EPOCH)
}

pub fn refusal(path: &Path) -> String {
    match open(path) {
        Ok(guest) => panic!("opened: {:?}", guest.volumes()),
        Err(error) => error.to_string(),
    }
}

/// Writes a range of the edited disk to a file.
pub fn save(disk: &Arc<dyn BlockWrite>, range: std::ops::Range<u64>, to: &Path) {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
    BlockSource::read_at(disk, range.start, &mut bytes).unwrap();
    std::fs::write(to, bytes).unwrap();
}
