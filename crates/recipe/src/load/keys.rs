//! What each step takes, as data: the loader refuses what is not here, and the JSON Schema
//! (`hardtack schema recipe`) is made of it, so that neither can know a key that the other does not.
//!
//! A step stands here once, with every key. Readers take the names from here by [`Reader::keyed`].
//! The steps by virt-customize's names are in [`super::operation`], those by virt-sysprep's in
//! [`super::generalize`]; each has a function `keys` that gives its steps.

use super::reader::{Fields, Reader};
use hardtack_yaml::Node;

/// One key of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What its value is.
    pub shape: Shape,
    /// The mapping is refused without it.
    pub needed: bool,
    /// One sentence for the editor.
    pub about: &'static str,
}

impl Key {
    /// A key that may be left out.
    #[must_use]
    pub const fn may(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, needed: false, about }
    }

    /// A key that must be there.
    #[must_use]
    pub const fn must(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, needed: true, about }
    }
}

/// What a value is. Variables (`{var: NAME}`, `{format: TEXT}`) may stand for all of them.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Whole(u32, u32),
    /// Permission bits: octal, with or without quotes.
    Mode,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any text, number or boolean.
    Scalar,
    /// Nothing (`- agent`).
    Null,
    /// Text, `{env: NAME}` or `{file: PATH}`.
    Content,
    /// A list of these; a single one stands for a list of one.
    Several(&'static Shape),
    /// A list of these, always written as a list.
    List(&'static Shape),
    /// A mapping with these keys.
    Keys(&'static [Key]),
    /// A mapping with these keys, and others whose values have this shape.
    Open(&'static [Key], &'static Shape),
    /// What the schema defines under this name.
    Ref(&'static str),
    /// One of these.
    OneOf(&'static [Shape]),
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepKeys {
    /// The key that starts it.
    pub(crate) name: &'static str,
    /// One or two sentences for the editor.
    pub(crate) about: &'static str,
    /// What it takes. With [`Shape::Null`] among the alternatives `- NAME` alone is the step.
    pub(crate) shape: Shape,
}

impl StepKeys {
    /// True where the step's name alone says everything.
    pub(crate) fn bare(&self) -> bool {
        match self.shape {
            Shape::Null => true,
            Shape::OneOf(shapes) => shapes.iter().any(|shape| matches!(shape, Shape::Null)),
            _ => false,
        }
    }
}

/// All steps, in the order in which they are told to people.
pub(crate) fn steps() -> Vec<StepKeys> {
    let mut all = STEPS.to_vec();
    all.extend(super::operation::keys());
    all.extend(super::generalize::keys());
    all
}

/// The names of `keys`.
pub(crate) fn names(keys: &'static [Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

impl Reader<'_> {
    /// The settings in `node`, whose keys are `keys`; `what` names it in messages.
    pub fn keyed<'n>(&mut self, node: &'n Node, what: &str, keys: &'static [Key]) -> Option<Fields<'n>> {
        self.fields(node, what, &names(keys))
    }
}

/// The keys of a recipe.
pub(crate) const RECIPE: &[Key] = &[
    Key::must("recipe", Shape::Whole(1, 1), "The version of the recipe format: 1."),
    Key::may("name", Shape::Text, "The recipe's name, at most 64 characters; else that of the file."),
    Key::may(
        "include",
        Shape::Several(&Shape::Text),
        "Recipes whose steps come before those of this one; paths start from this file's directory.",
    ),
    Key::may(
        "vars",
        Shape::Ref("vars"),
        "Variables: a value, a list, `{env: NAME}`, or nothing for one that `--set` must give.",
    ),
    Key::may(
        "matrix",
        Shape::List(&Shape::Keys(super::matrix::ROW)),
        "Images to build with this recipe, one row each.",
    ),
    Key::may(
        "steps",
        Shape::Ref("steps"),
        "What the image shall be, step by step; needed without `include` and `profile`.",
    ),
    Key::may(
        "profile",
        super::profile::SHAPE,
        "A hardening profile, done before the steps that look at what is in force.",
    ),
];

/// The steps that have a page each.
pub(super) const STEPS: &[StepKeys] = &[
    StepKeys {
        name: "packages",
        about: "Debian packages that are in the image.",
        shape: Shape::Keys(super::packages::KEYS),
    },
    StepKeys {
        name: "user",
        about: "A user exists, with these settings.",
        shape: Shape::Keys(super::user::KEYS),
    },
    StepKeys {
        name: "mfa",
        about: "Who logs in with what: SSH key, password, one-time code.",
        shape: Shape::Keys(super::mfa::KEYS),
    },
    StepKeys {
        name: "overlayroot",
        about: "What is written goes to memory or to another disk; the root file system stays as built.",
        shape: Shape::Keys(super::overlayroot::KEYS),
    },
    StepKeys {
        name: "serial-console",
        about: "Kernel, boot loader and a login on a serial line: where the credentials block is read.",
        shape: Shape::OneOf(&[Shape::Null, Shape::Keys(super::boot::SERIAL_KEYS)]),
    },
    StepKeys {
        name: "boot",
        about: "Every boot entry finds its disk and its network on these machines, or the image is refused.",
        shape: Shape::OneOf(&[Shape::Words(&["check"]), Shape::Keys(super::boot::KEYS)]),
    },
    StepKeys {
        name: "sshd",
        about: "Directives of sshd_config(5), checked as sshd checks them.",
        shape: Shape::Open(super::sshd::KEYS, &Shape::OneOf(&[Shape::Scalar, Shape::List(&Shape::Scalar)])),
    },
    StepKeys {
        name: "files",
        about: "Files, directories and links, one operation each.",
        shape: Shape::List(&Shape::OneOf(super::files::OPERATIONS)),
    },
    StepKeys {
        name: "cloud-agents",
        about: "Programs of clouds that run commands or bring keys are switched off, or kept on purpose.",
        shape: Shape::Keys(super::cloud_agents::KEYS),
    },
    StepKeys {
        name: "agent",
        about: "The first-boot agent: machine id, host keys, passwords, one-time codes, user-data.",
        shape: Shape::OneOf(&[Shape::Null, Shape::Keys(super::agent::KEYS)]),
    },
];
