//! The user that a distribution's images come with, and what else cloud-init's shipped configuration
//! says where a machine has none of its own (`config/cloud.cfg.tmpl`).

use hardtack_userdata::{Key, Kind, Map, Value};

use super::merge::merge;
use crate::machine::{Distro, Machine};
use crate::reading::get;

fn text(text: &str) -> Value {
    Value::new(Kind::Text(text.to_owned()))
}

fn list(items: &[&str]) -> Value {
    Value::new(Kind::List(items.iter().map(|item| text(item)).collect()))
}

/// The variants that the template calls `is_rhel`.
const RHEL: &[&str] =
    &["almalinux", "centos", "cloudlinux", "eurolinux", "miraclelinux", "rhel", "rocky", "virtuozzo"];

/// `default_user` of the template for `distro`.
#[must_use]
pub fn built_in(distro: &Distro) -> Map {
    // Distributions that the template does not know get Ubuntu's settings under their own name.
    let variant = distro.variant.as_str();
    let rhel = RHEL.contains(&variant);
    let name = match variant {
        "amazon" => "ec2-user",
        "azurelinux" => "azureuser",
        "centos" | "rhel" => "cloud-user",
        "openmandriva" => "omv",
        "raspberry-pi-os" => "pi",
        "" => "ubuntu",
        other => other,
    };
    let gecos = match variant {
        "amazon" => "EC2 Default User".to_owned(),
        "azurelinux" => "Azure Linux".to_owned(),
        "centos" | "rhel" => "Cloud User".to_owned(),
        "debian" => "Debian".to_owned(),
        "mariner" => "MarinerOS".to_owned(),
        "openmandriva" => "OpenMandriva admin".to_owned(),
        "photon" => "PhotonOS".to_owned(),
        "raspberry-pi-os" => "Raspberry Pi OS".to_owned(),
        "ubuntu" | "" => "Ubuntu".to_owned(),
        other => format!("{other} Cloud User"),
    };
    let groups: &[&str] = match variant {
        "alpine" => &["adm", "wheel"],
        "aosc" | "mariner" | "photon" => &["wheel"],
        "arch" => &["wheel", "users"],
        "debian" => {
            &["adm", "audio", "cdrom", "dialout", "dip", "floppy", "netdev", "plugdev", "sudo", "video"]
        }
        "gentoo" => &["users", "wheel"],
        "openmandriva" => &["wheel", "users", "systemd-journal"],
        "raspberry-pi-os" => &[
            "adm", "dialout", "cdrom", "audio", "users", "sudo", "video", "games", "plugdev", "input",
            "gpio", "spi", "i2c", "netdev", "render", "lpadmin",
        ],
        "suse" => &["cdrom", "users"],
        "ubuntu" | "" => &["adm", "cdrom", "dip", "lxd", "sudo"],
        _ if rhel => &["adm", "systemd-journal"],
        _ => &["wheel", "adm", "systemd-journal"],
    };
    let mut user = Map::new();
    let mut put = |key: &str, value: Value| user.insert(Key::text(key), value);
    put("name", text(name));
    put("lock_passwd", Value::new(Kind::Bool(true)));
    put("gecos", text(&gecos));
    put("groups", list(groups));
    if variant == "gentoo" {
        put("primary_group", text("users"));
        put("no_user_group", Value::new(Kind::Bool(true)));
    }
    if variant == "alpine" {
        put("doas", list(&["permit nopass alpine"]));
    }
    put("sudo", list(&["ALL=(ALL) NOPASSWD:ALL"]));
    put("shell", text(if variant == "alpine" { "/bin/ash" } else { "/bin/bash" }));
    user
}

/// The default user of a machine: `system_info.default_user` of the configuration; what that leaves
/// out comes from the template, unless the machine has a `cloud.cfg` of its own.
#[must_use]
pub fn default_user(config: &Map, machine: &dyn Machine, distro: &Distro) -> Map {
    let mut user = get(config, "system_info")
        .and_then(|info| info.get("default_user"))
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default();
    if user.is_empty() || !machine.exists("/etc/cloud/cloud.cfg") {
        merge(&mut user, &built_in(distro));
    }
    user
}

/// What the shipped `cloud.cfg` sets for the modules of users and SSH: the lowest layer for a machine
/// that has no `/etc/cloud/cloud.cfg`.
#[must_use]
pub fn base_config(distro: &Distro) -> Map {
    let variant = distro.variant.as_str();
    let mut config = Map::new();
    if variant == "photon" {
        let root = Map::from_iter([
            (Key::text("name"), text("root")),
            (Key::text("lock_passwd"), Value::new(Kind::Bool(false))),
        ]);
        config.insert(Key::text("users"), Value::new(Kind::List(vec![Value::new(Kind::Map(root))])));
    } else {
        config.insert(Key::text("users"), list(&["default"]));
    }
    config.insert(Key::text("disable_root"), Value::new(Kind::Bool(variant != "photon")));
    let no_passwords = RHEL.contains(&variant)
        || matches!(
            variant,
            "alpine"
                | "amazon"
                | "azurelinux"
                | "fedora"
                | "OpenCloudOS"
                | "openeuler"
                | "openmandriva"
                | "TencentOS"
        );
    if no_passwords {
        config.insert(Key::text("ssh_pwauth"), Value::new(Kind::Bool(false)));
    }
    let info = Map::from_iter([
        (Key::text("default_user"), Value::new(Kind::Map(built_in(distro)))),
        (Key::text("ssh_svcname"), text(ssh_service_of(distro))),
    ]);
    config.insert(Key::text("system_info"), Value::new(Kind::Map(info)));
    config
}

fn ssh_service_of(distro: &Distro) -> &'static str {
    if distro.family == "debian" || distro.family.is_empty() { "ssh" } else { "sshd" }
}

/// The name of the SSH server's service. Most distributions' classes set it themselves, whatever the
/// configuration says (`cloudinit/distros/rhel.py` and others).
#[must_use]
pub fn ssh_service(config: &Map, distro: &Distro, systemd: bool) -> String {
    match distro.family.as_str() {
        "suse" if systemd => "sshd.service".to_owned(),
        "alpine" | "aosc" | "arch" | "redhat" | "suse" | "openeuler" | "OpenCloudOS" => "sshd".to_owned(),
        _ => get(config, "system_info")
            .and_then(|info| info.get("ssh_svcname"))
            .and_then(Value::as_text)
            .map_or_else(|| ssh_service_of(distro).to_owned(), str::to_owned),
    }
}
