//! Owners of files that the image has, or does not have, when files are written: modules that make
//! users, and packages, come later (`cloudinit/config/cc_write_files.py`).

use hardtack_modules::{Machine, write_files};
use hardtack_userdata::truth::is_true;
use hardtack_userdata::{Finding, Map, Place, Value};

use super::users::get;

/// What the image says of the owners in `write_files`.
#[derive(Default)]
pub(super) struct Owners {
    /// Where owners stand that the image has.
    pub(super) there: Vec<Place>,
    /// The others.
    pub(super) missing: Vec<Finding>,
}

/// Looks for the owners in the image.
pub(super) fn look(own: &Map, machine: &dyn Machine) -> Owners {
    let mut owners = Owners::default();
    for (index, file) in
        get(own, "write_files").and_then(Value::as_list).unwrap_or_default().iter().enumerate()
    {
        let Some(value) = file.get("owner").filter(|_| !file.get("defer").is_some_and(is_true)) else {
            continue;
        };
        // What is no text has its own error.
        let Ok(owner) = write_files::owner(value) else { continue };
        let user = owner.user.filter(|name| name != "root" && machine.account(name).is_none());
        let group = owner.group.filter(|name| name != "root" && machine.group(name).is_none());
        let who = match (user, group) {
            (Some(user), _) => format!("user `{user}`"),
            (None, Some(group)) => format!("group `{group}`"),
            (None, None) => {
                owners.there.push(value.place);
                continue;
            }
        };
        let message = format!(
            "the image has no {who}: the module fails here when files are written, and no later file is written"
        );
        let finding = Finding::warning("image-owner-missing", value.place, message);
        let finding = finding.at(format!("write_files.{index}.owner"));
        owners.missing.push(
            finding.with_hint(
                "add `defer: true` to this file if a package or `users` makes it, or write `root`",
            ),
        );
    }
    owners
}
