//! Operations by the names that virt-customize gives them.

/// One operation of the steps that carry virt-customize's names, in the order written.
#[derive(Debug)]
pub struct Operation {
    /// The line of the recipe, from 1, for messages.
    pub line: usize,
    /// What cannot be done because nothing is there is passed over, and told.
    pub optional: bool,
    /// What to do.
    pub action: Action,
}

/// What an operation does. Paths are absolute guest paths.
#[derive(Debug)]
pub enum Action {
    /// Directories exist.
    Mkdir {
        /// Where.
        path: String,
    },
}

/// The names of the steps.
pub const NAMES: &[&str] = &["mkdir"];
