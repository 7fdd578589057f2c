//! Why a package is in an image, and what it pulls in.

use serde::Serialize;

use crate::Image;

/// A step from a package to one that satisfies a relation of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The package that needs.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The field: `Depends`, `Pre-Depends`, `Recommends`.
    pub field: String,
    /// The relation as written.
    pub relation: String,
}

/// From a package that somebody asked for down to the one in question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Why it begins there: `manual`, `essential`, or `nothing` when no such package needs it.
    pub begins: String,
    /// The steps, the one in question not among them; empty when it is asked for itself.
    pub links: Vec<Link>,
}

/// A package with what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The package, or a relation that nothing satisfies.
    pub package: String,
    /// Its version; `None` when nothing satisfies the relation.
    pub version: Option<String>,
    /// The field and relation that lead here; empty for the root.
    pub field: String,
    /// The relation as written.
    pub relation: String,
    /// What it needs.
    pub needs: Vec<Node>,
    /// Shown in full elsewhere in the tree: `needs` is empty.
    pub repeated: bool,
}

/// The shortest chains to a package, one for each package that somebody asked for, at most `most`.
/// `None` when the package is not installed.
#[must_use]
pub fn why(_image: &Image, _name: &str, _most: usize) -> Option<Vec<Chain>> {
    None
}

/// The tree of what a package needs, `Recommends` too when asked. `None` when it is not installed.
#[must_use]
pub fn tree(_image: &Image, _name: &str, _recommends: bool, _depth: usize) -> Option<Node> {
    None
}
