//! What is told of an image: the JSON of `hardtack inspect`.
//!
//! Fields are added within one [`SCHEMA`]; one that goes, or means something else, makes the next.

use std::collections::BTreeMap;

use serde::Serialize;

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// What an image holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Inspection {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The disk and its partitions.
    pub disk: Disk,
    /// The system on it; none on a data disk, and where it cannot be read.
    pub system: Option<System>,
    /// What was passed over while opening the image.
    pub notes: Vec<String>,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

/// The disk.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Disk {
    /// Its size in bytes.
    pub size: u64,
    /// "gpt", "mbr" or "none".
    pub table: &'static str,
    /// Bytes per sector of the table.
    pub sector_size: u64,
    /// By number.
    pub partitions: Vec<Partition>,
    /// Sector 0 holds a program that a BIOS would start.
    pub boot_code: bool,
}

/// A partition, or the whole of a disk without.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Partition {
    /// The kernel's number; 0: the whole disk.
    pub number: u32,
    /// Its first byte.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The type's GUID, or "0x83".
    pub partition_type: String,
    /// What that means.
    pub purpose: &'static str,
    /// GPT: its name.
    pub name: String,
    /// What `PARTUUID=` names.
    pub partition_uuid: Option<String>,
    /// Active, or legacy BIOS bootable.
    pub bootable: bool,
    /// "ext4", "FAT", "XFS", "LUKS", "unknown"…
    pub content: &'static str,
    /// The file system's label.
    pub label: Option<String>,
    /// The file system's UUID.
    pub uuid: Option<String>,
    /// Where the guest mounts it.
    pub mount: Option<String>,
    /// More of ext2, ext3, ext4 and FAT.
    pub file_system: Option<FileSystem>,
}

/// A file system that can be read here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileSystem {
    /// Its own size in bytes.
    pub size: u64,
    /// Bytes that are free, those for root included; none where nobody counted.
    pub free: Option<u64>,
    /// Bytes per block or cluster.
    pub block_size: u32,
    /// Inodes, and how many are free.
    pub inodes: Option<(u32, u32)>,
    /// Features by the names of mke2fs.
    pub features: Vec<String>,
    /// "clean", "not unmounted", "has errors".
    pub state: String,
    /// Why it cannot be changed here, if so.
    pub read_only: Option<String>,
}

/// The system on a disk.
#[derive(Clone, Debug, Default, Serialize)]
pub struct System {
    /// Which one it is.
    pub os: Os,
    /// What its programs run on, in Debian's words.
    pub architecture: Option<&'static str>,
    /// "systemd", "upstart" or "sysv".
    pub init: Option<&'static str>,
    /// "initramfs-tools", "dracut" or "none": what makes an initramfs in it.
    pub initramfs_maker: &'static str,
    /// What it boots with.
    pub boot: Boot,
    /// Packages.
    pub packages: Packages,
    /// Everybody in passwd(5).
    pub users: Vec<User>,
    /// sshd, as it would run; none where no package of it is installed.
    pub sshd: Option<Sshd>,
    /// What PAM asks for, by service.
    pub pam: Vec<PamService>,
    /// Who gets in where.
    pub ways_in: Vec<WayIn>,
    /// cloud-init, if it is there.
    pub cloud_init: Option<CloudInit>,
    /// Programs of clouds that let somebody in or run commands.
    pub cloud_agents: Vec<String>,
    /// hardtack-agent, if it is there.
    pub agent: Option<Agent>,
    /// "missing", "empty", "uninitialized", "set" or "invalid".
    pub machine_id: &'static str,
    /// Host keys of SSH.
    pub host_keys: Vec<String>,
    /// "none", "disabled", "permissive" or "enforcing", and the policy's name.
    pub selinux: String,
    /// What should be in no image that others get.
    pub leftovers: Vec<Leftover>,
}

/// Which system it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Os {
    /// `ID` of os-release: "debian".
    pub id: Option<String>,
    /// `VERSION_ID`.
    pub version: Option<String>,
    /// `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// For people.
    pub name: String,
    /// The file that says so.
    pub source: Option<String>,
    /// /etc/hostname.
    pub hostname: Option<String>,
}

/// What a machine starts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Boot {
    /// "BIOS", "UEFI", "BIOS and UEFI" or "none".
    pub mode: &'static str,
    /// Programs in `EFI/BOOT` of an EFI system partition.
    pub efi: Vec<String>,
    /// The configurations of boot loaders.
    pub configurations: Vec<String>,
    /// Unified kernel images.
    pub unified: Vec<String>,
    /// What is started first.
    pub entry: Option<Entry>,
    /// A console on a serial line in that entry's command line, or a getty on one.
    pub serial_console: bool,
    /// By version, newest first.
    pub kernels: Vec<Kernel>,
}

