//! What programs are made of that cargo builds: the trees of their crates, as `cargo tree` prints them.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Component, Inventory, Manager};
use crate::purl::purl;

/// A crate below more others than this is none that cargo would list.
const DEEPEST: usize = 1000;

/// The last field of a line of something that is no crate: a C library, a standard library.
const GENERIC: &str = "generic";

/// Name and version, which stand for a component.
type Key = (String, String);

/// A tree that is not understood.
#[derive(Debug, PartialEq, Eq)]
pub struct TreeError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl std::fmt::Display for TreeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {} of the tree: {}", self.line, self.why)
    }
}

impl std::error::Error for TreeError {}

impl Inventory {
    /// The programs of a release, and the crates that are linked into them.
    ///
    /// `trees` is what `cargo tree --prefix depth --format '{p}|{l}|{r}'` prints, one program after the other: a line of
    /// depth 0 is a program, and its digest is `sha256`'s answer to its name. A line may have a fourth field,
    /// `generic`, where it is no crate.
    ///
    /// # Errors
    /// A line that is not like that.
    pub fn of_programs(
        version: &str,
        trees: &str,
        sha256: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TreeError> {
        let mut found: BTreeMap<Key, (Component, BTreeSet<Key>)> = BTreeMap::new();
        let mut above: Vec<Key> = Vec::new();
        for (index, text) in trees.lines().enumerate().filter(|(_, text)| !text.is_empty()) {
            let wrong = |why| TreeError { line: index + 1, why };
            let (depth, mut component) = parse(text).map_err(wrong)?;
            if depth > above.len() || depth > DEEPEST {
                return Err(wrong("it is deeper than what is above it"));
            }
            if depth == 0 {
                component.manager = Manager::None;
                component.sha256 = sha256(&component.name);
            }
            let key = (component.name.clone(), component.version.clone());
            above.truncate(depth);
            if let Some((_, needs)) = above.last().and_then(|parent| found.get_mut(parent)) {
                needs.insert(key.clone());
            }
            above.push(key.clone());
            found.entry(key).or_insert_with(|| (component, BTreeSet::new()));
        }
        let places: BTreeMap<Key, usize> =
            found.keys().enumerate().map(|(index, key)| (key.clone(), index)).collect();
        let components = found
            .into_values()
            .map(|(component, needs)| Component {
                depends: needs.iter().filter_map(|key| places.get(key).copied()).collect(),
                ..component
            })
            .collect();
        let mut inventory = Self { release: Some(version.to_owned()), components, ..Self::default() };
        for component in &mut inventory.components {
            component.purl = purl(component, &inventory.os);
        }
        Ok(inventory)
    }
}

/// `2ring v0.17.14|Apache-2.0 AND ISC|https://github.com/briansmith/ring (*)`: how deep, and what.
fn parse(text: &str) -> Result<(usize, Component), &'static str> {
    let line = text.strip_suffix(" (*)").unwrap_or(text);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (depth, rest) = line.split_at_checked(digits).ok_or("it has no depth")?;
    let depth = depth.parse().map_err(|_| "it has no depth")?;
    let mut fields = rest.split('|');
    let mut words = fields.next().unwrap_or_default().split(' ');
    let name = words.next().filter(|name| !name.is_empty()).ok_or("it has no name")?;
    let version = words.next().and_then(|word| word.strip_prefix('v')).ok_or("it has no version")?;
    let given = |field: Option<&str>| field.filter(|text| !text.is_empty()).map(str::to_owned);
    let license = given(fields.next());
    let homepage = given(fields.next());
    let manager = if fields.next() == Some(GENERIC) { Manager::None } else { Manager::Cargo };
    let component = Component {
        manager,
        name: name.to_owned(),
        version: version.to_owned(),
        licenses: license.map(|text| expression(&text)).into_iter().collect(),
        homepage,
        ..Component::default()
    };
    Ok((depth, component))
}

/// SPDX's expression: cargo takes `MIT/Apache-2.0`, the way of before 2018, too.
fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TREES: &str = "\
0tool v1.2.0 (/home/me/tool)|Apache-2.0|
1beta v0.1.0|MIT/Apache-2.0|https://example.org/beta
2gamma v2.0.0+c.1|ISC|
1gamma v2.0.0+c.1|ISC| (*)
1musl v1.2.5|MIT|https://musl.libc.org|generic
0helper v1.2.0 (/home/me/helper)|Apache-2.0|
1beta v0.1.0|MIT/Apache-2.0|https://example.org/beta (*)
";

    #[test]
    fn programs_and_what_is_linked_into_them() {
        let digest = |name: &str| Some(format!("digest of {name}"));
        let inventory = Inventory::of_programs("1.2.0", TREES, digest).unwrap();
        let all: Vec<(&str, &[usize])> =
            inventory.components.iter().map(|one| (one.purl.as_str(), one.depends.as_slice())).collect();
        assert_eq!(
            all,
            [
                ("pkg:cargo/beta@0.1.0", &[1][..]),
                ("pkg:cargo/gamma@2.0.0%2Bc.1", &[]),
                ("pkg:generic/helper@1.2.0", &[0]),
                ("pkg:generic/musl@1.2.5", &[]),
                ("pkg:generic/tool@1.2.0", &[0, 1, 3]),
            ]
        );
        assert_eq!(inventory.components[0].licenses, ["MIT OR Apache-2.0"]);
        assert_eq!(inventory.components[0].sha256, None);
        assert_eq!(inventory.components[4].sha256.as_deref(), Some("digest of tool"));
    }

    #[test]
    fn other_texts_are_refused_with_their_line() {
        let refused = |text: &str| Inventory::of_programs("1", text, |_| None).unwrap_err();
        assert_eq!(refused("0a v1||\nb v1||\n").line, 2);
        assert_eq!(refused("0a||\n").why, "it has no version");
        assert_eq!(refused("0a v1||\n2b v1||\n").why, "it is deeper than what is above it");
        assert_eq!(refused("99999999999999999999999a v1||\n").why, "it has no depth");
    }
}
