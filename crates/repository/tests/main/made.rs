//! The tests' repository, as this crate reads it.

use std::ops::Deref;
use std::time::SystemTime;

use hardtack_guest::dpkg::admin::Architectures;
use hardtack_repository::{Catalogue, Error, Keys, Lock, Settings, Source};
pub(crate) use hardtack_tests::repository::{have, run};

pub(crate) fn architectures() -> Architectures {
    Architectures { native: "amd64".to_owned(), foreign: Vec::new() }
}

pub(crate) struct Made(hardtack_tests::repository::Made);

impl Deref for Made {
    type Target = hardtack_tests::repository::Made;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Made {
    pub(crate) fn new() -> Self {
        Self(hardtack_tests::repository::Made::new())
    }

    pub(crate) fn source(&self, ring: &str) -> Source {
        Source {
            place: "test".to_owned(),
            uri: self.uri(),
            suite: "stable".to_owned(),
            components: vec!["main".to_owned()],
            architectures: None,
            keys: Keys::Rings(vec![(format!("{ring}.gpg"), self.ring(ring))]),
            fingerprints: Vec::new(),
            check_valid_until: true,
            valid_until_max: None,
            by_hash: None,
        }
    }

    pub(crate) fn open(&self, ring: &str) -> Result<Catalogue, Error> {
        self.open_with(ring, &Settings::new(SystemTime::now()), None)
    }

    pub(crate) fn open_with(
        &self,
        ring: &str,
        settings: &Settings,
        lock: Option<&Lock>,
    ) -> Result<Catalogue, Error> {
        Catalogue::open(&[self.source(ring)], &architectures(), settings, lock)
    }
}
