//! What a program has around it, handed in: variables, home, clock, randomness.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Everything that this crate would otherwise have to ask the process for.
#[derive(Clone)]
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

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be keys.
        let names: Vec<&String> = self.variables.keys().collect();
        formatter
            .debug_struct("Environment")
            .field("variables", &names)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Provider;
    use crate::{Client, Kind, Patience, Place, PlaceOptions};

    #[test]
    fn what_variables_hold_is_never_shown() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "SECRETSECRET"),
            ("AWS_SESSION_TOKEN", "SECRETTOKEN"),
            ("HTTPS_PROXY", "http://me:SECRETPASSWORD@proxy.example:3128"),
        ];
        let environment = std::sync::Arc::new(Environment {
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            home: None,
            now: SystemTime::now,
            sleep: |_| {},
            random: |bytes| bytes.fill(1),
            trace: None,
        });
        let provider = Provider::find(Kind::Aws, &PlaceOptions::default(), environment.clone(), false);
        let place = Place::new(Kind::Aws, "eu-west-1");
        let client = Client::new(place, provider.clone(), environment.clone(), Patience::default());
        let credentials = provider.get().unwrap();
        let shown = format!("{client:?} {environment:?} {provider:?} {credentials:?}");
        assert!(shown.contains("AWS_SESSION_TOKEN") && shown.contains("AKID"), "{shown}");
        assert!(!shown.contains("SECRETSECRET") && !shown.contains("SECRETTOKEN"), "{shown}");
        assert!(!shown.contains("SECRETPASSWORD"), "{shown}");
    }
}
