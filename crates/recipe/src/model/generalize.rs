//! What makes an image nobody's: the operations of virt-sysprep, and what clouds need besides.

use std::collections::BTreeSet;

mod names;
mod table;

pub use table::{Operation, TABLE};
pub(crate) use table::{Special, Target};

/// `generalize`, and the steps that carry the name of one of its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneralizeStep {
    /// The operations, by their names.
    pub operations: BTreeSet<&'static str>,
    /// Those of them whose refusal is a warning.
    pub optional: BTreeSet<&'static str>,
    /// What `machine-id` leaves.
    pub machine_id: Option<MachineId>,
    /// What `user-account` spares; it wins over `remove_users`.
    pub keep_users: BTreeSet<String>,
    /// What `user-account` is about; empty: everybody with an id of people.
    pub remove_users: BTreeSet<String>,
}

impl GeneralizeStep {
    /// What another step of the recipe wants besides.
    pub fn join(&mut self, more: Self) {
        self.operations.extend(more.operations);
        self.optional.extend(more.optional);
        self.machine_id = self.machine_id.or(more.machine_id);
        self.keep_users.extend(more.keep_users);
        self.remove_users.extend(more.remove_users);
    }

    /// True when the operation `name` is to be done.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.operations.contains(name)
    }
}

/// What stands in `/etc/machine-id` until the first boot (machine-id(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineId {
    /// The word "uninitialized": the next boot is the first one (`ConditionFirstBoot=`).
    Uninitialized,
    /// Nothing: an ID is made, and the boot is one like any other.
    Empty,
}

/// The operations, each a step of its own name too.
pub const NAMES: &[&str] = &names::NAMES;

/// The operation `name`.
#[must_use]
pub fn operation(name: &str) -> Option<&'static Operation> {
    TABLE.iter().find(|operation| operation.name == name)
}

/// The names of what `generalize` does when nothing is said.
#[must_use]
pub fn defaults() -> BTreeSet<&'static str> {
    TABLE.iter().filter(|operation| operation.default).map(|operation| operation.name).collect()
}
