//! The attempts, from the one that changes least, and what came of the one that worked.

use std::collections::{BTreeSet, HashMap, VecDeque};

use resolvo::{ConditionalRequirement, Problem, Solver, UnsolvableOrCancelled};

use super::provider::{Freedom, Provider};
use super::world::{Stands, World};
use super::{Change, Kind, Reason, Request, Solution, Unsolvable, Upgrade, explain};

/// Removals that are tried to be avoided, and recommendations that are tried to be followed: each costs a search.
const ATTEMPTS: usize = 200;

/// Solves.
pub(super) fn solve(world: &World<'_>, request: &Request) -> Result<Solution, Unsolvable> {
    let mut freedom = Freedom { emptied: vec![false; world.slots.len()] };
    for slot in &world.remove {
        freedom.emptied[*slot] = true;
    }
    let locked = request.exact.is_some();
    let mut chosen = attempt(world, &freedom, &[]);
    if chosen.is_err() && !locked {
        // Something has to go.
        let mut wide = freedom.clone();
        for (slot, place) in world.slots.iter().enumerate() {
            wide.emptied[slot] |= place.installed.is_some() && place.removable;
        }
        if let Ok(found) = attempt(world, &wide, &[]) {
            let mut gone = emptied(world, &found);
            // Nothing goes that need not.
            let mut best = found;
            let mut tried: BTreeSet<usize> = world.remove.iter().copied().collect();
            for _ in 0..ATTEMPTS {
                let Some(slot) = gone.iter().copied().find(|slot| !tried.contains(slot)) else { break };
                tried.insert(slot);
                wide.emptied[slot] = false;
                match attempt(world, &wide, &[]) {
                    Ok(found) => {
                        gone = emptied(world, &found);
                        best = found;
                    }
                    Err(_) => wide.emptied[slot] = true,
                }
            }
            freedom = wide;
            chosen = Ok(best);
        }
    }
    let mut chosen = chosen.map_err(|conflict| explain::explain(world, &conflict))?;
    if world.recommends && !locked {
        chosen = recommended(world, &freedom, chosen);
    }
    Ok(told(world, request, &chosen))
}

/// One search: the candidates that stand in the end, or why there are none.
fn attempt(world: &World<'_>, freedom: &Freedom, extra: &[Vec<usize>]) -> Result<Vec<usize>, String> {
    let provider = Provider::new(world, freedom);
    let mut requirements: Vec<ConditionalRequirement> = Vec::new();
    for asked in world.install.iter().map(|asked| &asked.candidates).chain(extra) {
        match provider.any_of(asked) {
            Some(requirement) => requirements.push(requirement.into()),
            None => return Err(String::new()),
        }
    }
    let mut empty: Vec<bool> = vec![false; world.slots.len()];
    for slot in &world.remove {
        empty[*slot] = true;
        let nothing = world.slots[*slot].candidates.iter().copied();
        let nothing: Vec<usize> =
            nothing.filter(|number| world.candidates[*number].what == Stands::Nothing).collect();
        requirements.extend(provider.any_of(&nothing).map(ConditionalRequirement::from));
    }
    for (slot, place) in world.slots.iter().enumerate() {
        if place.installed.is_some() && !empty[slot] {
            requirements.push(provider.filled(slot).into());
        }
    }
    let mut solver = Solver::new(provider);
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solvables) => {
            let mut chosen: Vec<usize> =
                solvables.into_iter().map(|solvable| solver.provider().candidate(solvable)).collect();
            chosen.sort_unstable();
            Ok(chosen)
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            Err(conflict.display_user_friendly(&solver).to_string())
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err("the search was given up".to_owned()),
    }
}

fn emptied(world: &World<'_>, chosen: &[usize]) -> Vec<usize> {
    chosen
        .iter()
        .map(|number| world.candidates[*number])
        .filter(|candidate| candidate.what == Stands::Nothing)
        .map(|candidate| candidate.slot)
        .collect()
}

fn is_new(world: &World<'_>, number: usize) -> bool {
    matches!(world.candidates[number].what, Stands::Offer(_))
}

