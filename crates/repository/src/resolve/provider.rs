//! The world as `resolvo` sees it.

use std::collections::BTreeMap;
use std::fmt::Display;

use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider, HintDependenciesAvailable,
    Interner, KnownDependencies, NameId, Requirement, SolvableId, SolverCache, StringId, VersionSetId,
    VersionSetUnionId,
};

use super::world::{Stands, World};

/// Some candidates of one slot, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Among(Vec<usize>);

impl VersionSet for Among {
    type V = usize;
}

/// What may change in this attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Freedom {
    /// Slots that may be emptied.
    pub(super) emptied: Vec<bool>,
}

pub(super) struct Provider<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) freedom: &'w Freedom,
    pool: Pool<Among, usize>,
    solvables: Vec<SolvableId>,
    names: Vec<NameId>,
}

impl<'w, 'a> Provider<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>, freedom: &'w Freedom) -> Self {
        let pool = Pool::default();
        let names: Vec<NameId> = (0..world.slots.len()).map(|slot| pool.intern_package_name(slot)).collect();
        let solvables = world
            .candidates
            .iter()
            .enumerate()
            .map(|(number, candidate)| pool.intern_solvable(names[candidate.slot], number))
            .collect();
        Self { world, freedom, pool, solvables, names }
    }

    pub(super) fn candidate(&self, solvable: SolvableId) -> usize {
        self.pool.resolve_solvable(solvable).record
    }

    fn set(&self, slot: usize, mut numbers: Vec<usize>) -> VersionSetId {
        numbers.sort_unstable();
        self.pool.intern_version_set(self.names[slot], Among(numbers))
    }

    /// Any of these, the slots in the order of their first.
    pub(super) fn any_of(&self, numbers: &[usize]) -> Option<Requirement> {
        let mut sets: Vec<(usize, Vec<usize>)> = Vec::new();
        for number in numbers {
            let slot = self.world.candidates[*number].slot;
            match sets.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, set)) => set.push(*number),
                None => sets.push((slot, vec![*number])),
            }
        }
        let mut sets = sets.into_iter().map(|(slot, set)| self.set(slot, set));
        let first = sets.next()?;
        let rest: Vec<VersionSetId> = sets.collect();
        Some(if rest.is_empty() {
            first.into()
        } else {
            self.pool.intern_version_set_union(first, rest.into_iter()).into()
        })
    }

    fn allowed(&self, number: usize) -> bool {
        let candidate = self.world.candidates[number];
        candidate.what != Stands::Nothing || self.freedom.emptied[candidate.slot]
    }

    /// A slot with anything in it that may be there.
    pub(super) fn filled(&self, slot: usize) -> Requirement {
        let numbers =
            self.world.slots[slot].candidates.iter().copied().filter(|number| self.allowed(*number));
        self.set(slot, numbers.collect()).into()
    }
}

impl Interner for Provider<'_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.world.label(self.candidate(solvable))
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.world.slots[*self.pool.resolve_package_name(name)].name.clone()
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        let labels = self.pool.resolve_version_set(set).0.iter().map(|number| self.world.label(*number));
        labels.collect::<Vec<_>>().join(" or ")
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        self.pool.resolve_string(string).to_owned()
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

impl DependencyProvider for Provider<'_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let set = &self.pool.resolve_version_set(set).0;
        let within = |solvable: &SolvableId| set.binary_search(&self.candidate(*solvable)).is_ok();
        candidates.iter().copied().filter(|solvable| within(solvable) != inverse).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let slot = *self.pool.resolve_package_name(name);
        let numbers = self.world.slots[slot].candidates.iter().filter(|number| self.allowed(**number));
        Some(Candidates {
            candidates: numbers.map(|number| self.solvables[*number]).collect(),
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        // Candidates are numbered in the order of preference.
        solvables.sort_by_key(|solvable| self.candidate(*solvable));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let number = self.candidate(solvable);
        let mut known = KnownDependencies::default();
        if let Some(package) = self.world.package(number) {
            for group in self.world.needs(number) {
                match self.any_of(&self.world.satisfying(group, package)) {
                    Some(requirement) => known.requirements.push(requirement.into()),
                    None => {
                        let what = format!("it needs {group}, which nothing offers");
                        return Dependencies::Unknown(self.pool.intern_string(what));
                    }
                }
            }
            let mut excluded: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for number in self.world.excludes(number) {
                excluded.entry(self.world.candidates[number].slot).or_default().push(number);
            }
            for (slot, out) in excluded {
                let rest =
                    self.world.slots[slot].candidates.iter().copied().filter(|number| !out.contains(number));
                known.constrains.push(self.set(slot, rest.collect()));
            }
        }
        Dependencies::Known(known)
    }
}
