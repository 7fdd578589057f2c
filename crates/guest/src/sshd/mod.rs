//! sshd: which release an image has, what its configuration amounts to, and changing it.
//!
//! Facts from OpenSSH's servconf.c, misc.c and match.c, releases 5.3 to 10.5, and from comparing
//! [`Config`] with `sshd -T`.

mod evaluate;
mod include;
mod keywords;
mod pattern;
#[cfg(test)]
mod tests;
mod value;
mod version;
mod words;
mod write;

pub use evaluate::{Config, Connection, MAIN_FILE, MatchBlock, Place, Problem, Setting};
pub use keywords::{Keyword, Kind, canonical, find, nearest};
pub use pattern_list::in_pattern_list;
pub use value::fault;
pub use version::{Version, installed};
pub use write::{DROP_IN, Directive, Mismatch, Placement, comment_out, is_ours, mismatches, write_section};

mod pattern_list {
    /// OpenSSH's comma-separated pattern lists: `*`, `?`, and `!` for "not".
    #[must_use]
    pub fn in_pattern_list(text: &str, list: &str) -> bool {
        super::pattern::in_list(text, list)
    }
}
