//! The marks of a machine that ds-identify goes by (`collect_info` in `tools/ds-identify`).

use hardtack_modules::Machine;

use super::{Question, shell};

const DMI: &str = "/sys/class/dmi/id";

/// Where no mark can be read.
const UNAVAILABLE: &str = "unavailable";

pub(super) struct Marks<'a> {
    pub(super) machine: &'a dyn Machine,
    pub(super) question: &'a Question<'a>,
    pub(super) container: bool,
    pub(super) command_line: String,
    pub(super) product_name: String,
    pub(super) sys_vendor: String,
    pub(super) chassis_asset_tag: String,
    pub(super) product_serial: String,
    pub(super) product_uuid: String,
    /// `product_name` in the environment of process 1, which Nova's containers have.
    pub(super) pid1_product_name: String,
    /// `uname -v`.
    pub(super) kernel: String,
    /// Labels between commas.
    labels: String,
    uuids: String,
    /// The data sources that are asked, blanks between the names.
    pub(super) list: String,
}

impl<'a> Marks<'a> {
    pub(super) fn read(question: &'a Question<'a>) -> Self {
        let machine = question.machine;
        let container = is_container(question.virtualization);
        // In a container blkid knows only what is the host's.
        let devices = if container { &[][..] } else { question.devices };
        let labels = devices.iter().flat_map(|device| [device.label.as_str(), device.boot_label.as_str()]);
        let labels: Vec<&str> = labels.filter(|label| !label.is_empty()).collect();
        let uuids: Vec<&str> = devices.iter().map(|device| device.uuid.as_str()).collect();
        let kernel = machine.read("/proc/sys/kernel/version").unwrap_or_default();
        let kernel = String::from_utf8_lossy(&kernel).into_owned();
        Self {
            machine,
            question,
            container,
            command_line: command_line(machine, container),
            product_name: dmi(machine, "product_name"),
            sys_vendor: dmi(machine, "sys_vendor"),
            chassis_asset_tag: dmi(machine, "chassis_asset_tag"),
            product_serial: dmi(machine, "product_serial"),
            product_uuid: dmi(machine, "product_uuid"),
            pid1_product_name: pid1_product_name(machine),
            kernel: shell::words(&kernel).collect::<Vec<_>>().join(" "),
            labels: format!(",{},", labels.join(",")),
            uuids: format!(",{},", uuids.join(",")),
            list: String::new(),
        }
    }

    /// What the machine's maker says; nothing in a container, whose marks are its host's.
    pub(super) fn product_is(&self, wanted: &str) -> bool {
        !self.container && self.product_name == wanted
    }

    pub(super) fn product_starts(&self, wanted: &str) -> bool {
        !self.container && self.product_name.starts_with(wanted)
    }

    pub(super) fn vendor_is(&self, wanted: &str) -> bool {
        !self.container && self.sys_vendor == wanted
    }

    pub(super) fn asset_is(&self, wanted: &str) -> bool {
        !self.container && self.chassis_asset_tag == wanted
    }

    /// The first of `labels` that a file system has.
    pub(super) fn label<'b>(&self, labels: &[&'b str]) -> Option<&'b str> {
        labels.iter().find(|label| self.labels.contains(&format!(",{label},"))).copied()
    }

    pub(super) fn has_uuid(&self, uuid: &str) -> bool {
        self.uuids.contains(&format!(",{uuid},"))
    }

    /// The ISO 9660 file systems, path and label.
    pub(super) fn isos(&self) -> Vec<(String, String)> {
        if self.container {
            return Vec::new();
        }
        let devices = self.question.devices.iter().filter(|device| device.file_system == "iso9660");
        let joined: Vec<String> = devices.map(|device| format!("{}={}", device.path, device.label)).collect();
        let joined = joined.join(",");
        shell::fields(&joined)
            .into_iter()
            .map(|field| field.split_once('=').unwrap_or((field, field)))
            .map(|(path, label)| (path.to_owned(), label.to_owned()))
            .collect()
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        shell::is_file(self.machine, path)
    }

    /// Whether the command line has `word`.
    pub(super) fn has_word(&self, word: &str) -> bool {
        format!(" {} ", self.command_line).contains(&format!(" {word} "))
    }

    /// The seed directory `name` that has all of `files`.
    pub(super) fn seed(&self, name: &str, files: &[&str]) -> Option<String> {
        self.directory_with(&format!("/var/lib/cloud/seed/{name}"), files)
    }

    /// The same where Ubuntu Core has it before it is mounted over.
    pub(super) fn writable_seed(&self, name: &str, files: &[&str]) -> Option<String> {
        self.directory_with(&format!("/writable/system-data/var/lib/cloud/seed/{name}"), files)
    }

    fn directory_with(&self, path: &str, files: &[&str]) -> Option<String> {
        let there = shell::is_directory(self.machine, path)
            && files.iter().all(|file| self.is_file(&format!("{path}/{file}")));
        there.then(|| path.to_owned())
    }
}

/// Whether `systemd-detect-virt`'s word is one that ds-identify takes for a container.
pub(super) fn is_container(virtualization: &str) -> bool {
    matches!(
        virtualization,
        "container-other" | "lxc" | "lxc-libvirt" | "systemd-nspawn" | "docker" | "rkt" | "jail"
    )
}

/// The kernel's command line; in a container that of process 1.
fn command_line(machine: &dyn Machine, container: bool) -> String {
    if !container {
        return match machine.read("/proc/cmdline") {
            Some(bytes) => shell::read(&bytes).0,
            None => format!("{UNAVAILABLE}:no-cmdline"),
        };
    }
    match machine.read("/proc/1/cmdline") {
        Some(bytes) => {
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            text.trim_end_matches('\n').to_owned()
        }
        None => format!("{UNAVAILABLE}:container"),
    }
}

/// A field of SMBIOS as the kernel shows it. ds-identify would ask dmidecode where the kernel shows none at all,
/// and get nothing.
fn dmi(machine: &dyn Machine, field: &str) -> String {
    if !shell::is_directory(machine, DMI) {
        return "error".to_owned();
    }
    match machine.read(&format!("{DMI}/{field}")) {
        None => UNAVAILABLE.to_owned(),
        Some(bytes) => match shell::read(&bytes) {
            (line, true) => line,
            (_, false) => "error".to_owned(),
        },
    }
}

fn pid1_product_name(machine: &dyn Machine) -> String {
    let Some(bytes) = machine.read("/proc/1/environ") else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    let value = text.split(['\0', '\n']).find_map(|entry| entry.strip_prefix("product_name="));
    value.unwrap_or(UNAVAILABLE).to_owned()
}
