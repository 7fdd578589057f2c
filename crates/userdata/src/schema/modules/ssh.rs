//! SSH keys and passwords (`cloudinit/config/cc_ssh.py`, `cc_ssh_authkey_fingerprints.py`,
//! `cc_ssh_import_id.py`, `cc_set_passwords.py`).

use crate::schema::forms::{HOST_KEY, NAME_AND_PASSWORD};
use crate::schema::shape::{CLOSED, Keys, LIST, ListShape, MapShape, Old, Others, SOME_TEXTS, Shape, TEXTS};

pub(super) static KEYS: Keys = &[
    ("ssh_keys", Shape::Map(&MapShape { others: Others::Named(&HOST_KEY, &Shape::Text), ..CLOSED })),
    ("ssh_authorized_keys", SOME_TEXTS),
    ("ssh_deletekeys", Shape::Bool),
    (
        "ssh_genkeytypes",
        Shape::List(&ListShape { items: Shape::Choice(&["ecdsa", "ed25519", "rsa"]), min: 1, ..LIST }),
    ),
    ("disable_root", Shape::Bool),
    ("disable_root_opts", Shape::Text),
    ("allow_public_ssh_keys", Shape::Bool),
    ("ssh_quiet_keygen", Shape::Bool),
    (
        "ssh_publish_hostkeys",
        Shape::Map(&MapShape { fields: &[("enabled", Shape::Bool), ("blacklist", TEXTS)], ..CLOSED }),
    ),
    ("no_ssh_fingerprints", Shape::Bool),
    ("authkey_hash", Shape::Text),
    ("ssh_import_id", TEXTS),
    (
        "ssh_pwauth",
        Shape::OneOf(&[
            Shape::Bool,
            Shape::Old(&Old { shape: Shape::Text, since: "22.3", instead: "write `true` or `false`" }),
        ]),
    ),
    ("chpasswd", Shape::Map(&CHPASSWD)),
    ("password", Shape::Text),
];

static CHPASSWD: MapShape = MapShape {
    fields: &[
        ("expire", Shape::Bool),
        (
            "users",
            Shape::List(&ListShape {
                items: Shape::AnyOf(&[Shape::Map(&GIVEN_PASSWORD), Shape::Map(&RANDOM_PASSWORD)]),
                ..LIST
            }),
        ),
        (
            "list",
            Shape::Old(&Old {
                shape: Shape::OneOf(&[
                    Shape::Text,
                    Shape::List(&ListShape { items: Shape::Matching(&NAME_AND_PASSWORD), min: 1, ..LIST }),
                ]),
                since: "22.2",
                instead: "write `users`, with `name`, `password` and `type` for each",
            }),
        ),
    ],
    ..CLOSED
};

/// A password that cloud-init makes up and prints.
static RANDOM_PASSWORD: MapShape = MapShape {
    fields: &[("name", Shape::Text), ("type", Shape::Choice(&["RANDOM"]))],
    required: &["name", "type"],
    ..CLOSED
};

static GIVEN_PASSWORD: MapShape = MapShape {
    fields: &[("name", Shape::Text), ("type", Shape::Choice(&["hash", "text"])), ("password", Shape::Text)],
    required: &["name", "password"],
    ..CLOSED
};
