//! Names of the machine and how it finds others (`cloudinit/config/cc_set_hostname.py`,
//! `cc_update_hostname.py`, `cc_update_etc_hosts.py`, `cc_resolv_conf.py`, `cc_timezone.py`,
//! `cc_ntp.py`, `cc_wireguard.py`).

use crate::schema::shape::{
    ANY_LIST, ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, Old, Shape, UNIQUE_TEXTS,
};

pub(super) static KEYS: Keys = &[
    ("preserve_hostname", Shape::Bool),
    ("hostname", Shape::Text),
    ("fqdn", Shape::Text),
    ("prefer_fqdn_over_hostname", Shape::Bool),
    ("create_hostname_file", Shape::Bool),
    (
        "manage_etc_hosts",
        Shape::OneOf(&[
            Shape::Kinds(&[Shape::Bool, Shape::Choice(&["localhost"])]),
            Shape::Old(&Old { shape: Shape::Choice(&["template"]), since: "22.3", instead: "write `true`" }),
        ]),
    ),
    ("manage_resolv_conf", Shape::Bool),
    ("resolv_conf", Shape::Map(&RESOLV_CONF)),
    ("timezone", Shape::Text),
    ("ntp", Shape::Kinds(&[Shape::Null, Shape::Map(&NTP)])),
    ("wireguard", Shape::Kinds(&[Shape::Null, Shape::Map(&WIREGUARD)])),
];

static RESOLV_CONF: MapShape = MapShape {
    fields: &[
        ("nameservers", ANY_LIST),
        ("searchdomains", ANY_LIST),
        ("domain", Shape::Text),
        ("sortlist", ANY_LIST),
        ("options", ANY_MAP),
    ],
    ..CLOSED
};

static NTP: MapShape = MapShape {
    fields: &[
        ("pools", UNIQUE_TEXTS),
        ("servers", UNIQUE_TEXTS),
        ("peers", UNIQUE_TEXTS),
        ("allow", UNIQUE_TEXTS),
        ("ntp_client", Shape::Text),
        ("enabled", Shape::Bool),
        ("config", Shape::Map(&NTP_CONFIG)),
    ],
    ..CLOSED
};

static NTP_CONFIG: MapShape = MapShape {
    fields: &[
        ("confpath", Shape::Text),
        ("check_exe", Shape::Text),
        ("packages", UNIQUE_TEXTS),
        ("service_name", Shape::Text),
        ("template", Shape::Text),
    ],
    min: 1,
    ..CLOSED
};

static WIREGUARD: MapShape = MapShape {
    fields: &[
        ("interfaces", Shape::List(&ListShape { items: Shape::Map(&INTERFACE), min: 1, ..LIST })),
        ("readinessprobe", UNIQUE_TEXTS),
    ],
    required: &["interfaces"],
    min: 1,
    ..CLOSED
};

static INTERFACE: MapShape = MapShape {
    fields: &[("name", Shape::Text), ("config_path", Shape::Text), ("content", Shape::Text)],
    ..CLOSED
};
