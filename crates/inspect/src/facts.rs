//! What an image is, in the words that recipes ask in (`when:`) and that `inspect` tells.

use std::sync::Arc;

use hardtack_guest::dpkg::{Database, Version};
use hardtack_guest::{Error, FileType, OsRelease, Stage};

/// More kernels than this are not told apart.
const MOST_KERNELS: usize = 256;

/// What an image is. Files are looked at when they are asked for.
pub struct Facts<'a> {
    stage: &'a Stage<'a>,
    /// `ID` of os-release: "debian".
    pub os: Option<String>,
    /// `ID_LIKE` of os-release, word by word.
    pub like: Vec<String>,
    /// `VERSION_ID` of os-release: "12", "24.04". Testing and unstable releases have none.
    pub version: Option<String>,
    /// `VERSION_CODENAME` of os-release: "bookworm".
    pub codename: Option<String>,
    /// What its programs run on, in Debian's words: "amd64".
    pub architecture: Option<&'static str>,
    /// The versions of its kernels, newest first.
    pub kernels: Vec<String>,
    /// What the kernel starts first.
    pub init: Option<Init>,
    /// What makes its initramfs.
    pub initramfs: Initramfs,
    /// It has what a machine with BIOS starts.
    pub bios: bool,
    /// It has what a machine with UEFI starts.
    pub uefi: bool,
    /// cloud-init is there.
    pub cloud_init: bool,
    packages: Option<Arc<Database>>,
}

/// What the kernel starts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// systemd(1).
    Systemd,
    /// Upstart.
    Upstart,
    /// System V's.
    Sysv,
}

impl Init {
    /// The words of recipes.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("systemd", Self::Systemd), ("upstart", Self::Upstart), ("sysv", Self::Sysv)];
}

/// What makes an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initramfs {
    /// Debian's initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// Neither.
    None,
}

impl Initramfs {
    /// The words of recipes.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("initramfs-tools", Self::InitramfsTools), ("dracut", Self::Dracut), ("none", Self::None)];
}

impl<'a> Facts<'a> {
    /// Looks at the image.
    ///
    /// # Errors
    /// Files that cannot be read, or are damaged.
    pub fn read(stage: &'a Stage<'a>) -> Result<Self, Error> {
        Self::with_packages(stage, Self::packages(stage)?)
    }

    /// The image's package database, for [`Facts::with_packages`]; `None` where it has none that is read here.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn packages(stage: &Stage<'_>) -> Result<Option<Arc<Database>>, Error> {
        Ok(Database::read(stage)?.map(Arc::new))
    }

    /// The same for somebody who looks again and again while nothing happens to packages.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn with_packages(stage: &'a Stage<'a>, packages: Option<Arc<Database>>) -> Result<Self, Error> {
        let release = release(stage)?;
        let get = |name: &str| release.as_ref().and_then(|release| release.get(name)).map(str::to_owned);
        Ok(Self {
            os: release.as_ref().map(|release| release.id().to_owned()),
            like: release
                .iter()
                .flat_map(|release| release.id_like().map(str::to_owned).collect::<Vec<_>>())
                .collect(),
            version: get("VERSION_ID"),
            codename: get("VERSION_CODENAME"),
            architecture: architecture(stage)?,
            kernels: kernels(stage)?,
            init: init(stage)?,
            initramfs: initramfs(stage)?,
            bios: any(
                stage,
                &["/boot/grub/i386-pc", "/boot/grub2/i386-pc", "/boot/extlinux", "/boot/grub/stage2"],
            )?,
            uefi: any(stage, &["/boot/efi/EFI", "/efi/EFI", "/boot/EFI"])?,
            cloud_init: any(stage, &["/usr/bin/cloud-init", "/usr/local/bin/cloud-init"])?,
            packages,
            stage,
        })
    }

    /// True where something is at `path`; links are followed.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn exists(&self, path: &str) -> Result<bool, Error> {
        there(self.stage, path)
    }

    /// The version of the installed package `name`; `Err` where the image has no package database
    /// that is read here.
    ///
    /// # Errors
    /// Nothing is said of what is there: the image has no database of dpkg.
    pub fn package(&self, name: &str) -> Result<Option<&Version>, NoDatabase> {
        let packages = self.packages.as_ref().ok_or(NoDatabase)?;
        // `by_name` gives one of several architectures; any of them is there.
        let entries = packages.entries().iter().filter(|entry| entry.name == name);
        let installed = entries.filter(|entry| entry.state.is_unpacked());
        Ok(installed.filter_map(|entry| entry.package.as_ref()).map(|package| &package.version).next())
    }
}

