//! Where packages come from (`cloudinit/config/cc_apk_configure.py`, `cc_apt_configure.py`,
//! `cc_apt_pipelining.py`).

use crate::schema::shape::{CLOSED, Keys, LIST, ListShape, MapShape, NAME, Old, Others, SOME_TEXTS, Shape};

pub(super) static KEYS: Keys = &[
    ("apk_repos", Shape::Map(&APK)),
    ("apt", Shape::Map(&APT)),
    (
        "apt_pipelining",
        Shape::OneOf(&[
            Shape::Int,
            Shape::Bool,
            Shape::Choice(&["os"]),
            Shape::Old(&Old {
                shape: Shape::Choice(&["none", "unchanged"]),
                since: "22.4",
                instead: "write `os`",
            }),
        ]),
    ),
];

static APK: MapShape = MapShape {
    fields: &[
        ("alpine_repo", Shape::Kinds(&[Shape::Map(&ALPINE), Shape::Null])),
        ("local_repo_base_url", Shape::Text),
        ("preserve_repositories", Shape::Bool),
    ],
    min: 1,
    ..CLOSED
};

static ALPINE: MapShape = MapShape {
    fields: &[
        ("base_url", Shape::Text),
        ("community_enabled", Shape::Bool),
        ("testing_enabled", Shape::Bool),
        ("version", Shape::Text),
    ],
    required: &["version"],
    min: 1,
    ..CLOSED
};

static APT: MapShape = MapShape {
    fields: &[
        ("add_apt_repo_match", Shape::Text),
        ("conf", Shape::Text),
        (
            "debconf_selections",
            Shape::Map(&MapShape { others: Others::Named(&NAME, &Shape::Text), min: 1, ..CLOSED }),
        ),
        ("disable_suites", Shape::List(&ListShape { items: Shape::Text, min: 1, unique: true, ..LIST })),
        ("ftp_proxy", Shape::Text),
        ("http_proxy", Shape::Text),
        ("https_proxy", Shape::Text),
        ("preserve_sources_list", Shape::Bool),
        ("primary", MIRRORS),
        ("proxy", Shape::Text),
        ("security", MIRRORS),
        ("sources", Shape::Map(&MapShape { others: Others::Named(&NAME, &Shape::Map(&SOURCE)), ..CLOSED })),
        ("sources_list", Shape::Text),
    ],
    min: 1,
    ..CLOSED
};

static SOURCE: MapShape = MapShape {
    fields: &[
        ("append", Shape::Bool),
        ("filename", Shape::Text),
        ("key", Shape::Text),
        ("keyid", Shape::Text),
        ("keyserver", Shape::Text),
        ("source", Shape::Text),
    ],
    min: 1,
    ..CLOSED
};

const MIRRORS: Shape = Shape::List(&ListShape {
    items: Shape::Map(&MapShape {
        fields: &[
            ("arches", SOME_TEXTS),
            ("key", Shape::Text),
            ("keyid", Shape::Text),
            ("keyserver", Shape::Text),
            ("search", SOME_TEXTS),
            ("search_dns", Shape::Bool),
            ("uri", Shape::Text),
        ],
        required: &["arches"],
        ..CLOSED
    }),
    min: 1,
    ..LIST
});
