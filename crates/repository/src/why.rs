//! Why a package is in an image, and what it pulls in.

use std::collections::{HashMap, HashSet, VecDeque};

use hardtack_guest::dpkg::depends::{Group, Sense};
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
    /// The field that leads here; empty for the root.
    pub field: String,
    /// The relation as written.
    pub relation: String,
    /// What it needs.
    pub needs: Vec<Node>,
    /// Shown in full elsewhere in the tree: `needs` is empty.
    pub repeated: bool,
    /// It needs more, which is deeper than was asked for: `needs` is empty.
    pub cut: bool,
}

const FIELDS: [&str; 3] = ["Pre-Depends", "Depends", "Recommends"];

fn groups(image: &Image, number: usize, recommends: bool) -> Vec<(&'static str, &Group)> {
    let held = &image.held[number];
    let all = [&held.package.pre_depends, &held.package.depends, &held.recommends];
    let fields = if recommends { 3 } else { 2 };
    FIELDS
        .iter()
        .zip(all)
        .take(fields)
        .flat_map(|(field, groups)| groups.iter().map(move |one| (*field, one)))
        .collect()
}

/// By name, and by what is provided.
struct Known<'a> {
    image: &'a Image,
    names: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Known<'a> {
    fn new(image: &'a Image) -> Self {
        let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, held) in image.held.iter().enumerate() {
            names.entry(&held.package.name).or_default().push(number);
            for provided in &held.package.provides {
                names.entry(&provided.name).or_default().push(number);
            }
        }
        Self { image, names }
    }

    fn satisfying(&self, group: &Group, owner: usize) -> Vec<usize> {
        let native = &self.image.architectures.native;
        let owner = &self.image.held[owner].package;
        let mut found = Vec::new();
        for relation in &group.0 {
            for number in self.names.get(relation.name.as_str()).map(Vec::as_slice).unwrap_or_default() {
                let package = &self.image.held[*number].package;
                if relation.matches(package, owner, native, Sense::Positive) && !found.contains(number) {
                    found.push(*number);
                }
            }
        }
        found
    }
}

/// The shortest chains to a package, one for each package that somebody asked for, the shortest first, at most
/// `most`. `None` when the package is not installed.
///
/// Chains go along `Pre-Depends` and `Depends`, and along `Recommends` only where there is no other.
#[must_use]
pub fn why(image: &Image, name: &str, most: usize) -> Option<Vec<Chain>> {
    let target = image.find(name)?;
    let known = Known::new(image);
    let found = chains(&known, target, most, false);
    if !found.is_empty() {
        return Some(found);
    }
    let found = chains(&known, target, most, true);
    Some(if found.is_empty() {
        vec![Chain { begins: "nothing".to_owned(), links: Vec::new() }]
    } else {
        found
    })
}

fn chains(known: &Known<'_>, target: usize, most: usize, recommends: bool) -> Vec<Chain> {
    let image = known.image;
    // Who needs whom, backwards.
    let mut needed_by: Vec<Vec<(usize, &'static str, &Group)>> = vec![Vec::new(); image.held.len()];
    for number in 0..image.held.len() {
        for (field, group) in groups(image, number, recommends) {
            for other in known.satisfying(group, number) {
                needed_by[other].push((number, field, group));
            }
        }
    }
    let mut towards: HashMap<usize, (usize, &'static str, &Group)> = HashMap::new();
    let (mut open, mut seen) = (VecDeque::from([target]), HashSet::from([target]));
    let mut found = Vec::new();
    while let Some(at) = open.pop_front() {
        let held = &image.held[at];
        if held.essential || held.manual {
            let mut links = Vec::new();
            let mut step = at;
            while let Some((next, field, group)) = towards.get(&step) {
                let own = &image.held[step].package;
                links.push(Link {
                    package: image.label(own),
                    version: own.version.to_string(),
                    field: (*field).to_owned(),
                    relation: group.to_string(),
                });
                step = *next;
            }
            found.push(Chain {
                begins: if held.essential { "essential" } else { "manual" }.to_owned(),
                links,
            });
            if found.len() == most {
                break;
            }
            // Beyond a package that stands for itself nothing explains more.
            continue;
        }
        for (by, field, group) in &needed_by[at] {
            if seen.insert(*by) {
                towards.insert(*by, (at, field, group));
                open.push_back(*by);
            }
        }
    }
    found
}

/// The tree of what a package needs, `Recommends` too when asked, at most `depth` deep; a package is shown in full
/// once. `None` when it is not installed.
#[must_use]
pub fn tree(image: &Image, name: &str, recommends: bool, depth: usize) -> Option<Node> {
    let root = image.find(name)?;
    let known = Known::new(image);
    let mut shown = HashSet::new();
    // Deeper than any real tree, and far from the stack's end.
    Some(node(&known, root, ("", ""), recommends, depth.min(200), &mut shown))
}

fn node(
    known: &Known<'_>,
    number: usize,
    by: (&str, &str),
    recommends: bool,
    depth: usize,
    shown: &mut HashSet<usize>,
) -> Node {
    let image = known.image;
    let package = &image.held[number].package;
    let all = groups(image, number, recommends);
    // What is cut here may be shown in full elsewhere.
    let first = if depth == 0 { !shown.contains(&number) } else { shown.insert(number) };
    let mut needs = Vec::new();
    if first && depth > 0 {
        for (field, group) in &all {
            let relation = group.to_string();
            let fitting = known.satisfying(group, number);
            if fitting.is_empty() && *field != "Recommends" {
                needs.push(Node {
                    package: relation.clone(),
                    version: None,
                    field: (*field).to_owned(),
                    relation: relation.clone(),
                    needs: Vec::new(),
                    repeated: false,
                    cut: false,
                });
            }
            for other in fitting {
                needs.push(node(known, other, (field, &relation), recommends, depth - 1, shown));
            }
        }
    }
    Node {
        package: image.label(package),
        version: Some(package.version.to_string()),
        field: by.0.to_owned(),
        relation: by.1.to_owned(),
        needs,
        repeated: !all.is_empty() && !first,
        cut: !all.is_empty() && first && depth == 0,
    }
}