/// The image has no database of dpkg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDatabase;

fn release(stage: &Stage<'_>) -> Result<Option<OsRelease>, Error> {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(text) = text(stage, path)? {
            return Ok(Some(OsRelease::parse(&text)));
        }
    }
    Ok(None)
}

/// The text of a file, if there is one; a link to nowhere is none.
fn text(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    let content = match stage.stat(path) {
        Ok(Some(metadata)) if metadata.kind == FileType::Regular => stage.read_limited(path, 64 << 10)?,
        Ok(_) | Err(Error::Missing { .. } | Error::WrongType { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn there(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    match stage.stat(path) {
        Ok(found) => Ok(found.is_some()),
        Err(Error::Missing { .. } | Error::WrongType { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn any(stage: &Stage<'_>, paths: &[&str]) -> Result<bool, Error> {
    for path in paths {
        if there(stage, path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// From the first program that is found (System V ABI: `e_machine` at 18, `EI_DATA` at 5).
fn architecture(stage: &Stage<'_>) -> Result<Option<&'static str>, Error> {
    for path in ["/usr/lib/systemd/systemd", "/usr/bin/env", "/bin/sh", "/bin/busybox", "/sbin/init"] {
        let Ok(Some(metadata)) = stage.stat(path) else { continue };
        if metadata.kind != FileType::Regular || metadata.size > 64 << 20 {
            continue;
        }
        let Some(program) = stage.read_limited(path, 64 << 20)? else { continue };
        let Some(&[0x7f, b'E', b'L', b'F', _class, data, ..]) = program.get(..16) else { continue };
        let Some(&[low, high]) = program.get(18..20) else { continue };
        let little = data != 2;
        let machine = if little { u16::from_le_bytes([low, high]) } else { u16::from_be_bytes([low, high]) };
        return Ok(match (machine, little) {
            (62, _) => Some("amd64"),
            (3, _) => Some("i386"),
            (183, true) => Some("arm64"),
            (40, true) => Some("armhf"),
            (243, _) => Some("riscv64"),
            (21, true) => Some("ppc64el"),
            (22, false) => Some("s390x"),
            (258, _) => Some("loong64"),
            _ => None,
        });
    }
    Ok(None)
}

fn names(stage: &Stage<'_>, path: &str) -> Result<Vec<String>, Error> {
    match stage.list(path) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(Error::Missing { .. } | Error::WrongType { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn kernels(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = names(stage, "/boot")?
        .iter()
        .filter_map(|name| name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("vmlinux-")))
        .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
        .take(MOST_KERNELS)
        .collect();
    if found.is_empty() {
        for name in names(stage, "/usr/lib/modules")?.into_iter().chain(names(stage, "/lib/modules")?) {
            if found.len() < MOST_KERNELS && !found.contains(&name) {
                let complete = there(stage, &format!("/lib/modules/{name}/modules.dep"))?;
                found.extend(complete.then_some(name));
            }
        }
    }
    found.sort_by(|a, b| numbers(b).cmp(&numbers(a)).then_with(|| b.cmp(a)));
    Ok(found)
}

/// The numbers that a version begins with: 6, 1, 0, 18 of "6.1.0-18-amd64".
#[must_use]
pub fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+', '~', '_']);
    parts.map_while(|part| part.parse().ok()).collect()
}

fn init(stage: &Stage<'_>) -> Result<Option<Init>, Error> {
    let link = stage.lstat("/sbin/init").ok().flatten().is_some_and(|found| found.kind == FileType::Symlink);
    if link {
        let target = stage.read_link("/sbin/init")?.unwrap_or_default();
        if target.ends_with("/systemd") {
            return Ok(Some(Init::Systemd));
        }
    }
    Ok(if !any(stage, &["/sbin/init"])? {
        None
    } else if any(stage, &["/sbin/initctl"])? && any(stage, &["/etc/init"])? {
        Some(Init::Upstart)
    } else if any(stage, &["/etc/inittab", "/etc/init.d"])? {
        Some(Init::Sysv)
    } else {
        None
    })
}

fn initramfs(stage: &Stage<'_>) -> Result<Initramfs, Error> {
    // dracut brings an `update-initramfs` of its own on Debian 13.
    Ok(if any(stage, &["/usr/sbin/mkinitramfs"])? {
        Initramfs::InitramfsTools
    } else if any(stage, &["/usr/bin/dracut", "/usr/sbin/dracut", "/sbin/dracut"])? {
        Initramfs::Dracut
    } else {
        Initramfs::None
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::MemoryTree;

    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        program.extend(machine.to_le_bytes());
        program
    }

    #[test]
    fn a_debian_with_systemd() {
        let tree = MemoryTree::new()
            .file(
                "/usr/lib/os-release",
                "ID=ubuntu\nID_LIKE=\"debian x\"\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n",
            )
            .link("/etc/os-release", "../usr/lib/os-release")
            .file("/usr/lib/systemd/systemd", elf(183))
            .link("/usr/sbin/init", "../lib/systemd/systemd")
            .link("/sbin", "usr/sbin")
            .file("/usr/sbin/mkinitramfs", "")
            .file("/boot/vmlinuz-6.1.0-9-amd64", "")
            .file("/boot/vmlinuz-6.1.0-18-amd64", "")
            .file("/boot/grub/i386-pc/core.img", "")
            .file(
                "/var/lib/dpkg/status",
                "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\nArchitecture: arm64\n\n\
                 Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: arm64\n\n",
            );
        let stage = Stage::new(&tree);
        let facts = Facts::read(&stage).unwrap();
        assert_eq!(facts.os.as_deref(), Some("ubuntu"));
        assert_eq!(facts.like, ["debian", "x"]);
        assert_eq!((facts.version.as_deref(), facts.codename.as_deref()), (Some("24.04"), Some("noble")));
        assert_eq!(facts.architecture, Some("arm64"));
        assert_eq!(facts.kernels, ["6.1.0-18-amd64", "6.1.0-9-amd64"]);
        assert_eq!((facts.init, facts.initramfs), (Some(Init::Systemd), Initramfs::InitramfsTools));
        assert_eq!((facts.bios, facts.uefi, facts.cloud_init), (true, false, false));
        assert_eq!(facts.package("openssh-server").unwrap().unwrap().to_string(), "1:9.2p1-2");
        assert!(facts.package("gone").unwrap().is_none());
        assert!(facts.exists("/boot/grub").unwrap() && !facts.exists("/boot/grub/x/y").unwrap());
    }

    #[test]
    fn an_empty_image_and_old_inits() {
        let tree = MemoryTree::new();
        let stage = Stage::new(&tree);
        let facts = Facts::read(&stage).unwrap();
        assert_eq!((facts.os.as_deref(), facts.init, facts.initramfs), (None, None, Initramfs::None));
        assert!(facts.package("x").is_err());
        let tree = MemoryTree::new().file("/sbin/init", elf(62)).file("/etc/inittab", "");
        let stage = Stage::new(&tree);
        assert_eq!(Facts::read(&stage).unwrap().init, Some(Init::Sysv));
        let tree = tree.file("/sbin/initctl", "").file("/etc/init/rc.conf", "").file("/usr/bin/dracut", "");
        let stage = Stage::new(&tree);
        let facts = Facts::read(&stage).unwrap();
        assert_eq!((facts.init, facts.initramfs), (Some(Init::Upstart), Initramfs::Dracut));
        assert_eq!(facts.architecture, Some("amd64"));
    }
}
