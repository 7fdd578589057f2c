//! Ansible (`cloudinit/config/cc_ansible.py`).

use crate::schema::shape::{CLOSED, Keys, LIST, ListShape, MapShape, OPEN, Old, Pattern, Rule, Shape, TEXTS};

pub(super) static KEYS: Keys = &[("ansible", Shape::Map(&ANSIBLE))];

static ANSIBLE: MapShape = MapShape {
    fields: &[
        ("ansible_config", Shape::Text),
        ("galaxy", Shape::Map(&GALAXY)),
        ("install_method", Shape::Choice(&["distro", "pip"])),
        ("package_name", Shape::Text),
        (
            "pull",
            Shape::OneOf(&[
                Shape::List(&ListShape { items: Shape::Map(&PULL), ..LIST }),
                Shape::Old(&Old {
                    shape: Shape::Map(&PULL),
                    since: "25.2",
                    instead: "write a list of mappings: put `- ` before the first key",
                }),
            ]),
        ),
        ("run_user", Shape::Text),
        ("setup_controller", Shape::Map(&CONTROLLER)),
    ],
    ..CLOSED
};

static GALAXY: MapShape = MapShape {
    fields: &[("actions", Shape::List(&ListShape { items: Shape::List(&ACTION), ..LIST }))],
    required: &["actions"],
    ..CLOSED
};

static ACTION: ListShape = ListShape { items: Shape::Matching(&WORD), ..LIST };

/// `^.*$`: Python's `$` also matches before a line break at the end, and `^` alone before any other.
static WORD: Pattern = Pattern { matches: is_word, wanted: "text in one line" };

fn is_word(text: &str) -> bool {
    !text.strip_suffix('\n').unwrap_or(text).contains('\n')
}

static PULL: MapShape = MapShape {
    fields: &[
        ("accept_host_key", Shape::Bool),
        ("checkout", Shape::Text),
        ("clean", Shape::Bool),
        ("connection", Shape::Text),
        ("diff", Shape::Bool),
        ("full", Shape::Bool),
        ("inventory", Shape::Text),
        ("module_name", Shape::Text),
        ("module_path", Shape::Text),
        (
            "playbook_name",
            Shape::Old(&Old {
                shape: Shape::Text,
                since: "25.2",
                instead: "write `playbook_names`, with a list",
            }),
        ),
        ("playbook_names", TEXTS),
        ("private_key", Shape::Text),
        ("scp_extra_args", Shape::Text),
        ("sftp_extra_args", Shape::Text),
        ("skip_tags", Shape::Text),
        ("sleep", Shape::Text),
        ("ssh_common_args", Shape::Text),
        ("tags", Shape::Text),
        ("timeout", Shape::Text),
        ("url", Shape::Text),
        ("vault_id", Shape::Text),
        ("vault_password_file", Shape::Text),
        ("verify_commit", Shape::Bool),
    ],
    rules: &[Rule::ExactlyOne(&[&["url", "playbook_name"], &["url", "playbook_names"]])],
    ..CLOSED
};

static CONTROLLER: MapShape = MapShape {
    fields: &[
        ("repositories", Shape::List(&ListShape { items: Shape::Map(&REPOSITORY), ..LIST })),
        ("run_ansible", Shape::List(&ListShape { items: Shape::Map(&RUN), ..LIST })),
    ],
    ..CLOSED
};

static REPOSITORY: MapShape = MapShape {
    fields: &[("path", Shape::Text), ("source", Shape::Text)],
    required: &["path", "source"],
    ..CLOSED
};

static RUN: MapShape = MapShape {
    fields: &[
        ("args", Shape::Text),
        ("background", Shape::NumberFrom(0)),
        ("become_password_file", Shape::Text),
        ("check", Shape::Bool),
        ("connection", Shape::Text),
        ("connection_password_file", Shape::Text),
        ("diff", Shape::Bool),
        ("extra_vars", Shape::Text),
        ("forks", Shape::NumberFrom(0)),
        ("inventory", Shape::Text),
        ("list_hosts", Shape::Bool),
        ("module_name", Shape::Text),
        ("module_path", Shape::Text),
        ("playbook_dir", Shape::Text),
        ("playbook_name", Shape::Text),
        ("poll", Shape::NumberFrom(0)),
        ("private_key", Shape::Text),
        ("scp_extra_args", Shape::Text),
        ("sftp_extra_args", Shape::Text),
        ("skip_tags", Shape::Text),
        ("sleep", Shape::Text),
        ("syntax_check", Shape::Bool),
        ("tags", Shape::Text),
        ("timeout", Shape::NumberFrom(0)),
        ("vault_id", Shape::Text),
        ("vault_password_file", Shape::Text),
    ],
    ..OPEN
};
