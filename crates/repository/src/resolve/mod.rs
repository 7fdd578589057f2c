//! What comes and goes for a request.
//!
//! The search is `resolvo`'s (BSD-3-Clause, the resolver of pixi and rattler: CDCL, pure Rust). Every place that a
//! package can take (`world`: a name and an architecture) is one of its names; what can stand there are its versions:
//! the one installed, the one that apt would choose, one that was asked for, and, where it may go, nothing. What is
//! tried first is what changes least, and what is tried next only what apt would try: never an older version than
//! installed, never a version below the one that the policy prefers.
//!
//! An image that is broken already is no worse for it: what its installed packages lack now they may lack afterwards.

mod explain;
mod provider;
mod search;
mod world;

use crate::{Catalogue, Image};

/// What to upgrade beyond what is asked for by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing.
    #[default]
    None,
    /// What repositories of security updates offer.
    Security,
    /// Everything.
    All,
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Packages: `name`, `name:arch`, `name=version`, `name/suite`. One that is installed stays as it is unless a
    /// version or suite says otherwise.
    pub install: Vec<String>,
    /// Packages to go. What needs them goes too, unless it is asked for or essential.
    pub remove: Vec<String>,
    /// Upgrades.
    pub upgrade: Upgrade,
    /// Packages that stay as they are, besides those that the image holds.
    pub hold: Vec<String>,
    /// Follow `Recommends` of what is new, as far as they can be had.
    pub recommends: bool,
    /// From a lock: exactly these packages come, by name, architecture and SHA-256.
    pub exact: Option<Vec<(String, String, String)>>,
    /// From a lock: exactly these go.
    pub removed: Vec<String>,
}

/// Why a package changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// By name, or by the lock.
    Asked,
    /// An upgrade was asked for.
    Upgrade,
    /// This package needs it, with the relation as written.
    NeededBy {
        /// The package.
        package: String,
        /// The relation.
        relation: String,
    },
    /// It cannot stand beside this package.
    ConflictsWith(String),
    /// It needs what goes.
    LosesDependency(String),
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It comes: the index into [`Catalogue::offers`].
    Install(usize),
    /// It is replaced by a later version.
    Upgrade(usize),
    /// It goes.
    Remove,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The package, with `:arch` where that is not the image's own.
    pub name: String,
    /// The version in the image.
    pub from: Option<String>,
    /// The version that comes.
    pub to: Option<String>,
    /// What happens.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
}

/// All changes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Solution {
    /// The changes.
    pub changes: Vec<Change>,
    /// Asked for and left as it is, with the reason: held, installed already.
    pub kept: Vec<(String, String)>,
}

/// Why there is no solution: a sentence for each trouble.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unsolvable(pub Vec<String>);

/// Works out what changes. The same arguments give the same answer.
///
/// # Errors
/// Sentences: what is not offered and who needs it, what cannot stand together.
pub fn resolve(catalogue: &Catalogue, image: &Image, request: &Request) -> Result<Solution, Unsolvable> {
    let world = world::World::new(catalogue, image, request)?;
    search::solve(&world, request)
}
