//! Why there is no solution, in words.

use std::collections::HashSet;

use super::Unsolvable;
use super::world::{Stands, World};

/// Chains that are told for one request.
const MOST: usize = 8;

/// What was asked for and cannot come, each with the chain to what is missing; where nothing is missing, what cannot
/// stand together, as the search found it.
pub(super) fn explain(world: &World<'_>, conflict: &str) -> Unsolvable {
    let able = able(world);
    let mut told = Vec::new();
    for asked in &world.install {
        if asked.candidates.iter().any(|number| able[*number]) {
            continue;
        }
        if let Some(chain) = asked.candidates.iter().find_map(|number| chain(world, *number, &able)) {
            told.push(chain);
        }
    }
    told.truncate(MOST);
    if told.is_empty() {
        let text = conflict.trim();
        let first = if text.is_empty() { "no set of packages fits" } else { "these do not fit together:" };
        told.push(format!("{first}\n{text}").trim().to_owned());
    }
    Unsolvable(told)
}

/// What could come if nothing stood against anything: the largest set in which every need has somebody.
fn able(world: &World<'_>) -> Vec<bool> {
    // Only what can be reached from the request is worth the work.
    let mut reached: HashSet<usize> = HashSet::new();
    let mut open: Vec<usize> =
        world.install.iter().flat_map(|asked| asked.candidates.iter().copied()).collect();
    let mut order = Vec::new();
    while let Some(number) = open.pop() {
        if !reached.insert(number) {
            continue;
        }
        order.push(number);
        if let Some(package) = world.package(number) {
            open.extend(world.needs(number).into_iter().flat_map(|group| world.satisfying(group, package)));
        }
    }
    let mut able = vec![true; world.candidates.len()];
    loop {
        let mut changed = false;
        for number in &order {
            let Some(package) = world.package(*number) else { continue };
            let fits = world
                .needs(*number)
                .into_iter()
                .all(|group| world.satisfying(group, package).iter().any(|other| able[*other]));
            if able[*number] && !fits {
                able[*number] = false;
                changed = true;
            }
        }
        if !changed {
            return able;
        }
    }
}

/// "a 1 needs b (>= 2), b 2 needs c, which no repository offers; …"
fn chain(world: &World<'_>, start: usize, able: &[bool]) -> Option<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut seen: HashSet<usize> = HashSet::new();
    let mut at = start;
    loop {
        let package = world.package(at)?;
        seen.insert(at);
        let group = world
            .needs(at)
            .into_iter()
            .find(|group| !world.satisfying(group, package).iter().any(|other| able[*other]))?;
        steps.push(format!("{} needs {group}", world.label(at)));
        let fitting = world.satisfying(group, package);
        match fitting.iter().copied().find(|other| !seen.contains(other)) {
            Some(next) => at = next,
            None if fitting.is_empty() => {
                let others: Vec<String> = group
                    .0
                    .iter()
                    .map(|relation| {
                        let installed =
                            world.image.held.iter().find(|held| held.package.name == relation.name);
                        match installed {
                            Some(held)
                                if world
                                    .image
                                    .held
                                    .iter()
                                    .any(|held| held.hold && held.package.name == relation.name) =>
                            {
                                format!("{} {} is held", relation.name, held.package.version)
                            }
                            _ => world.offered(&relation.name),
                        }
                    })
                    .collect();
                let last = "which no repository offers";
                return Some(format!("{}, {last}; {}", steps.join(", "), others.join("; ")));
            }
            None => return Some(format!("{}, in a circle that nothing can begin", steps.join(", "))),
        }
        if matches!(world.candidates[at].what, Stands::Nothing) {
            return None;
        }
    }
}
