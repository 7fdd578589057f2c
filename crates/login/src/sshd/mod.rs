//! sshd: which release a machine has, and what its configuration amounts to.
//!
//! Facts from OpenSSH's servconf.c, misc.c and match.c, releases 5.3 to 10.5, and from comparing
//! [`Config`] with `sshd -T`.

mod evaluate;
mod include;
mod judge;
mod keywords;
mod pattern;
#[cfg(test)]
mod tests;
mod value;
mod version;
mod words;

pub use evaluate::{Config, Connection, MAIN_FILE, MatchBlock, Place, Problem, Setting};
pub use include::could_match;
pub use judge::{BEGIN, DROP_IN, Directive, END, Mismatch, is_ours, mismatches, same_value};
pub use keywords::{Keyword, Kind, NEWEST, canonical, find, nearest};
pub use pattern::in_list as in_pattern_list;
pub use value::{fault, seconds};
pub use version::{Version, installed};
pub use words::{Line, line};
