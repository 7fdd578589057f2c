//! Relations between packages: `Depends: a (>= 1) | b:any, c`.
//!
//! Reading and writing follow dpkg's `lib/dpkg/fields.c` and `dump.c`; what satisfies a relation
//! follows `depcon.c` and `deparchsatisfied`.

use std::fmt;

use super::package::{MultiArch, Package};
use super::version::Version;

/// How a version is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Comparison {
    fn text(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        }
    }

    /// True when `found` stands in this relation to `wanted`.
    #[must_use]
    pub fn holds(self, found: &Version, wanted: &Version) -> bool {
        match self {
            Self::Earlier => found < wanted,
            Self::EarlierOrEqual => found <= wanted,
            Self::Equal => found == wanted,
            Self::LaterOrEqual => found >= wanted,
            Self::Later => found > wanted,
        }
    }
}

/// One package in a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The package's name.
    pub name: String,
    /// An architecture qualifier (`any`, `native`, `amd64`).
    pub architecture: Option<String>,
    /// A condition on the version.
    pub version: Option<(Comparison, Version)>,
}

/// Alternatives, of which one is enough; most have one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(pub Vec<Relation>);

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(architecture) = &self.architecture {
            write!(f, ":{architecture}")?;
        }
        if let Some((comparison, version)) = &self.version {
            write!(f, " ({} {version})", comparison.text())?;
        }
        Ok(())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, relation) in self.0.iter().enumerate() {
            write!(f, "{}{relation}", if index == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

/// A whole field as dpkg writes it.
#[must_use]
pub fn write_field(groups: &[Group]) -> String {
    groups.iter().map(Group::to_string).collect::<Vec<_>>().join(", ")
}

/// Reads a whole field; the error says which relation is wrong.
pub fn parse_field(text: &str) -> Result<Vec<Group>, String> {
    let mut groups = Vec::new();
    for group in text.split(',') {
        // dpkg takes an empty field and a trailing comma.
        if group.trim().is_empty() {
            continue;
        }
        groups.push(Group(group.split('|').map(parse_relation).collect::<Result<_, _>>()?));
    }
    Ok(groups)
}

/// True for names that dpkg takes: two or more of lower-case letters, digits, `+-.`, the first
/// alphanumeric. One-letter names occur nowhere but are taken as well.
#[must_use]
pub fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn parse_relation(text: &str) -> Result<Relation, String> {
    let wrong = || format!("{:?} is no relation to a package", text.trim());
    let (head, condition) = match text.split_once('(') {
        Some((head, tail)) => (head, Some(tail.trim_end().strip_suffix(')').ok_or_else(wrong)?)),
        None => (text, None),
    };
    let head = head.trim();
    let (name, architecture) = match head.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (head, None),
    };
    if !is_package_name(name) || architecture.is_some_and(|name| !is_package_name(name)) {
        return Err(wrong());
    }
    let version = match condition {
        Some(condition) => {
            let condition = condition.trim();
            let sign = condition.len() - condition.trim_start_matches(['<', '>', '=']).len();
            let comparison = match &condition[..sign] {
                "<<" => Comparison::Earlier,
                // Single signs are old spelling and mean "or equal"; none at all means "equal".
                "<=" | "<" => Comparison::EarlierOrEqual,
                "=" | "" => Comparison::Equal,
                ">=" | ">" => Comparison::LaterOrEqual,
                ">>" => Comparison::Later,
                _ => return Err(wrong()),
            };
            Some((comparison, Version::parse(&condition[sign..])?))
        }
        None => None,
    };
    Ok(Relation { name: name.to_owned(), architecture: architecture.map(str::to_owned), version })
}

/// Which kind of field a relation stands in: that decides what a name without architecture means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// `Depends`, `Pre-Depends`: of the depending package's architecture.
    Positive,
    /// `Conflicts`, `Breaks`, `Replaces`: of any architecture.
    Negative,
}

impl Relation {
    /// True when `package` is what `self`, standing in a field of `owner`, speaks of: by its own
    /// name and version, or by something that it provides.
    #[must_use]
    pub fn matches(&self, package: &Package, owner: &Package, native: &str, sense: Sense) -> bool {
        if !self.architecture_fits(package, owner, native, sense) {
            return false;
        }
        if package.name == self.name {
            return self.version_fits(Some(&package.version));
        }
        package.provides.iter().any(|provided| {
            provided.name == self.name
                && self.version_fits(provided.version.as_ref().map(|(_, version)| version))
        })
    }

