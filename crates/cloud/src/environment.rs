//! What a program has around it, handed in: variables, home, clock, randomness.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Everything that this crate would otherwise have to ask the process for.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Variables of the environment.
    pub variables: BTreeMap<String, String>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The clock.
    pub now: fn() -> SystemTime,
    /// Waits.
    pub sleep: fn(Duration),
    /// Fills with random bytes that nobody can guess.
    pub random: fn(&mut [u8]),
    /// Is told each try of a call in one line, without secrets (`--debug`).
    pub trace: Option<fn(&str)>,
}

impl Environment {
    /// The value of a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of `names` that has a value.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.variable(name))
    }
}
