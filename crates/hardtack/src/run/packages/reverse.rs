//! What needs a package, level by level.

use std::collections::BTreeSet;

use hardtack_guest::dpkg::Package;
use hardtack_guest::dpkg::depends::{Group, Sense};
use hardtack_repository::{Held, Image, Node};

/// The packages of the image that need `name`, those that need these, and so on.
pub(super) fn tree(image: &Image, name: &str, recommends: bool, depth: usize) -> Option<Node> {
    let package = &image.held.get(image.find(name)?)?.package;
    let mut shown = BTreeSet::new();
    Some(node(image, package, String::new(), String::new(), recommends, depth, &mut shown))
}

fn node(
    image: &Image,
    package: &Package,
    field: String,
    relation: String,
    recommends: bool,
    depth: usize,
    shown: &mut BTreeSet<String>,
) -> Node {
    let name = package.full_name();
    let first = if depth == 0 { !shown.contains(&name) } else { shown.insert(name) };
    let mut needs = Vec::new();
    let mut any = false;
    for held in image.held.iter().filter(|held| held.package.name != package.name) {
        // Nothing below matters any more when it is shown elsewhere, or is too deep.
        if any && (!first || depth == 0) {
            break;
        }
        if let Some((field, group)) = reason(image, held, package, recommends) {
            any = true;
            if first && depth > 0 {
                let text = group.to_string();
                needs.push(node(image, &held.package, field.to_owned(), text, recommends, depth - 1, shown));
            }
        }
    }
    Node {
        package: package.name.clone(),
        version: Some(package.version.to_string()),
        field,
        relation,
        needs,
        repeated: any && !first,
        cut: any && first && depth == 0,
    }
}

/// The first relation of `held` that `package` serves.
fn reason<'h>(
    image: &Image,
    held: &'h Held,
    package: &Package,
    recommends: bool,
) -> Option<(&'static str, &'h Group)> {
    let own = &held.package;
    let native = &image.architectures.native;
    let fields = own
        .pre_depends
        .iter()
        .map(|group| ("Pre-Depends", group))
        .chain(own.depends.iter().map(|group| ("Depends", group)))
        .chain(held.recommends.iter().filter(|_| recommends).map(|group| ("Recommends", group)));
    fields.into_iter().find(|(_, group)| {
        group.0.iter().any(|relation| relation.matches(package, own, native, Sense::Positive))
    })
}
