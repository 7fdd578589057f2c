//! What tests of credentials and places share.

#![allow(clippy::unwrap_used)]

mod http;
mod search;
mod server;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Environment;

/// The tests' clock: 2026-01-01T00:00:00Z.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// An environment with that home and those variables; no file of the machine is read.
pub(crate) fn environment(home: &Path, variables: &[(&str, &str)]) -> Environment {
    let euca = home.join(".euca").display().to_string();
    let variables = [("EUCA_CONFIG_PATH", &*euca), ("AWS_EC2_METADATA_DISABLED", "false")]
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Environment {
        variables,
        home: Some(home.to_owned()),
        now,
        sleep: |_| {},
        random: |buffer| buffer.fill(7),
        trace: None,
    }
}

/// A home with files.
pub(crate) fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    home
}
