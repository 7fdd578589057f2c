//! Commands, scripts and the end of the boot (`cloudinit/config/cc_runcmd.py`,
//! `cc_scripts_vendor.py`, `cc_power_state_change.py`, `cc_phone_home.py`, `cc_seed_random.py`).

use crate::schema::forms::MINUTES;
use crate::schema::shape::{ANY_LIST, CLOSED, Keys, LIST, ListShape, MapShape, Old, Shape, TEXTS};

pub(super) static KEYS: Keys = &[
    (
        "runcmd",
        Shape::List(&ListShape { items: Shape::OneOf(&[TEXTS, Shape::Text, Shape::Null]), min: 1, ..LIST }),
    ),
    ("vendor_data", Shape::Map(&VENDOR_DATA)),
    ("power_state", Shape::Map(&POWER_STATE)),
    ("phone_home", Shape::Map(&PHONE_HOME)),
    ("random_seed", Shape::Map(&RANDOM_SEED)),
];

static VENDOR_DATA: MapShape = MapShape {
    fields: &[
        (
            "enabled",
            Shape::OneOf(&[
                Shape::Bool,
                Shape::Old(&Old { shape: Shape::Text, since: "22.3", instead: "write `true` or `false`" }),
            ]),
        ),
        (
            "prefix",
            Shape::Kinds(&[
                Shape::List(&ListShape { items: Shape::Kinds(&[Shape::Text, Shape::Int]), ..LIST }),
                Shape::Text,
            ]),
        ),
    ],
    ..CLOSED
};

static POWER_STATE: MapShape = MapShape {
    fields: &[
        (
            "delay",
            Shape::OneOf(&[
                Shape::IntFrom(0),
                Shape::Old(&Old {
                    shape: Shape::Matching(&MINUTES),
                    since: "22.3",
                    instead: "write the number of minutes without quotes and `+`",
                }),
                Shape::Choice(&["now"]),
            ]),
        ),
        ("mode", Shape::Choice(&["poweroff", "reboot", "halt"])),
        ("message", Shape::Text),
        ("timeout", Shape::Int),
        ("condition", Shape::OneOf(&[Shape::Text, Shape::Bool, ANY_LIST])),
    ],
    required: &["mode"],
    ..CLOSED
};

static PHONE_HOME: MapShape = MapShape {
    fields: &[
        ("url", Shape::Text),
        (
            "post",
            Shape::OneOf(&[
                Shape::Choice(&["all"]),
                Shape::List(&ListShape {
                    items: Shape::Choice(&[
                        "pub_key_rsa",
                        "pub_key_ecdsa",
                        "pub_key_ed25519",
                        "instance_id",
                        "hostname",
                        "fqdn",
                    ]),
                    ..LIST
                }),
            ]),
        ),
        ("tries", Shape::Int),
    ],
    required: &["url"],
    ..CLOSED
};

static RANDOM_SEED: MapShape = MapShape {
    fields: &[
        ("file", Shape::Text),
        ("data", Shape::Text),
        ("encoding", Shape::Choice(&["raw", "base64", "b64", "gzip", "gz"])),
        ("command", TEXTS),
        ("command_required", Shape::Bool),
    ],
    ..CLOSED
};