/// Adds what new packages recommend, one by one, as far as it goes.
fn recommended(world: &World<'_>, freedom: &Freedom, mut chosen: Vec<usize>) -> Vec<usize> {
    let mut extra: Vec<Vec<usize>> = Vec::new();
    let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
    for _ in 0..ATTEMPTS {
        let next = chosen.iter().filter(|number| is_new(world, **number)).find_map(|number| {
            let package = world.package(*number)?;
            world.recommends(*number).iter().find_map(|group| {
                let fitting = world.satisfying(group, package);
                let has = fitting.is_empty() || fitting.iter().any(|one| chosen.binary_search(one).is_ok());
                (!has && !seen.contains(&fitting)).then_some(fitting)
            })
        });
        let Some(next) = next else { break };
        seen.insert(next.clone());
        extra.push(next);
        match attempt(world, freedom, &extra) {
            Ok(found) => chosen = found,
            Err(_) => {
                extra.pop();
            }
        }
    }
    chosen
}

/// The changes, each with its reason.
fn told(world: &World<'_>, request: &Request, chosen: &[usize]) -> Solution {
    let reasons = reasons(world, chosen);
    let mut changes = Vec::new();
    for number in chosen {
        let candidate = world.candidates[*number];
        let place = &world.slots[candidate.slot];
        let held = place.installed.map(|held| &world.image.held[held]);
        let from = held.map(|held| held.package.version.to_string());
        match candidate.what {
            Stands::Installed(_) => {}
            Stands::Nothing => {
                let Some(held) = held else { continue };
                let reason = if world.remove.contains(&candidate.slot) {
                    Reason::Asked
                } else {
                    gone(world, chosen, candidate.slot)
                };
                let name = world.image.label(&held.package);
                changes.push(Change { name, from, to: None, kind: Kind::Remove, reason });
            }
            Stands::Offer(offer) => {
                let package = &world.catalogue.offers[offer].package;
                let upgrade = request.upgrade != Upgrade::None && from.is_some();
                let reason = match reasons.get(number) {
                    Some(reason) if !upgrade || *reason == Reason::Asked => reason.clone(),
                    // Nobody needs it, and it is new: a lock wants it.
                    None if from.is_none() => Reason::Asked,
                    _ => Reason::Upgrade,
                };
                let kind = if from.is_some() { Kind::Upgrade(offer) } else { Kind::Install(offer) };
                let name = world.image.label(package);
                changes.push(Change { name, from, to: Some(package.version.to_string()), kind, reason });
            }
        }
    }
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    Solution { changes, kept: world.kept.clone() }
}

/// From what was asked for along what is needed.
fn reasons(world: &World<'_>, chosen: &[usize]) -> HashMap<usize, Reason> {
    let mut reasons: HashMap<usize, Reason> = HashMap::new();
    let mut open: VecDeque<usize> = VecDeque::new();
    let has = |number: &usize| chosen.binary_search(number).is_ok();
    for number in world.named.iter().filter(|number| has(number)) {
        if reasons.insert(*number, Reason::Asked).is_none() {
            open.push_back(*number);
        }
    }
    // Then from everything else: what installed packages need in a new version.
    let mut rest = chosen.iter().copied();
    while let Some(number) = open.pop_front().or_else(|| rest.find(|number| !is_new(world, *number))) {
        let Some(package) = world.package(number) else { continue };
        let recommended = if is_new(world, number) { world.recommends(number) } else { &[] };
        for group in world.needs(number).into_iter().chain(recommended) {
            for other in world.satisfying(group, package) {
                if has(&other) && is_new(world, other) && !reasons.contains_key(&other) {
                    let relation = group.to_string();
                    reasons.insert(other, Reason::NeededBy { package: package.name.clone(), relation });
                    open.push_back(other);
                }
            }
        }
    }
    reasons
}

/// Why something goes that nobody named.
fn gone(world: &World<'_>, chosen: &[usize], slot: usize) -> Reason {
    let own = world.slots[slot].candidates.iter().copied();
    let own = own.into_iter().find(|number| matches!(world.candidates[*number].what, Stands::Installed(_)));
    let Some(own) = own else { return Reason::Asked };
    let against = chosen
        .iter()
        .copied()
        .filter(|number| is_new(world, *number))
        .find(|number| world.excludes(*number).contains(&own) || world.excludes(own).contains(number));
    if let Some(other) = against {
        return Reason::ConflictsWith(world.label(other));
    }
    if let Some(package) = world.package(own) {
        for group in world.needs(own) {
            if !world.satisfying(group, package).iter().any(|number| chosen.binary_search(number).is_ok()) {
                return Reason::LosesDependency(group.to_string());
            }
        }
    }
    Reason::Asked
}
