//! The names of the table, where a constant is needed.

use super::TABLE;

pub(super) const NAMES: [&str; TABLE.len()] = names();

const fn names() -> [&'static str; TABLE.len()] {
    let mut names = [""; TABLE.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = TABLE[index].name;
        index += 1;
    }
    names
}
