//! A binary package as its control stanza describes it, of a `.deb` or of the status database.

use super::control::Stanza;
use super::depends::{Group, Relation, is_package_name, parse_field};
use super::version::Version;
use crate::Error;

/// The `Multi-Arch` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultiArch {
    /// Absent or `no`.
    #[default]
    No,
    /// Can be installed for several architectures at once.
    Same,
    /// Serves dependencies of every architecture.
    Foreign,
    /// Serves those that ask with `:any`.
    Allowed,
}

/// What dependency checks need of a package.
#[derive(Clone, Debug)]
pub struct Package {
    /// The name.
    pub name: String,
    /// The version.
    pub version: Version,
    /// The architecture, `all` included.
    pub architecture: String,
    /// `Multi-Arch`.
    pub multi_arch: MultiArch,
    /// `Depends`.
    pub depends: Vec<Group>,
    /// `Pre-Depends`.
    pub pre_depends: Vec<Group>,
    /// `Conflicts`.
    pub conflicts: Vec<Relation>,
    /// `Breaks`.
    pub breaks: Vec<Relation>,
    /// `Replaces`.
    pub replaces: Vec<Relation>,
    /// `Provides`.
    pub provides: Vec<Relation>,
}

impl Package {
    /// Reads a stanza; `origin` names the file in messages.
    pub fn from_stanza(stanza: &Stanza, origin: &str) -> Result<Self, Error> {
        let name = stanza.get("Package").unwrap_or_default();
        let wrong = |what: String| match name {
            "" => Error::Refused(format!("{origin}: {what}")),
            name => Error::Refused(format!("{origin}: package {name}: {what}")),
        };
        if !is_package_name(name) {
            return Err(wrong(format!("the field Package has {name:?}, which is no package name")));
        }
        let version = stanza.get("Version").ok_or_else(|| wrong("has no Version".to_owned()))?;
        let groups = |field: &str| match stanza.get(field) {
            Some(text) => parse_field(text).map_err(|what| wrong(format!("field {field}: {what}"))),
            None => Ok(Vec::new()),
        };
        let flat =
            |field: &str| Ok::<_, Error>(groups(field)?.into_iter().flat_map(|group| group.0).collect());
        let architecture = stanza.get("Architecture").unwrap_or_default();
        if !architecture.is_empty() && !is_package_name(architecture) {
            return Err(wrong(format!("the field Architecture has {architecture:?}")));
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            version: Version::parse(version).map_err(&wrong)?,
            architecture: architecture.to_owned(),
            multi_arch: match stanza.get("Multi-Arch").map(str::to_ascii_lowercase).as_deref() {
                None | Some("no") => MultiArch::No,
                Some("same") => MultiArch::Same,
                Some("foreign") => MultiArch::Foreign,
                Some("allowed") => MultiArch::Allowed,
                Some(other) => return Err(wrong(format!("the field Multi-Arch has {other:?}"))),
            },
            depends: groups("Depends")?,
            pre_depends: groups("Pre-Depends")?,
            conflicts: flat("Conflicts")?,
            breaks: flat("Breaks")?,
            replaces: flat("Replaces")?,
            provides: flat("Provides")?,
        })
    }

    /// The name with the architecture where dpkg needs it to tell instances apart
    /// (`libc6:amd64`); this is also how files in `info/` are named.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.multi_arch {
            MultiArch::Same => format!("{}:{}", self.name, self.architecture),
            _ => self.name.clone(),
        }
    }

    /// True when both are one package in dpkg's eyes: the same name, and the same architecture
    /// unless one of them replaces the other's (`all` becoming `amd64`, or back).
    #[must_use]
    pub fn same_instance(&self, other: &Self) -> bool {
        self.name == other.name
            && (self.architecture == other.architecture
                || self.multi_arch != MultiArch::Same
                || other.multi_arch != MultiArch::Same)
    }
}
