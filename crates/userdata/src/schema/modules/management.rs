//! Logs, and programs that manage the machine from then on (`cloudinit/config/cc_mcollective.py`,
//! `cc_puppet.py`, `cc_rsyslog.py`, `cc_salt_minion.py`).

use crate::schema::shape::{
    ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, NAME, Others, Shape, TEXTS, UNIQUE_TEXTS,
};

pub(super) static KEYS: Keys = &[
    ("mcollective", Shape::Map(&MapShape { fields: &[("conf", Shape::Map(&MCOLLECTIVE))], ..CLOSED })),
    ("puppet", Shape::Map(&PUPPET)),
    ("rsyslog", Shape::Map(&RSYSLOG)),
    ("salt_minion", Shape::Map(&SALT_MINION)),
];

static MCOLLECTIVE: MapShape = MapShape {
    fields: &[("public-cert", Shape::Text), ("private-cert", Shape::Text)],
    others: Others::Named(&NAME, &Shape::OneOf(&[Shape::Bool, Shape::Int, Shape::Text])),
    ..CLOSED
};

static PUPPET: MapShape = MapShape {
    fields: &[
        ("install", Shape::Bool),
        ("version", Shape::Text),
        ("install_type", Shape::Choice(&["packages", "aio"])),
        ("collection", Shape::Text),
        ("aio_install_url", Shape::Text),
        ("cleanup", Shape::Bool),
        ("conf_file", Shape::Text),
        ("ssl_dir", Shape::Text),
        ("csr_attributes_path", Shape::Text),
        ("package_name", Shape::Text),
        ("exec", Shape::Bool),
        ("exec_args", TEXTS),
        ("start_service", Shape::Bool),
        ("conf", Shape::Map(&PUPPET_CONF)),
        (
            "csr_attributes",
            Shape::Map(&MapShape {
                fields: &[("custom_attributes", ANY_MAP), ("extension_requests", ANY_MAP)],
                ..CLOSED
            }),
        ),
    ],
    ..CLOSED
};

static PUPPET_CONF: MapShape = MapShape {
    fields: &[
        ("main", ANY_MAP),
        ("server", ANY_MAP),
        ("agent", ANY_MAP),
        ("user", ANY_MAP),
        ("ca_cert", Shape::Text),
    ],
    ..CLOSED
};

static RSYSLOG: MapShape = MapShape {
    fields: &[
        ("config_dir", Shape::Text),
        ("config_filename", Shape::Text),
        (
            "configs",
            Shape::List(&ListShape {
                items: Shape::OneOf(&[
                    Shape::Text,
                    Shape::Map(&MapShape {
                        fields: &[("filename", Shape::Text), ("content", Shape::Text)],
                        required: &["content"],
                        ..CLOSED
                    }),
                ]),
                ..LIST
            }),
        ),
        ("remotes", ANY_MAP),
        ("service_reload_command", Shape::OneOf(&[Shape::Choice(&["auto"]), TEXTS])),
        ("install_rsyslog", Shape::Bool),
        ("check_exe", Shape::Text),
        ("packages", UNIQUE_TEXTS),
    ],
    ..CLOSED
};

static SALT_MINION: MapShape = MapShape {
    fields: &[
        ("pkg_name", Shape::Text),
        ("service_name", Shape::Text),
        ("config_dir", Shape::Text),
        ("conf", ANY_MAP),
        ("grains", ANY_MAP),
        ("public_key", Shape::Text),
        ("private_key", Shape::Text),
        ("pki_dir", Shape::Text),
    ],
    ..CLOSED
};
