//! Which modules run, in which order (`config/cloud.cfg.tmpl`, by the variant of the distribution; the
//! lists `cloud_init_modules`, `cloud_config_modules` and `cloud_final_modules` of the configuration
//! win over it).

use hardtack_userdata::{Kind, Map};

use crate::machine::Distro;
use crate::module::{Frequency, Module, Stage};
use crate::reading;
use crate::{
    apt, ca_certs, commands, disable_ec2_metadata, disks, etc_hosts, final_message, hostname, keyboard,
    locale, mounts, ntp, packages, passwords, phone_home, power_state, random_seed, resolv_conf, rsyslog,
    scripts, small_repos, ssh, ssh_import_id, timezone, users, write_files, yum_repos,
};

/// One entry of a stage's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name without `cc_`, with underscores.
    pub name: String,
    /// When it runs.
    pub stage: Stage,
    /// A frequency that the configuration gives instead of the module's own.
    pub frequency: Option<Frequency>,
}

/// All modules that do something.
#[must_use]
pub fn modules() -> &'static [&'static Module] {
    MODULES
}

const MODULES: &[&Module] = &[
    &scripts::CONSUMER,
    &random_seed::MODULE,
    &commands::BOOTCMD,
    &write_files::MODULE,
    &disks::GROWPART,
    &disks::RESIZEFS,
    &disks::DISK_SETUP,
    &mounts::MODULE,
    &hostname::SET,
    &hostname::UPDATE,
    &etc_hosts::MODULE,
    &resolv_conf::MODULE,
    &ca_certs::MODULE,
    &rsyslog::MODULE,
    &users::MODULE,
    &ssh::MODULE,
    &passwords::MODULE,
    &ssh_import_id::MODULE,
    &keyboard::MODULE,
    &locale::MODULE,
    &small_repos::APK,
    &small_repos::PIPELINING,
    &apt::MODULE,
    &small_repos::ZYPPER,
    &yum_repos::MODULE,
    &ntp::MODULE,
    &timezone::MODULE,
    &disable_ec2_metadata::MODULE,
    &commands::RUNCMD,
    &packages::MODULE,
    &write_files::DEFERRED,
    &scripts::VENDOR,
    &scripts::PER_ONCE,
    &scripts::PER_BOOT,
    &scripts::PER_INSTANCE,
    &scripts::USER,
    &ssh::console::AUTHORIZED_KEYS,
    &ssh::console::HOST_KEYS,
    &phone_home::MODULE,
    &final_message::MODULE,
    &power_state::MODULE,
];

/// The module of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().copied().find(|module| module.name == name)
}

/// What runs on `distro` under `config`, in order.
#[must_use]
pub fn order(config: &Map, distro: &Distro) -> Vec<Entry> {
    let stages = [
        (Stage::Network, "cloud_init_modules", network(distro)),
        (Stage::Config, "cloud_config_modules", middle(distro)),
        (Stage::Final, "cloud_final_modules", last(distro)),
    ];
    // cloud-init takes user-data apart before all modules.
    let first = crate::scripts::CONSUME.to_owned();
    let mut entries = vec![Entry { name: first, stage: Stage::Network, frequency: None }];
    for (stage, key, names) in stages {
        match reading::get(config, key) {
            Some(list) => entries.extend(configured(list, stage)),
            None => entries.extend(names.into_iter().map(|name| Entry {
                name: name.to_owned(),
                stage,
                frequency: None,
            })),
        }
    }
    entries
}

