//! Small keys of the system (`cloudinit/config/cc_growpart.py`, `cc_grub_dpkg.py`,
//! `cc_install_hotplug.py`, `cc_keyboard.py`, `cc_locale.py`, `cc_disable_ec2_metadata.py`,
//! `cc_final_message.py`, `cc_fan.py`, `cc_byobu.py`).

use crate::schema::shape::{ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, Old, Shape, TEXTS};

pub(super) static KEYS: Keys = &[
    (
        "byobu_by_default",
        Shape::Choice(&[
            "enable-system",
            "enable-user",
            "disable-system",
            "disable-user",
            "enable",
            "disable",
            "user",
            "system",
        ]),
    ),
    ("disable_ec2_metadata", Shape::Bool),
    ("fan", Shape::Map(&FAN)),
    ("final_message", Shape::Text),
    ("growpart", Shape::Map(&GROWPART)),
    ("grub_dpkg", Shape::Map(&GRUB_DPKG)),
    ("grub-dpkg", Shape::Old(&Old { shape: ANY_MAP, since: "22.2", instead: "write `grub_dpkg`" })),
    ("updates", Shape::Map(&UPDATES)),
    ("keyboard", Shape::Map(&KEYBOARD)),
    ("locale", Shape::OneOf(&[Shape::Bool, Shape::Text])),
    ("locale_configfile", Shape::Text),
];

static FAN: MapShape = MapShape {
    fields: &[("config", Shape::Text), ("config_path", Shape::Text)],
    required: &["config"],
    ..CLOSED
};

static GROWPART: MapShape = MapShape {
    fields: &[
        (
            "mode",
            Shape::OneOf(&[
                Shape::Choice(&["auto", "growpart", "gpart", "off"]),
                Shape::Old(&Old {
                    shape: Shape::Only(false),
                    since: "22.3",
                    instead: "write `'off'`, in quotes: without them YAML reads `false`",
                }),
            ]),
        ),
        ("devices", TEXTS),
        ("ignore_growroot_disabled", Shape::Bool),
    ],
    ..CLOSED
};

static GRUB_DPKG: MapShape = MapShape {
    fields: &[
        ("enabled", Shape::Bool),
        ("grub-pc/install_devices", Shape::Text),
        (
            "grub-pc/install_devices_empty",
            Shape::OneOf(&[
                Shape::Bool,
                Shape::Old(&Old { shape: Shape::Text, since: "22.3", instead: "write `true` or `false`" }),
            ]),
        ),
        ("grub-efi/install_devices", Shape::Text),
    ],
    ..CLOSED
};

static UPDATES: MapShape = MapShape {
    fields: &[(
        "network",
        Shape::Map(&MapShape {
            fields: &[(
                "when",
                Shape::List(&ListShape {
                    items: Shape::Choice(&["boot-new-instance", "boot-legacy", "boot", "hotplug"]),
                    ..LIST
                }),
            )],
            required: &["when"],
            ..CLOSED
        }),
    )],
    ..CLOSED
};

static KEYBOARD: MapShape = MapShape {
    fields: &[
        ("layout", Shape::Text),
        ("model", Shape::Text),
        ("variant", Shape::Text),
        ("options", Shape::Text),
    ],
    required: &["layout"],
    ..CLOSED
};
