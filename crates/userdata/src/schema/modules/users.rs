//! Users and groups (`cloudinit/config/cc_users_groups.py`).

use crate::schema::forms::DATE;
use crate::schema::shape::{
    ANY_MAP, CLOSED, Keys, LIST, ListShape, MapShape, NAME, OPEN, Old, Others, Rule, SOME_TEXTS, Shape, TEXTS,
};

pub(super) static KEYS: Keys = &[
    (
        "groups",
        Shape::Kinds(&[
            Shape::Text,
            Shape::Map(&GROUPS),
            Shape::List(&ListShape {
                items: Shape::Kinds(&[Shape::Text, Shape::Map(&GROUPS)]),
                min: 1,
                ..LIST
            }),
        ]),
    ),
    ("user", Shape::OneOf(&[Shape::Text, Shape::Map(&USER)])),
    (
        "users",
        Shape::Kinds(&[
            Shape::Text,
            Shape::List(&ListShape { items: Shape::OneOf(&[Shape::Text, TEXTS, Shape::Map(&USER)]), ..LIST }),
            // Name to true, false or settings: cloud-init's schema does not look inside.
            ANY_MAP,
        ]),
    ),
];

/// Names of groups, and who belongs to them.
static GROUPS: MapShape =
    MapShape { others: Others::Named(&NAME, &Shape::Kinds(&[Shape::Text, SOME_TEXTS])), ..CLOSED };

static USER: MapShape = MapShape {
    fields: &[
        ("name", Shape::Text),
        ("doas", SOME_TEXTS),
        ("expiredate", Shape::Format(&DATE)),
        ("gecos", Shape::Text),
        ("groups", Shape::OneOf(&[Shape::Text, SOME_TEXTS, Shape::Map(&GROUPS_OF_USER)])),
        ("homedir", Shape::Text),
        ("inactive", Shape::Text),
        ("lock-passwd", Shape::Old(&LOCK_PASSWD)),
        ("lock_passwd", Shape::Bool),
        ("no-create-home", Shape::Old(&NO_CREATE_HOME)),
        ("no_create_home", Shape::Bool),
        ("no-log-init", Shape::Old(&NO_LOG_INIT)),
        ("no_log_init", Shape::Bool),
        ("no-user-group", Shape::Old(&NO_USER_GROUP)),
        ("no_user_group", Shape::Bool),
        ("passwd", Shape::Text),
        ("hashed-passwd", Shape::Old(&HASHED_PASSWD)),
        ("hashed_passwd", Shape::Text),
        ("plain-text-passwd", Shape::Old(&PLAIN_TEXT_PASSWD)),
        ("plain_text_passwd", Shape::Text),
        ("create-groups", Shape::Old(&CREATE_GROUPS)),
        ("create_groups", Shape::Bool),
        ("primary-group", Shape::Old(&PRIMARY_GROUP)),
        ("primary_group", Shape::Text),
        ("selinux-user", Shape::Old(&SELINUX_USER)),
        ("selinux_user", Shape::Text),
        ("shell", Shape::Text),
        ("snapuser", Shape::Text),
        ("ssh_authorized_keys", SOME_TEXTS),
        ("ssh-authorized-keys", Shape::Old(&SSH_AUTHORIZED_KEYS)),
        ("ssh-import-id", Shape::Old(&SSH_IMPORT_ID)),
        ("ssh_import_id", SOME_TEXTS),
        ("ssh-redirect-user", Shape::Old(&SSH_REDIRECT_USER)),
        ("ssh_redirect_user", Shape::Bool),
        ("system", Shape::Bool),
        (
            "sudo",
            Shape::OneOf(&[
                TEXT_OR_NULL,
                Shape::List(&ListShape { items: TEXT_OR_NULL, ..LIST }),
                Shape::Old(&Old {
                    shape: Shape::Bool,
                    since: "22.2",
                    instead: "write the rule, such as `ALL=(ALL) NOPASSWD:ALL`, or `null` for none",
                }),
            ]),
        ),
        (
            "uid",
            Shape::OneOf(&[
                Shape::Int,
                Shape::Old(&Old {
                    shape: Shape::Text,
                    since: "22.3",
                    instead: "write the number without quotes",
                }),
            ]),
        ),
    ],
    rules: &[Rule::ExactlyOne(&[&["name"], &["snapuser"]])],
    ..CLOSED
};

const TEXT_OR_NULL: Shape = Shape::Kinds(&[Shape::Text, Shape::Null]);

/// `groups: {adm: null}`: the form of old.
static GROUPS_OF_USER: MapShape = MapShape {
    others: Others::NamedOpen(
        &NAME,
        &Shape::Old(&Old {
            shape: Shape::Null,
            since: "23.1",
            instead: "write a list of names: `[adm, sudo]`",
        }),
    ),
    ..OPEN
};

// Spellings of old.
static LOCK_PASSWD: Old = Old { shape: Shape::Bool, since: "22.3", instead: "write `lock_passwd`" };
static NO_CREATE_HOME: Old = Old { shape: Shape::Bool, since: "24.2", instead: "write `no_create_home`" };
static NO_LOG_INIT: Old = Old { shape: Shape::Bool, since: "24.2", instead: "write `no_log_init`" };
static NO_USER_GROUP: Old = Old { shape: Shape::Bool, since: "24.2", instead: "write `no_user_group`" };
static HASHED_PASSWD: Old = Old { shape: Shape::Text, since: "24.2", instead: "write `hashed_passwd`" };
static PLAIN_TEXT_PASSWD: Old =
    Old { shape: Shape::Text, since: "24.2", instead: "write `plain_text_passwd`" };
static CREATE_GROUPS: Old = Old { shape: Shape::Bool, since: "24.2", instead: "write `create_groups`" };
static PRIMARY_GROUP: Old = Old { shape: Shape::Text, since: "24.2", instead: "write `primary_group`" };
static SELINUX_USER: Old = Old { shape: Shape::Text, since: "24.2", instead: "write `selinux_user`" };
static SSH_AUTHORIZED_KEYS: Old =
    Old { shape: SOME_TEXTS, since: "18.3", instead: "write `ssh_authorized_keys`" };
static SSH_IMPORT_ID: Old = Old { shape: SOME_TEXTS, since: "24.2", instead: "write `ssh_import_id`" };
static SSH_REDIRECT_USER: Old =
    Old { shape: Shape::Bool, since: "24.2", instead: "write `ssh_redirect_user`" };
