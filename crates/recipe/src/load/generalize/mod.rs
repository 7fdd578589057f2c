//! `generalize`, and the steps that carry the name of one of its operations.

use std::collections::BTreeSet;

use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape, StepKeys};
use super::reader::Reader;
use crate::model::generalize::{GeneralizeStep, MachineId, NAMES, TABLE, defaults, operation};

const OPERATIONS: Shape = Shape::Several(&Shape::Words(NAMES));
const LOGINS: Shape = Shape::Several(&Shape::Text);
const VALUES: &[(&str, MachineId)] =
    &[("uninitialized", MachineId::Uninitialized), ("empty", MachineId::Empty)];
const VALUE: Shape = Shape::Words(&["uninitialized", "empty"]);

const OPTIONAL: Key = Key::may("optional", Shape::Bool, "What the image cannot have is a warning.");
const ALL: &[Key] = &[
    Key::may("with", OPERATIONS, "Operations besides the default ones."),
    Key::may("without", OPERATIONS, "Default operations that are left out."),
    Key::may("only", OPERATIONS, "These operations and no others."),
    Key::may("machine-id", VALUE, "What /etc/machine-id holds until the first boot."),
    OPTIONAL,
];
const ONE: &[Key] = &[OPTIONAL];
const MACHINE_ID: &[Key] =
    &[Key::may("value", VALUE, "What /etc/machine-id holds until the first boot."), OPTIONAL];
const USER_ACCOUNT: &[Key] = &[
    Key::may("keep", LOGINS, "Users that stay; wins over `remove`."),
    Key::may("remove", LOGINS, "Users that go; else everybody with an id of people."),
    OPTIONAL,
];

/// What the step `name` takes.
fn settings(name: &str) -> &'static [Key] {
    match name {
        "generalize" => ALL,
        "machine-id" => MACHINE_ID,
        "user-account" => USER_ACCOUNT,
        _ => ONE,
    }
}

/// What each of these steps takes; the reader takes the keys from here.
pub(super) fn keys() -> Vec<StepKeys> {
    const BARE: [Shape; 4] = [
        Shape::OneOf(&[Shape::Null, Shape::Keys(ALL)]),
        Shape::OneOf(&[Shape::Null, Shape::Keys(MACHINE_ID)]),
        Shape::OneOf(&[Shape::Null, Shape::Keys(USER_ACCOUNT)]),
        Shape::OneOf(&[Shape::Null, Shape::Keys(ONE)]),
    ];
    let [all, machine_id, user_account, one] = BARE;
    let general = StepKeys {
        name: "generalize",
        about: "Takes away what belongs to one machine, before all other steps.",
        shape: all,
    };
    let mut steps = vec![general];
    // One that is refused is told why when somebody writes it, and offered to nobody.
    steps.extend(TABLE.iter().filter(|operation| operation.refused.is_none()).map(|operation| StepKeys {
        name: operation.name,
        about: operation.what,
        shape: match operation.name {
            "machine-id" => machine_id,
            "user-account" => user_account,
            _ => one,
        },
    }));
    steps
}

/// Reads `generalize`, or the operation `name` alone.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, node: &Node, at: Span) -> Option<GeneralizeStep> {
    let what = format!("step `{name}`");
    if let Some(operation) = operation(name)
        && let Some(reason) = operation.refused
    {
        reader.error_hint(at, format!("{what} is not done"), reason);
        return None;
    }
    let fields = reader.keyed(node, &what, settings(name))?;
    let mut step = GeneralizeStep::default();
    if name == "generalize" {
        let mut list = |key: &str| fields.get(key).map(|node| operations(reader, node, key));
        let (with, without, only) = (list("with"), list("without"), list("only"));
        if let Some(only) = only {
            for (key, given) in [("with", &with), ("without", &without)] {
                if given.is_some() {
                    let span = fields.key_span(key).unwrap_or(at);
                    reader.error_hint(span, format!("`{key}` beside `only`"), "`only` says it all");
                }
            }
            step.operations = only;
        } else {
            let with = with.unwrap_or_default();
            let without = without.unwrap_or_default();
            if let Some(both) = with.intersection(&without).next() {
                let span = fields.key_span("without").unwrap_or(at);
                reader.error(span, format!("`{both}` stands in `with` and in `without`"));
            }
            step.operations = defaults().union(&with).copied().collect();
            step.operations.retain(|name| !without.contains(name));
        }
    } else {
        step.operations.extend(NAMES.iter().find(|known| **known == name));
    }
    for key in ["machine-id", "value"] {
        if let Some(value) = fields.get(key) {
            step.machine_id = reader.word(value, key, VALUES);
            if !step.has("machine-id") {
                reader
                    .error(value.span, format!("`{key}` is set, and the operation `machine-id` is left out"));
            }
        }
    }
    if let Some(users) = fields.get("keep") {
        step.keep_users = logins(reader, users, "keep");
    }
    if let Some(users) = fields.get("remove") {
        step.remove_users = logins(reader, users, "remove");
    }
    if let Some(optional) = fields.get("optional")
        && reader.boolean(optional, "optional")?
    {
        step.optional.clone_from(&step.operations);
    }
    Some(step)
}

fn logins(reader: &mut Reader<'_>, node: &Node, key: &str) -> BTreeSet<String> {
    let items = reader.items(node, key);
    items.iter().filter_map(|item| reader.line(item, key).map(str::to_owned)).collect()
}

fn operations(reader: &mut Reader<'_>, node: &Node, key: &str) -> BTreeSet<&'static str> {
    let words: Vec<(&str, &'static str)> = NAMES.iter().map(|name| (*name, *name)).collect();
    let mut names = BTreeSet::new();
    for item in reader.items(node, key) {
        let Some(name) = reader.word(item, key, &words) else { continue };
        match operation(name).and_then(|operation| operation.refused) {
            // Leaving out what is never done is no mistake.
            Some(reason) if key != "without" => {
                reader.error_hint(item.span, format!("`{name}` is not done"), reason);
            }
            _ => {
                names.insert(name);
            }
        }
    }
    names
}