/// A list of the configuration: names, `[name, frequency]`, or `{name, frequency}`.
fn configured(list: &hardtack_userdata::Value, stage: Stage) -> Vec<Entry> {
    let mut entries = Vec::new();
    for item in list.as_list().unwrap_or_default() {
        let (name, frequency) = match &item.kind {
            Kind::Text(name) => (Some(name.as_str()), None),
            Kind::List(items) => {
                (items.first().and_then(|name| name.as_text()), items.get(1).and_then(|item| item.as_text()))
            }
            Kind::Map(_) => (
                item.get("name").and_then(|name| name.as_text()),
                item.get("frequency").and_then(|item| item.as_text()),
            ),
            _ => (None, None),
        };
        let Some(name) = name else { continue };
        let name = name.trim().replace('-', "_");
        let name = name.strip_prefix("cc_").unwrap_or(&name);
        if name.is_empty() {
            continue;
        }
        let name = if name == "ubuntu_advantage" { "ubuntu_pro" } else { name };
        let frequency = match frequency.map(str::trim) {
            Some("always") => Some(Frequency::Always),
            Some("once-per-instance") => Some(Frequency::Instance),
            Some("once") => Some(Frequency::Once),
            _ => None,
        };
        entries.push(Entry { name: name.to_owned(), stage, frequency });
    }
    entries
}

/// The variants that the template calls `is_rhel`.
pub(crate) const RHEL: &[&str] =
    &["almalinux", "centos", "cloudlinux", "eurolinux", "miraclelinux", "rhel", "rocky", "virtuozzo"];

fn network(distro: &Distro) -> Vec<&'static str> {
    let mut names = vec!["seed_random", "bootcmd", "write_files"];
    if distro.variant != "raspberry-pi-os" {
        names.extend(["growpart", "resizefs"]);
    }
    names.extend(["disk_setup", "mounts", "set_hostname", "update_hostname", "update_etc_hosts"]);
    if distro.is_any(&["alpine", "photon"]) {
        names.push("resolv_conf");
    }
    names.extend(["ca_certs", "rsyslog", "users_groups", "ssh", "set_passwords"]);
    names
}

fn middle(distro: &Distro) -> Vec<&'static str> {
    let ubuntu = distro.variant == "ubuntu";
    let debian = distro.is_any(&["debian", "ubuntu"]);
    let rhel = distro.is_any(RHEL);
    let mut names = Vec::new();
    if ubuntu {
        names.push("wireguard");
    }
    if debian {
        names.push("snap");
    }
    if ubuntu {
        names.push("ubuntu_autoinstall");
    }
    if distro.variant != "photon" {
        names.push("ssh_import_id");
        if !rhel {
            names.push("keyboard");
        }
        names.push("locale");
    }
    if distro.variant == "alpine" {
        names.push("apk_configure");
    } else if debian {
        names.extend(["grub_dpkg", "apt_pipelining", "apt_configure"]);
        if ubuntu {
            names.push("ubuntu_pro");
        }
    } else if rhel
        || distro.is_any(&[
            "amazon",
            "azurelinux",
            "fedora",
            "mariner",
            "openeuler",
            "openmandriva",
            "photon",
        ])
    {
        if rhel {
            names.push("rh_subscription");
        }
        if !distro.is_any(&["amazon", "azurelinux", "mariner", "photon"]) {
            names.push("spacewalk");
        }
        names.push("yum_add_repo");
    } else if distro.variant == "suse" {
        names.push("zypper_add_repo");
    }
    names.extend(["ntp", "timezone"]);
    if distro.variant == "raspberry-pi-os" {
        names.push("raspberry_pi");
    }
    names.extend(["disable_ec2_metadata", "runcmd"]);
    if debian {
        names.push("byobu");
    }
    names
}

fn last(distro: &Distro) -> Vec<&'static str> {
    let mut names = vec!["package_update_upgrade_install"];
    if distro.is_any(&["debian", "ubuntu"]) {
        names.extend(["fan", "landscape", "lxd"]);
    }
    if distro.variant == "ubuntu" {
        names.push("ubuntu_drivers");
    }
    names.extend(["write_files_deferred", "puppet", "chef", "ansible", "mcollective", "salt_minion"]);
    if distro.variant != "alpine" {
        names.push("reset_rmc");
    }
    names.extend([
        "scripts_vendor",
        "scripts_per_once",
        "scripts_per_boot",
        "scripts_per_instance",
        "scripts_user",
        "ssh_authkey_fingerprints",
        "keys_to_console",
        "install_hotplug",
        "phone_home",
        "final_message",
        "power_state_change",
    ]);
    names
}
