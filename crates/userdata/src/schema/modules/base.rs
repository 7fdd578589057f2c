//! Keys that no module owns (`base_config`, `output_config` and `reporting_config` of the schema;
//! `cloudinit/cmd/main.py`, `cloudinit/mergers/__init__.py`, `cloudinit/reporting/`).

use crate::schema::shape::{
    ANY_LIST, ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, NAME, Old, Others, Shape, TEXTS,
};

pub(super) static KEYS: Keys = &[
    ("cloud_config_modules", MODULES),
    ("cloud_final_modules", MODULES),
    ("cloud_init_modules", MODULES),
    ("launch-index", Shape::Int),
    ("merge_how", MERGE),
    ("merge_type", MERGE),
    ("migrate", Shape::Any),
    ("output", Shape::Map(&OUTPUT)),
    ("reporting", Shape::Map(&REPORTING)),
    (
        "system_info",
        Shape::Old(&Old {
            shape: ANY_MAP,
            since: "24.2",
            instead: "leave it to the image: it belongs in /etc/cloud/cloud.cfg.d",
        }),
    ),
    ("version", Shape::Any),
];

/// Modules by name, or with a frequency and arguments: `[name, always]`. What stands in the list is
/// not looked at: the schema says it in words that its own validator does not know.
const MODULES: Shape =
    Shape::List(&ListShape { items: Shape::OneOf(&[Shape::Choice(NAMES), ANY_LIST]), ..LIST });

const MERGE: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::List(&ListShape {
        items: Shape::Map(&MapShape {
            fields: &[
                ("name", Shape::Choice(&["list", "dict", "str"])),
                (
                    "settings",
                    Shape::List(&ListShape {
                        items: Shape::Choice(&[
                            "allow_delete",
                            "no_replace",
                            "replace",
                            "append",
                            "prepend",
                            "recurse_dict",
                            "recurse_list",
                            "recurse_array",
                            "recurse_str",
                        ]),
                        ..LIST
                    }),
                ),
            ],
            required: &["name", "settings"],
            ..CLOSED
        }),
        min: 1,
        ..LIST
    }),
]);

static OUTPUT: MapShape = MapShape {
    fields: &[("all", STREAMS), ("config", STREAMS), ("final", STREAMS), ("init", STREAMS)],
    ..CLOSED
};

/// Where a stage's output goes: `| tee -a FILE`, one for output and one for errors, or by name.
const STREAMS: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::List(&ListShape { items: Shape::Text, min: 2, max: 2, unique: false }),
    Shape::Map(&MapShape { fields: &[("error", Shape::Text), ("output", Shape::Text)], ..CLOSED }),
]);

static REPORTING: MapShape = MapShape { others: Others::Named(&NAME, &Shape::OneOf(HANDLERS)), ..CLOSED };

/// Handlers of reports, by their type.
static HANDLERS: &[Shape] = &[
    Shape::Map(&MapShape {
        fields: &[
            ("type", Shape::Choice(&["log"])),
            ("level", Shape::Choice(&["DEBUG", "INFO", "WARN", "ERROR", "FATAL"])),
        ],
        required: &["type"],
        ..CLOSED
    }),
    Shape::Map(&MapShape { fields: &[("type", Shape::Choice(&["print"]))], required: &["type"], ..CLOSED }),
    Shape::Map(&MapShape {
        fields: &[
            ("type", Shape::Choice(&["webhook"])),
            ("endpoint", Shape::Text),
            ("consumer_key", Shape::Text),
            ("consumer_secret", Shape::Text),
            ("retries", Shape::IntFrom(0)),
            ("timeout", Shape::NumberFrom(0)),
            ("token_key", Shape::Text),
            ("token_secret", Shape::Text),
        ],
        required: &["type", "endpoint"],
        ..CLOSED
    }),
    Shape::Map(&MapShape {
        fields: &[
            ("type", Shape::Choice(&["hyperv"])),
            ("event_types", TEXTS),
            ("kvp_file_path", Shape::Text),
        ],
        required: &["type"],
        ..CLOSED
    }),
];

/// The modules, in both spellings.
static NAMES: &[&str] = &[
    "ansible",
    "apk-configure",
    "apk_configure",
    "apt-configure",
    "apt_configure",
    "apt-pipelining",
    "apt_pipelining",
    "bootcmd",
    "byobu",
    "ca-certs",
    "ca_certs",
    "chef",
    "disable-ec2-metadata",
    "disable_ec2_metadata",
    "disk-setup",
    "disk_setup",
    "fan",
    "final-message",
    "final_message",
    "growpart",
    "grub-dpkg",
    "grub_dpkg",
    "install-hotplug",
    "install_hotplug",
    "keyboard",
    "keys-to-console",
    "keys_to_console",
    "landscape",
    "locale",
    "lxd",
    "mcollective",
    "mounts",
    "ntp",
    "package-update-upgrade-install",
    "package_update_upgrade_install",
    "phone-home",
    "phone_home",
    "power-state-change",
    "power_state_change",
    "puppet",
    "raspberry_pi",
    "reset-rmc",
    "reset_rmc",
    "resizefs",
    "resolv-conf",
    "resolv_conf",
    "rh-subscription",
    "rh_subscription",
    "rsyslog",
    "runcmd",
    "salt-minion",
    "salt_minion",
    "scripts-per-boot",
    "scripts_per_boot",
    "scripts-per-instance",
    "scripts_per_instance",
    "scripts-per-once",
    "scripts_per_once",
    "scripts-user",
    "scripts_user",
    "scripts-vendor",
    "scripts_vendor",
    "seed-random",
    "seed_random",
    "set-hostname",
    "set_hostname",
    "set-passwords",
    "set_passwords",
    "snap",
    "spacewalk",
    "ssh",
    "ssh-authkey-fingerprints",
    "ssh_authkey_fingerprints",
    "ssh-import-id",
    "ssh_import_id",
    "timezone",
    "ubuntu-advantage",
    "ubuntu_advantage",
    "ubuntu-autoinstall",
    "ubuntu_autoinstall",
    "ubuntu-drivers",
    "ubuntu_drivers",
    "ubuntu_pro",
    "update-etc-hosts",
    "update_etc_hosts",
    "update-hostname",
    "update_hostname",
    "users-groups",
    "users_groups",
    "wireguard",
    "write-files",
    "write_files",
    "write-files-deferred",
    "write_files_deferred",
    "yum-add-repo",
    "yum_add_repo",
    "zypper-add-repo",
    "zypper_add_repo",
];
