//! Subscriptions, installers and boards of one vendor (`cloudinit/config/cc_ubuntu_pro.py`,
//! `cc_ubuntu_autoinstall.py`, `cc_rh_subscription.py`, `cc_spacewalk.py`, `cc_raspberry_pi.py`).

use crate::schema::shape::{CLOSED, Keys, MapShape, OPEN, Old, Rule, Shape, TEXTS};

pub(super) static KEYS: Keys = &[
    (
        "autoinstall",
        Shape::Map(&MapShape { fields: &[("version", Shape::Int)], required: &["version"], ..OPEN }),
    ),
    ("ubuntu_pro", Shape::Map(&UBUNTU_PRO)),
    (
        "ubuntu_advantage",
        Shape::Old(&Old { shape: Shape::Map(&UBUNTU_PRO), since: "24.1", instead: "write `ubuntu_pro`" }),
    ),
    ("rh_subscription", Shape::Map(&RH_SUBSCRIPTION)),
    (
        "spacewalk",
        Shape::Map(&MapShape {
            fields: &[("server", Shape::Text), ("proxy", Shape::Text), ("activation_key", Shape::Text)],
            ..CLOSED
        }),
    ),
    ("rpi", Shape::Map(&RASPBERRY_PI)),
];

const TEXT_OR_NULL: Shape = Shape::Kinds(&[Shape::Text, Shape::Null]);

static UBUNTU_PRO: MapShape = MapShape {
    fields: &[
        ("enable", TEXTS),
        ("enable_beta", TEXTS),
        ("token", Shape::Text),
        ("features", Shape::Map(&MapShape { fields: &[("disable_auto_attach", Shape::Bool)], ..CLOSED })),
        (
            "config",
            Shape::Map(&MapShape {
                fields: &[
                    ("http_proxy", TEXT_OR_NULL),
                    ("https_proxy", TEXT_OR_NULL),
                    ("global_apt_http_proxy", TEXT_OR_NULL),
                    ("global_apt_https_proxy", TEXT_OR_NULL),
                    ("ua_apt_http_proxy", TEXT_OR_NULL),
                    ("ua_apt_https_proxy", TEXT_OR_NULL),
                ],
                ..OPEN
            }),
        ),
    ],
    ..CLOSED
};

static RH_SUBSCRIPTION: MapShape = MapShape {
    fields: &[
        ("username", Shape::Text),
        ("password", Shape::Text),
        ("activation_key", Shape::Text),
        (
            "activation-key",
            Shape::Old(&Old { shape: Shape::Text, since: "25.3", instead: "write `activation_key`" }),
        ),
        (
            "org",
            Shape::OneOf(&[
                Shape::Text,
                Shape::Old(&Old { shape: Shape::Int, since: "24.2", instead: "write the number in quotes" }),
            ]),
        ),
        ("auto_attach", Shape::Bool),
        (
            "auto-attach",
            Shape::Old(&Old { shape: Shape::Bool, since: "25.3", instead: "write `auto_attach`" }),
        ),
        ("service_level", Shape::Text),
        (
            "service-level",
            Shape::Old(&Old { shape: Shape::Text, since: "25.3", instead: "write `service_level`" }),
        ),
        ("add_pool", TEXTS),
        ("add-pool", Shape::Old(&Old { shape: TEXTS, since: "25.3", instead: "write `add_pool`" })),
        ("enable_repo", TEXTS),
        ("enable-repo", Shape::Old(&Old { shape: TEXTS, since: "25.3", instead: "write `enable_repo`" })),
        ("disable_repo", TEXTS),
        ("disable-repo", Shape::Old(&Old { shape: TEXTS, since: "25.3", instead: "write `disable_repo`" })),
        ("release_version", Shape::Text),
        ("rhsm_baseurl", Shape::Text),
        (
            "rhsm-baseurl",
            Shape::Old(&Old { shape: Shape::Text, since: "25.3", instead: "write `rhsm_baseurl`" }),
        ),
        ("server_hostname", Shape::Text),
        (
            "server-hostname",
            Shape::Old(&Old { shape: Shape::Text, since: "25.3", instead: "write `server_hostname`" }),
        ),
    ],
    rules: &[
        Rule::NotBoth("activation_key", "activation-key"),
        Rule::NotBoth("auto_attach", "auto-attach"),
        Rule::NotBoth("service_level", "service-level"),
        Rule::NotBoth("add_pool", "add-pool"),
        Rule::NotBoth("enable_repo", "enable-repo"),
        Rule::NotBoth("disable_repo", "disable-repo"),
        Rule::NotBoth("rhsm_baseurl", "rhsm-baseurl"),
        Rule::NotBoth("server_hostname", "server-hostname"),
    ],
    ..CLOSED
};

static RASPBERRY_PI: MapShape = MapShape {
    fields: &[("interfaces", Shape::Map(&INTERFACES)), ("enable_usb_gadget", Shape::Bool)],
    ..OPEN
};

static INTERFACES: MapShape = MapShape {
    fields: &[
        ("spi", Shape::Bool),
        ("i2c", Shape::Bool),
        (
            "serial",
            Shape::OneOf(&[
                Shape::Bool,
                Shape::Map(&MapShape {
                    fields: &[("console", Shape::Bool), ("hardware", Shape::Bool)],
                    ..OPEN
                }),
            ]),
        ),
        ("onewire", Shape::Bool),
    ],
    ..OPEN
};
