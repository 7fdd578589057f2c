//! `packages`: what is in the image, and what is not.

use std::path::PathBuf;

use hardtack_repository::{Given, Upgrade};

/// `packages`. Several steps of a recipe are merged into one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackagesStep {
    /// `.deb` files, in the order written, directories sorted by name; each host path once.
    pub debs: Vec<DebFile>,
    /// From repositories: `name`, `name:arch`, `name=version`, `name/suite`.
    pub install: Vec<String>,
    /// Those of `install` that the hardening profile wants, and the recipe does not name.
    pub of_profile: Vec<String>,
    /// Packages that go; their configuration files stay.
    pub remove: Vec<String>,
    /// Packages that go with their configuration files.
    pub purge: Vec<String>,
    /// What is brought up to date from repositories.
    pub upgrade: Upgrade,
    /// Packages that apt leaves as they are.
    pub hold: Vec<String>,
    /// Where packages come from; empty for the image's own lists of sources.
    pub repositories: Vec<Repository>,
    /// The lock file of this machine; it need not exist.
    pub lock: Option<PathBuf>,
    /// Whether what packages recommend comes too; `None` leaves it at no.
    pub recommends: Option<bool>,
}

/// One entry of `repository`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repository {
    /// The image's own lists of sources.
    Image,
    /// One that the recipe names.
    Given(Given),
}

impl PackagesStep {
    /// Whether repositories are asked, and with them the network.
    #[must_use]
    pub fn asks_repositories(&self) -> bool {
        !self.install.is_empty() || self.upgrade != Upgrade::None
    }

    /// Both steps as one.
    pub(crate) fn merge(&mut self, more: Self) {
        fn add<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
            for one in more {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        add(&mut self.debs, more.debs);
        add(&mut self.install, more.install);
        add(&mut self.of_profile, more.of_profile);
        add(&mut self.remove, more.remove);
        add(&mut self.purge, more.purge);
        add(&mut self.hold, more.hold);
        add(&mut self.repositories, more.repositories);
        if more.upgrade == Upgrade::All || self.upgrade == Upgrade::None {
            self.upgrade = more.upgrade;
        }
        self.lock = self.lock.take().or(more.lock);
        self.recommends = match (self.recommends, more.recommends) {
            (Some(a), Some(b)) => Some(a || b),
            (a, b) => a.or(b),
        };
    }
}

/// One `.deb` file of the host. It existed when the recipe was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebFile {
    /// The file name, for messages.
    pub name: String,
    /// Where it is on the host.
    pub path: PathBuf,
}
