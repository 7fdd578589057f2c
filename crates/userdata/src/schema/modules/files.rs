//! Files, mounts and what grows (`cloudinit/config/cc_write_files.py`, `cc_mounts.py`,
//! `cc_resizefs.py`).

use crate::schema::forms::SIZE;
use crate::schema::shape::{CLOSED, Keys, LIST, ListShape, MapShape, OPEN, Others, Shape};

pub(super) static KEYS: Keys = &[
    ("write_files", Shape::List(&ListShape { items: Shape::Map(&FILE), min: 1, ..LIST })),
    (
        "mounts",
        Shape::List(&ListShape {
            items: Shape::List(&ListShape { items: Shape::Text, min: 1, max: 6, ..LIST }),
            min: 1,
            ..LIST
        }),
    ),
    (
        "mount_default_fields",
        Shape::List(&ListShape { items: Shape::OneOf(&[Shape::Text, Shape::Null]), min: 6, max: 6, ..LIST }),
    ),
    ("swap", Shape::Map(&SWAP)),
    ("resize_rootfs", Shape::Kinds(&[Shape::Bool, Shape::Choice(&["noblock"])])),
];

static FILE: MapShape = MapShape {
    fields: &[
        ("path", Shape::Text),
        ("content", Shape::Text),
        ("source", Shape::Map(&SOURCE)),
        ("owner", Shape::Text),
        ("permissions", Shape::Text),
        (
            "encoding",
            Shape::Choice(&[
                "gz",
                "gzip",
                "gz+base64",
                "gzip+base64",
                "gz+b64",
                "gzip+b64",
                "b64",
                "base64",
                "text/plain",
            ]),
        ),
        ("append", Shape::Bool),
        ("defer", Shape::Bool),
    ],
    required: &["path"],
    ..CLOSED
};

static SOURCE: MapShape = MapShape {
    fields: &[
        ("uri", Shape::Text),
        ("headers", Shape::Map(&MapShape { others: Others::Each(&Shape::Text), ..OPEN })),
    ],
    required: &["uri"],
    ..CLOSED
};

static SWAP: MapShape = MapShape {
    fields: &[
        ("filename", Shape::Text),
        ("size", Shape::OneOf(&[Shape::Choice(&["auto"]), Shape::Int, Shape::Matching(&SIZE)])),
        ("maxsize", Shape::OneOf(&[Shape::Int, Shape::Matching(&SIZE)])),
    ],
    ..CLOSED
};