    /// True when the package is meant by name, whatever its version.
    #[must_use]
    pub fn names(&self, package: &Package) -> bool {
        package.name == self.name || package.provides.iter().any(|provided| provided.name == self.name)
    }

    fn version_fits(&self, found: Option<&Version>) -> bool {
        match (&self.version, found) {
            (None, _) => true,
            (Some((comparison, wanted)), Some(found)) => comparison.holds(found, wanted),
            // Something provided without a version satisfies no condition on it.
            (Some(_), None) => false,
        }
    }

    fn architecture_fits(&self, package: &Package, owner: &Package, native: &str, sense: Sense) -> bool {
        let real =
            |name: &str| if matches!(name, "all" | "native") { native.to_owned() } else { name.to_owned() };
        let wanted = match (&self.architecture, sense) {
            (None, Sense::Negative) => return true,
            (None, Sense::Positive) if package.multi_arch == MultiArch::Foreign => return true,
            (None, Sense::Positive) => real(&owner.architecture),
            (Some(name), Sense::Negative) if name == "any" => return true,
            (Some(name), Sense::Positive) if name == "any" => {
                if package.multi_arch == MultiArch::Allowed {
                    return true;
                }
                native.to_owned()
            }
            (Some(name), _) => real(name),
        };
        real(&package.architecture) == wanted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dpkg::control::Stanza;

    fn package(text: &str) -> Package {
        Package::from_stanza(&Stanza::parse(text, "test", 1).unwrap(), "test").unwrap()
    }

    #[test]
    fn writes_relations_as_dpkg_does() {
        for (given, written) in [
            ("a", "a"),
            ("a(>=1:2-3),b:any|  c ( = 1 ),", "a (>= 1:2-3), b:any | c (= 1)"),
            ("a (< 1), b (> 2), c (0:3)", "a (<= 1), b (>= 2), c (= 3)"),
            ("a (<<1~)\n , b", "a (<< 1~), b"),
            ("", ""),
        ] {
            assert_eq!(write_field(&parse_field(given).unwrap()), written, "{given:?}");
        }
        for given in ["a (", "a (>= )", "a b", "a (>> 1", "A_b", "a (=> 1)", "a | ", "a: (= 1)"] {
            assert!(parse_field(given).is_err(), "{given:?}");
        }
    }

    #[test]
    fn knows_what_satisfies() {
        let owner = package("Package: o\nVersion: 1\nArchitecture: amd64\n");
        let all = package("Package: data\nVersion: 2.0-1\nArchitecture: all\n");
        let foreign = package("Package: tool\nVersion: 1\nArchitecture: i386\nMulti-Arch: foreign\n");
        let plain = package(
            "Package: lib\nVersion: 1\nArchitecture: i386\nMulti-Arch: same\nProvides: virt, api (= 3)\n",
        );
        let python = package("Package: python3\nVersion: 3\nArchitecture: i386\nMulti-Arch: allowed\n");
        let same = package("Package: lib\nVersion: 1\nArchitecture: amd64\nProvides: virt, api (= 3)\n");
        let cases = [
            ("data", &all, true),
            ("data (>= 2)", &all, true),
            ("data (>> 2.0-1)", &all, false),
            ("tool", &foreign, true),
            ("lib", &plain, false),
            ("lib:i386", &plain, true),
            ("python3", &python, false),
            ("python3:any", &python, true),
            ("virt", &same, true),
            ("virt (>= 1)", &same, false),
            ("api (>= 2)", &same, true),
            ("api (>= 4)", &same, false),
            ("lib:any", &same, true),
        ];
        for (relation, candidate, wanted) in cases {
            let relation = parse_relation(relation).unwrap();
            assert_eq!(relation.matches(candidate, &owner, "amd64", Sense::Positive), wanted, "{relation}");
        }
        assert!(parse_relation("lib").unwrap().matches(&plain, &owner, "amd64", Sense::Negative));
    }
}
