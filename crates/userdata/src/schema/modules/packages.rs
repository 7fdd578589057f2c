//! Packages and repositories (`cloudinit/config/cc_package_update_upgrade_install.py`, `cc_snap.py`,
//! `cc_yum_add_repo.py`, `cc_zypper_add_repo.py`, `cc_ubuntu_drivers.py`).

use crate::schema::forms::{OPTION, REPOSITORY};
use crate::schema::shape::{
    ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, OPEN, Old, Others, Rule, Shape, TEXTS,
};

pub(super) static KEYS: Keys = &[
    (
        "packages",
        Shape::List(&ListShape { items: Shape::OneOf(&[Shape::Map(&BY_MANAGER), PACKAGE]), min: 1, ..LIST }),
    ),
    ("package_update", Shape::Bool),
    ("package_upgrade", Shape::Bool),
    ("package_reboot_if_required", Shape::Bool),
    ("apt_update", Shape::Old(&Old { shape: Shape::Bool, since: "22.2", instead: "write `package_update`" })),
    (
        "apt_upgrade",
        Shape::Old(&Old { shape: Shape::Bool, since: "22.2", instead: "write `package_upgrade`" }),
    ),
    (
        "apt_reboot_if_required",
        Shape::Old(&Old { shape: Shape::Bool, since: "22.2", instead: "write `package_reboot_if_required`" }),
    ),
    ("snap", Shape::Map(&SNAP)),
    ("yum_repo_dir", Shape::Text),
    (
        "yum_repos",
        Shape::Map(&MapShape {
            min: 1,
            others: Others::Named(&REPOSITORY, &Shape::Map(&YUM_REPOSITORY)),
            ..CLOSED
        }),
    ),
    ("zypper", Shape::Map(&ZYPPER)),
    ("drivers", Shape::Map(&MapShape { fields: &[("nvidia", Shape::Map(&NVIDIA))], ..CLOSED })),
];

/// A name, or a name and a version.
const PACKAGE: Shape =
    Shape::OneOf(&[Shape::List(&ListShape { items: Shape::Text, min: 2, max: 2, ..LIST }), Shape::Text]);

const PACKAGES: Shape = Shape::List(&ListShape { items: PACKAGE, ..LIST });

/// Packages of one package manager.
static BY_MANAGER: MapShape = MapShape { fields: &[("apt", PACKAGES), ("snap", PACKAGES)], ..CLOSED };

/// A line, or words.
const COMMAND: Shape = Shape::OneOf(&[Shape::Text, TEXTS]);

static SNAP: MapShape = MapShape {
    fields: &[
        (
            "assertions",
            Shape::Kinds(&[
                Shape::Map(&MapShape { min: 1, others: Others::Each(&Shape::Text), ..OPEN }),
                Shape::List(&ListShape { items: Shape::Text, min: 1, unique: true, ..LIST }),
            ]),
        ),
        (
            "commands",
            Shape::Kinds(&[
                Shape::Map(&MapShape { min: 1, others: Others::Each(&COMMAND), ..OPEN }),
                Shape::List(&ListShape { items: COMMAND, min: 1, ..LIST }),
            ]),
        ),
    ],
    min: 1,
    ..CLOSED
};

static YUM_REPOSITORY: MapShape = MapShape {
    fields: &[
        ("baseurl", Shape::Text),
        ("metalink", Shape::Text),
        ("mirrorlist", Shape::Text),
        ("name", Shape::Text),
        ("enabled", Shape::Bool),
    ],
    others: Others::Named(&OPTION, &Shape::OneOf(&[Shape::Int, Shape::Bool, Shape::Text])),
    rules: &[Rule::AtLeastOne(&["baseurl", "metalink", "mirrorlist"])],
    ..CLOSED
};

static ZYPPER: MapShape = MapShape {
    fields: &[
        (
            "repos",
            Shape::List(&ListShape {
                items: Shape::Map(&MapShape {
                    fields: &[("id", Shape::Text), ("baseurl", Shape::Text)],
                    required: &["id", "baseurl"],
                    ..OPEN
                }),
                min: 1,
                ..LIST
            }),
        ),
        ("config", ANY_MAP),
    ],
    min: 1,
    ..OPEN
};

static NVIDIA: MapShape = MapShape {
    fields: &[("license-accepted", Shape::Bool), ("version", Shape::Text)],
    required: &["license-accepted"],
    ..CLOSED
};
