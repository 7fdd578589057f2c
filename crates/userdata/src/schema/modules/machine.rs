//! Disks, certificates, the console, containers, commands of early boot and Chef
//! (`cloudinit/config/cc_bootcmd.py`, `cc_ca_certs.py`, `cc_chef.py`, `cc_disk_setup.py`,
//! `cc_keys_to_console.py`, `cc_landscape.py`, `cc_lxd.py`).

use crate::schema::shape::{
    ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, NAME, OPEN, Old, Others, Pattern, SOME_TEXTS, Shape,
    TEXTS, UNIQUE_TEXTS,
};

pub(super) static KEYS: Keys = &[
    ("bootcmd", Shape::List(&ListShape { items: Shape::OneOf(&[TEXTS, Shape::Text]), min: 1, ..LIST })),
    ("ca_certs", Shape::Map(&CA_CERTS)),
    (
        "ca-certs",
        Shape::Old(&Old { shape: Shape::Map(&CA_CERTS), since: "22.3", instead: "write `ca_certs`" }),
    ),
    ("chef", Shape::Map(&CHEF)),
    ("device_aliases", Shape::Map(&MapShape { others: Others::Named(&NAME, &Shape::Text), ..CLOSED })),
    ("disk_setup", Shape::Map(&MapShape { others: Others::Named(&NAME, &Shape::Map(&DISK)), ..CLOSED })),
    ("fs_setup", Shape::List(&ListShape { items: Shape::Map(&FILE_SYSTEM), ..LIST })),
    ("landscape", Shape::Map(&LANDSCAPE)),
    ("lxd", Shape::Map(&LXD)),
    (
        "ssh",
        Shape::Map(&MapShape {
            fields: &[("emit_keys_to_console", Shape::Bool)],
            required: &["emit_keys_to_console"],
            ..CLOSED
        }),
    ),
    ("ssh_fp_console_blacklist", UNIQUE_TEXTS),
    ("ssh_key_console_blacklist", UNIQUE_TEXTS),
];

static CA_CERTS: MapShape = MapShape {
    fields: &[
        ("remove_defaults", Shape::Bool),
        (
            "remove-defaults",
            Shape::Old(&Old { shape: Shape::Bool, since: "22.3", instead: "write `remove_defaults`" }),
        ),
        ("trusted", SOME_TEXTS),
    ],
    min: 1,
    ..CLOSED
};

static CHEF: MapShape = MapShape {
    fields: &[
        ("chef_license", Shape::Choice(&["accept", "accept-silent", "accept-no-persist"])),
        ("client_key", Shape::Text),
        ("config_path", Shape::Text),
        ("directories", Shape::List(&ListShape { items: Shape::Text, min: 1, unique: true, ..LIST })),
        ("encrypted_data_bag_secret", Shape::Text),
        ("environment", Shape::Text),
        ("exec", Shape::Bool),
        ("file_backup_path", Shape::Text),
        ("file_cache_path", Shape::Text),
        ("firstboot_path", Shape::Text),
        ("force_install", Shape::Bool),
        ("initial_attributes", ANY_MAP),
        ("install_type", Shape::Choice(&["packages", "gems", "omnibus"])),
        ("json_attribs", Shape::Text),
        ("log_level", Shape::Text),
        ("log_location", Shape::Text),
        ("node_name", Shape::Text),
        ("omnibus_url", Shape::Text),
        ("omnibus_url_retries", Shape::Int),
        ("omnibus_version", Shape::Text),
        ("pid_file", Shape::Text),
        ("run_list", TEXTS),
        ("server_url", Shape::Text),
        ("show_time", Shape::Bool),
        ("ssl_verify_mode", Shape::Text),
        ("validation_cert", Shape::Text),
        ("validation_key", Shape::Text),
        ("validation_name", Shape::Text),
    ],
    min: 1,
    ..CLOSED
};

static DISK: MapShape = MapShape {
    fields: &[
        ("layout", Shape::OneOf(&[Shape::Choice(&["remove"]), Shape::Bool, Shape::List(&PARTITIONS)])),
        ("overwrite", Shape::Bool),
        ("table_type", Shape::Choice(&["mbr", "gpt"])),
    ],
    ..CLOSED
};

/// A percentage each, or a percentage and a type.
static PARTITIONS: ListShape = ListShape {
    items: Shape::OneOf(&[
        Shape::Int,
        Shape::List(&ListShape {
            items: Shape::AnyOf(&[Shape::Int, Shape::Text]),
            min: 2,
            max: 2,
            unique: false,
        }),
    ]),
    ..LIST
};

static FILE_SYSTEM: MapShape = MapShape {
    fields: &[
        ("cmd", Shape::Kinds(&[TEXTS, Shape::Text])),
        ("device", Shape::Text),
        ("extra_opts", Shape::Kinds(&[TEXTS, Shape::Text])),
        ("filesystem", Shape::Text),
        ("label", Shape::Text),
        ("overwrite", Shape::Bool),
        ("partition", Shape::Choice(&["auto", "any", "none"])),
        ("replace_fs", Shape::Text),
    ],
    ..CLOSED
};

static LANDSCAPE: MapShape = MapShape {
    fields: &[(
        "client",
        Shape::Map(&MapShape {
            fields: &[
                ("account_name", Shape::Text),
                ("computer_title", Shape::Text),
                ("data_path", Shape::Text),
                ("http_proxy", Shape::Text),
                ("https_proxy", Shape::Text),
                ("log_level", Shape::Choice(&["debug", "info", "warning", "error", "critical"])),
                ("ping_url", Shape::Text),
                ("registration_key", Shape::Text),
                ("tags", Shape::Matching(&TAGS)),
                ("url", Shape::Text),
            ],
            required: &["account_name", "computer_title"],
            ..OPEN
        }),
    )],
    required: &["client"],
    ..CLOSED
};

static TAGS: Pattern = Pattern { matches: is_tags, wanted: "words with commas between them, without blanks" };

/// `^[-_0-9a-zA-Z]+(,[-_0-9a-zA-Z]+)*$`.
fn is_tags(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split(',').all(|word| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
    })
}

static LXD: MapShape = MapShape {
    fields: &[("bridge", Shape::Map(&BRIDGE)), ("init", Shape::Map(&LXD_INIT)), ("preseed", Shape::Text)],
    min: 1,
    ..CLOSED
};

static LXD_INIT: MapShape = MapShape {
    fields: &[
        ("network_address", Shape::Text),
        ("network_port", Shape::Int),
        ("storage_backend", Shape::Choice(&["zfs", "dir", "lvm", "btrfs"])),
        ("storage_create_device", Shape::Text),
        ("storage_create_loop", Shape::Int),
        ("storage_pool", Shape::Text),
        ("trust_password", Shape::Text),
    ],
    ..CLOSED
};

static BRIDGE: MapShape = MapShape {
    fields: &[
        ("domain", Shape::Text),
        ("ipv4_address", Shape::Text),
        ("ipv4_dhcp_first", Shape::Text),
        ("ipv4_dhcp_last", Shape::Text),
        ("ipv4_dhcp_leases", Shape::Int),
        ("ipv4_nat", Shape::Bool),
        ("ipv4_netmask", Shape::Int),
        ("ipv6_address", Shape::Text),
        ("ipv6_nat", Shape::Bool),
        ("ipv6_netmask", Shape::Int),
        ("mode", Shape::Choice(&["none", "existing", "new"])),
        ("mtu", Shape::IntFrom(-1)),
        ("name", Shape::Text),
    ],
    required: &["mode"],
    ..CLOSED
};
