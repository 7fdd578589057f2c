//! What the machine runs in, by `systemd-detect-virt`'s words, as far as ds-identify tells them apart
//! (systemd's `src/basic/virt.c`).

use hardtack_modules::Machine;

/// `none`, `kvm`, `qemu`, `xen`, `vmware`, `microsoft`, `oracle`, `wsl`, `lxc`, `docker`, `systemd-nspawn`,
/// `container-other`, `vm-other`…
#[must_use]
pub fn virtualization(machine: &dyn Machine) -> String {
    container(machine).or_else(|| machine_kind(machine)).unwrap_or_else(|| "none".to_owned())
}

/// Whether that is a container, where SMBIOS and the kernel's command line are the host's. ds-identify itself
/// knows fewer of them.
#[must_use]
pub fn is_container(virtualization: &str) -> bool {
    super::marks::is_container(virtualization)
        || matches!(virtualization, "podman" | "wsl" | "proot" | "pouch")
}

fn text(machine: &dyn Machine, path: &str) -> Option<String> {
    let bytes = machine.read(path)?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn container(machine: &dyn Machine) -> Option<String> {
    let release = text(machine, "/proc/sys/kernel/osrelease").unwrap_or_default();
    if release.contains("Microsoft") || release.contains("WSL") {
        return Some("wsl".to_owned());
    }
    let environment = text(machine, "/proc/1/environ").unwrap_or_default();
    let named = environment.split('\0').find_map(|entry| entry.strip_prefix("container="));
    let named = match named {
        Some(name) => Some(name.to_owned()),
        // systemd writes it down for those who cannot look into process 1.
        None => text(machine, "/run/systemd/container"),
    };
    if let Some(name) = named.filter(|name| !name.is_empty()) {
        let known =
            ["lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch"];
        // OCI runtimes all write this.
        let name = if name == "oci" { "container-other" } else { name.as_str() };
        return Some(if known.contains(&name) { name.to_owned() } else { "container-other".to_owned() });
    }
    if machine.exists("/run/.containerenv") {
        return Some("podman".to_owned());
    }
    machine.exists("/.dockerenv").then(|| "docker".to_owned())
}

fn machine_kind(machine: &dyn Machine) -> Option<String> {
    /// The makers' names as SMBIOS has them.
    const MAKERS: [(&str, &str); 19] = [
        ("KVM", "kvm"),
        ("OpenStack", "kvm"),
        ("KubeVirt", "kvm"),
        ("Amazon EC2", "amazon"),
        ("QEMU", "qemu"),
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("innotek GmbH", "oracle"),
        ("VirtualBox", "oracle"),
        ("Oracle Corporation", "oracle"),
        ("Xen", "xen"),
        ("Bochs", "bochs"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Hyper-V", "microsoft"),
        ("Microsoft Corporation", "microsoft"),
        ("Apple Virtualization", "apple"),
        ("Google Compute Engine", "google"),
        ("Google", "google"),
    ];
    let processors = text(machine, "/proc/cpuinfo").unwrap_or_default();
    let flagged = processors
        .lines()
        .any(|line| line.starts_with("flags") && line.split([' ', '\t']).any(|flag| flag == "hypervisor"));
    if text(machine, "/sys/hypervisor/type").is_some_and(|kind| kind == "xen") {
        // The first domain is the machine itself.
        let control = text(machine, "/proc/xen/capabilities").is_some_and(|text| text.contains("control_d"));
        return if control { None } else { Some("xen".to_owned()) };
    }
    for field in ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"] {
        let Some(value) = text(machine, &format!("/sys/class/dmi/id/{field}")) else { continue };
        if let Some((start, kind)) = MAKERS.iter().find(|(start, _)| value.starts_with(start)) {
            // These build real machines as well.
            let real = matches!(*start, "Oracle Corporation" | "Microsoft Corporation" | "Google");
            if !real || flagged {
                return Some((*kind).to_owned());
            }
        }
    }
    let compatible = text(machine, "/proc/device-tree/hypervisor/compatible").unwrap_or_default();
    if compatible.starts_with("linux,kvm") {
        return Some("kvm".to_owned());
    }
    if compatible.contains("xen") {
        return Some("xen".to_owned());
    }
    if machine.exists("/proc/device-tree/fw-cfg")
        || machine.list("/proc/device-tree").iter().any(|name| name.starts_with("fw-cfg@"))
    {
        return Some("qemu".to_owned());
    }
    flagged.then(|| "vm-other".to_owned())
}