/// An entry of a boot menu.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Entry {
    /// Its title.
    pub title: String,
    /// File and line.
    pub origin: String,
    /// The kernel.
    pub kernel: String,
    /// Initramfs files.
    pub initrds: Vec<String>,
    /// Initramfs files that it names and nobody has.
    pub missing: Vec<String>,
    /// The kernel's command line.
    pub command_line: String,
}

/// A kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kernel {
    /// "6.1.0-18-amd64".
    pub version: String,
    /// Its initramfs.
    pub initramfs: Option<Initramfs>,
    /// Drivers of clouds' disks and networks: "built in", "in initramfs", "module" or "missing".
    pub drivers: BTreeMap<&'static str, &'static str>,
}

/// An initramfs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Initramfs {
    /// Its path.
    pub path: String,
    /// "initramfs-tools", "dracut" or "unknown".
    pub kind: &'static str,
    /// Of each of its archives.
    pub compression: Vec<&'static str>,
    /// Why it cannot be read, if so.
    pub problem: Option<String>,
}

/// Packages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Packages {
    /// "dpkg", "rpm (sqlite)" and the like; empty: no database.
    pub database: String,
    /// The database is there and cannot be read: the numbers say nothing. Why is among the problems.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
    /// How many are installed.
    pub installed: usize,
    /// Those that are neither installed nor gone: name and state.
    pub unfinished: Vec<String>,
    /// Name, version, architecture: only where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Package>,
}

/// An installed package.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, epoch included.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// A line of passwd(5).
#[derive(Clone, Debug, Default, Serialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// The shell is a program that lets somebody work.
    pub can_log_in: bool,
    /// "none" (no password is asked for), "locked", "set", "unknown".
    pub password: &'static str,
    /// The account, or its password, has ended.
    pub expired: bool,
    /// The account has ended.
    #[serde(skip)]
    pub ended: bool,
    /// Lines in the files in which sshd looks for keys.
    pub keys: usize,
    /// Names of groups.
    pub groups: Vec<String>,
    /// "no", "yes" or "without password".
    pub sudo: &'static str,
    /// A secret for one-time codes lies in the home directory.
    pub code_secret: bool,
}

/// sshd.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sshd {
    /// "9.2".
    pub version: String,
    /// Directives that decide who gets in, as they are in force for everybody.
    pub settings: BTreeMap<&'static str, String>,
    /// Lines in `Match` blocks.
    pub in_blocks: Vec<String>,
    /// Why sshd would not start, or what it would stumble over.
    pub problems: Vec<String>,
}

/// A service of PAM.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PamService {
    /// Its name.
    pub name: String,
    /// Somebody with everything gets through.
    pub open: bool,
    /// Nobody gets through without a password.
    pub password: bool,
    /// Nobody gets through without a one-time code.
    pub code: bool,
    /// Why it cannot be evaluated.
    pub problem: Option<String>,
}

/// A way into the machine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WayIn {
    /// "ssh", "console", "emergency", "boot loader", "cloud-init", "hardtack-agent", "cloud agent" or "other".
    pub by: &'static str,
    /// Who.
    pub who: String,
    /// With what: alternatives, each a list joined by "+".
    pub with: Vec<String>,
    /// Where alone: terminals, or the `Match` block that a connection must be of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// What is still to come, or to be known; often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// A program of a cloud, by its name in recipes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'static str>,
    /// The recipe keeps it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

impl WayIn {
    pub(crate) fn new(by: &'static str, who: &str, with: impl Into<String>) -> Self {
        Self { by, who: who.to_owned(), with: vec![with.into()], ..Self::default() }
    }

    /// Who, with what and where, in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut line = format!("{}: {}", self.who, self.with.join(", or "));
        if let Some(only) = &self.only {
            let word = if self.by == "ssh" { "where" } else { "on" };
            line.push_str(&format!(", {word} {only}"));
        }
        if !self.note.is_empty() {
            line.push_str(&format!(" ({})", self.note));
        }
        if self.kept {
            line.push_str(" (kept)");
        }
        line
    }
}

/// cloud-init.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CloudInit {
    /// By the package database.
    pub version: Option<String>,
    /// Something keeps it from running.
    pub disabled: bool,
    /// `datasource_list`, by the last file that has one.
    pub datasources: Vec<String>,
    /// ds-identify's policy (/etc/cloud/ds-identify.cfg), where there is one.
    pub ds_identify: Option<String>,
    /// The user that it makes.
    pub default_user: Option<String>,
}

/// hardtack-agent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Agent {
    /// "companion" or "replace".
    pub mode: String,
    /// The recipe's name.
    pub recipe: String,
    /// The machine has booted: secrets of its own are in the image.
    pub has_identity: bool,
}

/// What should be in no image that others get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// "private key", "secret of one-time codes", "history", "host key", "machine secrets".
    pub what: &'static str,
    /// Where; never what is in it.
    pub path: String,
}
