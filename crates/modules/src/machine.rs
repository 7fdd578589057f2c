//! What modules ask about a machine. A running system answers, or an image that has not booted.

use std::collections::BTreeMap;

use hardtack_userdata::coreos::Addresses;

/// A file tree and what can be read from it.
pub trait Machine {
    /// A file's content, links followed inside the machine; `None` when there is none, or it is
    /// larger than 16 MiB.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// Whether something is there, links followed.
    fn exists(&self, path: &str) -> bool;

    /// Names in a directory, sorted; empty when there is none.
    fn list(&self, path: &str) -> Vec<String>;

    /// Where the program `name` is, in the directories where a service finds programs.
    fn program(&self, name: &str) -> Option<String> {
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .map(|directory| format!("{directory}/{name}"))
            .find(|path| self.exists(path))
    }

    /// The account `name` of `/etc/passwd` and `/etc/shadow`.
    fn account(&self, name: &str) -> Option<Account> {
        let field = |path: &str| {
            let text = String::from_utf8_lossy(&self.read(path)?).into_owned();
            text.lines()
                .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
                .find(|fields| fields.first().is_some_and(|first| first == name))
        };
        let passwd = field("/etc/passwd")?;
        let get = |index: usize| passwd.get(index).cloned().unwrap_or_default();
        Some(Account {
            name: name.to_owned(),
            uid: get(2).parse().ok()?,
            gid: get(3).parse().ok()?,
            home: get(5),
            shell: get(6),
            hash: field("/etc/shadow").and_then(|shadow| shadow.get(1).cloned()),
        })
    }

    /// The number of the group `name` of `/etc/group`.
    fn group(&self, name: &str) -> Option<u32> {
        let text = String::from_utf8_lossy(&self.read("/etc/group")?).into_owned();
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
        })
    }
}

/// A line of `/etc/passwd` with its password's hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the main group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Second field of `/etc/shadow`, where that can be read.
    pub hash: Option<String>,
}

/// Family and default user of a distribution (`cloudinit/distros/`, `config/cloud.cfg.tmpl`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distro {
    /// `ID` of os-release: `debian`, `ubuntu`, `fedora`…
    pub id: String,
    /// `VERSION_ID` of os-release.
    pub version: String,
    /// `debian`, `redhat`, `suse`, `alpine`, `arch`…: cloud-init's `osfamily`.
    pub family: String,
    /// cloud-init's name of the distribution: `debian`, `ubuntu` (Mint too), `rhel`, `suse`…
    pub variant: String,
    /// `bookworm`, `noble`; empty where there is none.
    pub codename: String,
}

/// What only the cloud or the running system knows. Everything is optional: an image knows nothing
/// of it, and the plan then names what it depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// `i-0123…`.
    pub instance_id: Option<String>,
    /// Name of the data source as cloud-init writes it: `DataSourceEc2`.
    pub datasource: Option<String>,
    /// `local-hostname` of the metadata.
    pub local_hostname: Option<String>,
    /// Login keys of the metadata.
    pub public_keys: Vec<String>,
    /// `block-device-mapping` of the metadata: `ephemeral0` → `sdb`.
    pub block_devices: BTreeMap<String, String>,
    /// Region of the metadata.
    pub region: Option<String>,
    /// Availability zone of the metadata.
    pub availability_zone: Option<String>,
    /// `random_seed` of the metadata.
    pub random_seed: Option<Vec<u8>>,
    /// Name of the cloud as cloud-init's jinja variables call it: `ec2`, `nocloud`.
    pub cloud_name: Option<String>,
    /// Seconds since the kernel started.
    pub uptime: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes free on the file system of `/`.
    pub free: Option<u64>,
    /// Seconds since 1970 at which the run began.
    pub now: Option<u64>,
    /// Block devices that exist: `/dev/vdb`.
    pub devices: Vec<String>,
    /// The machine's addresses, for the dialect of coreos-cloudinit; an empty one where it is known
    /// that there is none.
    pub addresses: Addresses,
}
