//! A plan, as a page.

use crate::html;

/// Something to know of a plan: a name, and what is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What is said.
    pub text: String,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `write`, `remove`, …
    pub op: String,
    /// The path, or the package's name.
    pub path: String,
    /// Modes, owners, where links lead.
    pub detail: String,
    /// The step that asks for it.
    pub step: String,
    /// The unified difference; empty when there is none to show.
    pub difference: String,
}

/// What a recipe would change in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanPage {
    /// The program's version.
    pub version: String,
    /// The image, as it was named.
    pub image: String,
    /// The recipe, as it was named.
    pub recipe: String,
    /// The disk and its partitions, where they change.
    pub disk: Vec<String>,
    /// Packages.
    pub packages: Vec<Fact>,
    /// What is done at first boot.
    pub tasks: Vec<Fact>,
    /// All changes.
    pub entries: Vec<Entry>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl PlanPage {
    /// One HTML file that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::plan(self)
    }
}
