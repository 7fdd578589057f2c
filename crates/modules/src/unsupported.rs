//! Keys that cloud-init has a module for and this program has none, with what to do instead; and keys
//! that no module reads, since they steer the program itself.

/// Keys that are used before or between modules.
pub const FRAMEWORK: &[&str] = &[
    "cloud_config_modules",
    "cloud_final_modules",
    "cloud_init_modules",
    "launch-index",
    "merge_how",
    "merge_type",
    "output",
    "system_info",
    "vendor_data",
    "version",
];

/// Why `key` is not supported, and what to do instead; `None` for any other key.
#[must_use]
pub fn reason(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(name, _)| *name == key).map(|(_, reason)| *reason)
}

/// Key and what to do instead.
const KEYS: &[(&str, &str)] = &[
    ("ansible", "install ansible with `packages` and call ansible-pull from `runcmd`"),
    ("autoinstall", "only Ubuntu's installer reads it; an installed system needs it no more"),
    ("byobu_by_default", "call byobu-launcher-install from `runcmd`"),
    ("chef", "install chef from `runcmd`, with its configuration in `write_files`"),
    ("drivers", "call ubuntu-drivers from `runcmd`"),
    ("fan", "write /etc/network/fan with `write_files` and call fanctl from `runcmd`"),
    ("grub-dpkg", "answer the questions with debconf-set-selections in `bootcmd`"),
    ("grub_dpkg", "answer the questions with debconf-set-selections in `bootcmd`"),
    ("landscape", "install landscape-client with `packages` and call landscape-config from `runcmd`"),
    ("lxd", "install lxd and call `lxd init --preseed` from `runcmd`"),
    ("mcollective", "install mcollective with `packages` and write its files with `write_files`"),
    ("migrate", "cloud-init itself dropped it; take it out"),
    (
        "puppet",
        "install puppet with `packages`, write puppet.conf with `write_files`, start it from `runcmd`",
    ),
    ("reporting", "nothing is reported over the network; /run/hardtack/report.json tells what was done"),
    ("rh_subscription", "call subscription-manager from `runcmd`"),
    ("rpi", "write /boot/firmware/config.txt with `write_files`, or call raspi-config from `runcmd`"),
    ("salt_minion", "install salt-minion with `packages` and write /etc/salt/minion with `write_files`"),
    ("snap", "call snap from `runcmd`"),
    ("spacewalk", "call rhnreg_ks from `runcmd`"),
    ("ubuntu_advantage", "call `pro attach` from `runcmd`"),
    ("ubuntu_pro", "call `pro attach` from `runcmd`"),
    ("updates", "hotplug is not supported: network devices that come later are the system's own business"),
    (
        "wireguard",
        "write /etc/wireguard with `write_files` and call `systemctl enable --now wg-quick@…` from `runcmd`",
    ),
];
