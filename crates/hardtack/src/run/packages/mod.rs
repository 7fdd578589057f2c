//! `hardtack packages`: why a package is in an image, and what it pulls in.

mod reverse;
mod text;

use std::path::Path;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Package;
use hardtack_guest::dpkg::depends::{Group, Relation};
use hardtack_guest::dpkg::lists::Available;
use hardtack_repository::{Held, Node, tree, why};
use serde_json::json;

use crate::args::{PackagesArgs, PackagesVerb, SourceArgs, TreeArgs, WhyArgs};
use crate::document;
use crate::error::{CliError, NO};
use crate::image::Image;
use crate::source::Input;
use crate::talk;

/// Chains to more wishes than these nobody reads.
const MOST_CHAINS: usize = 20;

/// Tells it.
pub(crate) fn run(arguments: &PackagesArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        PackagesVerb::Why(arguments) => tell_why(arguments),
        PackagesVerb::Tree(arguments) => tell_tree(arguments),
    }
}

fn open(path: &Path, options: &SourceArgs) -> Result<Image, CliError> {
    Image::open(Input::open(path, options, None)?, None, None)
}

fn held(stage: &Stage<'_>, path: &Path) -> Result<hardtack_repository::Image, CliError> {
    hardtack_repository::Image::read(stage)
        .map_err(|error| CliError::refused(format!("{}: {error}", path.display())))
}

fn print(text: &str) -> Result<(), CliError> {
    document::write(text, None, false, &[])
}

fn tell_why(arguments: &WhyArgs) -> Result<u8, CliError> {
    let image = open(&arguments.image, &arguments.open)?;
    let packages = held(&Stage::new(&image.guest), &arguments.image)?;
    let Some(chains) = why(&packages, &arguments.package, MOST_CHAINS) else {
        let name = &arguments.package;
        if arguments.json {
            print(&format!("{}\n", json!({"package": name, "installed": false, "chains": []})))?;
        } else {
            talk::note(&format!(
                "{name} is not in the image; `hardtack packages tree {name} {}` tells what it would pull in",
                arguments.image.display()
            ));
        }
        return Ok(NO);
    };
    print(&if arguments.json {
        format!("{}\n", json!({"package": arguments.package, "installed": true, "chains": chains}))
    } else {
        text::chains(&arguments.package, &chains)
    })?;
    Ok(0)
}

fn tell_tree(arguments: &TreeArgs) -> Result<u8, CliError> {
    let image = open(&arguments.image, &arguments.open)?;
    let stage = Stage::new(&image.guest);
    let mut packages = held(&stage, &arguments.image)?;
    let installed = packages.find(&arguments.package).is_some();
    if !installed && !offered(&stage, &mut packages, &arguments.package)? {
        talk::note(&format!("{} is neither in the image nor in its package lists", arguments.package));
        return Ok(NO);
    }
    let depth = usize::from(arguments.depth);
    let node = if arguments.reverse {
        reverse::tree(&packages, &arguments.package, arguments.recommends, depth)
    } else {
        tree(&packages, &arguments.package, arguments.recommends, depth)
    };
    let Some(node) = node else { return Ok(NO) };
    let told = json!({"installed": installed, "reverse": arguments.reverse, "tree": node});
    print(&if arguments.json { format!("{told}\n") } else { shown(&node, installed) })?;
    Ok(0)
}

fn shown(node: &Node, installed: bool) -> String {
    let mut shown = text::tree(node);
    if !installed {
        shown.push_str("(not in the image; as its package lists have it)\n");
    }
    shown
}

/// Adds a package that the image's lists know, and what it needs, as if they were installed.
fn offered(
    stage: &Stage<'_>,
    packages: &mut hardtack_repository::Image,
    name: &str,
) -> Result<bool, CliError> {
    let native = packages.architectures.native.clone();
    let wish = Group(vec![Relation { name: name.to_owned(), architecture: None, version: None }]);
    let lists = Available::read(stage)?;
    // Asked for by nobody in particular: somebody of the image's own architecture.
    let Some(owner) = packages.held.iter().find(|held| held.package.architecture == native) else {
        return Ok(false);
    };
    let owner = owner.package.clone();
    if lists.find(&wish, &owner, &native).is_none_or(|offer| offer.package.name != name) {
        return Ok(false);
    }
    let present: Vec<Package> = packages.held.iter().map(|held| held.package.clone()).collect();
    for offer in lists.find_all(&[(wish, owner)], &present, &native) {
        packages.held.push(Held {
            package: offer.package,
            recommends: Vec::new(),
            essential: false,
            hold: false,
            manual: false,
        });
    }
    Ok(true)
}
