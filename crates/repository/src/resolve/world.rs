//! The places that packages can take, and what can stand in each.

use std::collections::{BTreeMap, HashMap, HashSet};

use hardtack_guest::dpkg::depends::{Group, Relation, Sense};
use hardtack_guest::dpkg::package::MultiArch;
use hardtack_guest::dpkg::{Package, Version};

use super::{Request, Unsolvable, Upgrade};
use crate::{Catalogue, Image, Offer};

/// What can stand in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stands {
    /// What is installed: an index into the image.
    Installed(usize),
    /// What a repository offers.
    Offer(usize),
    /// Nothing.
    Nothing,
}

/// A name and an architecture (`all` counts as the image's own).
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) architecture: String,
    /// Indices into [`World::candidates`], what is preferred first.
    pub(super) candidates: Vec<usize>,
    pub(super) installed: Option<usize>,
    /// May be emptied: neither essential, held nor asked for.
    pub(super) removable: bool,
}

/// One thing in one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) slot: usize,
    pub(super) what: Stands,
}

/// What somebody asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) text: String,
    /// Any of these candidates will do.
    pub(super) candidates: Vec<usize>,
}

pub(super) struct World<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) image: &'a Image,
    pub(super) slots: Vec<Slot>,
    pub(super) candidates: Vec<Candidate>,
    by_name: HashMap<&'a str, Vec<usize>>,
    /// Candidates by what they provide.
    providers: HashMap<&'a str, Vec<usize>>,
    pub(super) install: Vec<Asked>,
    /// Candidates that somebody named. A lock has more, and what it has for others only stays that.
    pub(super) named: Vec<usize>,
    /// Slots that are to be empty.
    pub(super) remove: Vec<usize>,
    pub(super) kept: Vec<(String, String)>,
    pub(super) recommends: bool,
}

/// `name[:arch][=version|/suite]`.
struct Wish<'t> {
    name: &'t str,
    architecture: Option<&'t str>,
    version: Option<&'t str>,
    suite: Option<&'t str>,
}

impl<'t> Wish<'t> {
    fn parse(text: &'t str) -> Self {
        let (text, version) =
            text.split_once('=').map_or((text, None), |(text, version)| (text, Some(version)));
        let (text, suite) = text.split_once('/').map_or((text, None), |(text, suite)| (text, Some(suite)));
        let (name, architecture) =
            text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        Self { name, architecture, version, suite }
    }
}

impl<'a> World<'a> {
    pub(super) fn new(
        catalogue: &'a Catalogue,
        image: &'a Image,
        request: &Request,
    ) -> Result<Self, Unsolvable> {
        let mut world = Self {
            catalogue,
            image,
            slots: Vec::new(),
            candidates: Vec::new(),
            by_name: HashMap::new(),
            providers: HashMap::new(),
            install: Vec::new(),
            named: Vec::new(),
            remove: Vec::new(),
            kept: Vec::new(),
            recommends: request.recommends,
        };
        let native = &image.architectures.native;
        let mut index: HashMap<(&'a str, &'a str), usize> = HashMap::new();
        let mut offers: Vec<Vec<usize>> = Vec::new();
        let place = |package: &'a Package| -> (&'a str, &'a str) {
            let architecture = if package.architecture == "all" { native } else { &package.architecture };
            (package.name.as_str(), architecture.as_str())
        };
        for (number, held) in image.held.iter().enumerate() {
            let slot = world.slot(&mut index, &mut offers, place(&held.package));
            world.slots[slot].installed = Some(number);
            world.slots[slot].removable = !held.essential && !held.hold;
        }
        for (number, offer) in catalogue.offers.iter().enumerate() {
            if image.architectures.takes(&offer.package.architecture) {
                let slot = world.slot(&mut index, &mut offers, place(&offer.package));
                offers[slot].push(number);
            }
        }
        world.fill(&offers, request)?;
        Ok(world)
    }

    fn slot(
        &mut self,
        index: &mut HashMap<(&'a str, &'a str), usize>,
        offers: &mut Vec<Vec<usize>>,
        place: (&'a str, &'a str),
    ) -> usize {
        *index.entry(place).or_insert_with(|| {
            self.slots.push(Slot {
                name: place.0.to_owned(),
                architecture: place.1.to_owned(),
                candidates: Vec::new(),
                installed: None,
                removable: true,
            });
            self.by_name.entry(place.0).or_default().push(self.slots.len() - 1);
            offers.push(Vec::new());
            self.slots.len() - 1
        })
    }

    fn fill(&mut self, offers: &[Vec<usize>], request: &Request) -> Result<(), Unsolvable> {
        let mut troubles = Vec::new();
        let wishes: Vec<(&String, Wish<'_>)> = match &request.exact {
            Some(_) => Vec::new(),
            None => request.install.iter().map(|text| (text, Wish::parse(text))).collect(),
        };
        let exact: Option<HashSet<&str>> =
            request.exact.as_ref().map(|exact| exact.iter().map(|(_, _, sha256)| sha256.as_str()).collect());
        // Suites that somebody named open their packages to all dependencies, below what is preferred.
        let suites: Vec<&str> = wishes.iter().filter_map(|(_, wish)| wish.suite).collect();
        let removed: BTreeMap<usize, &String> = self.removals(request, &mut troubles);
        let holds: HashSet<usize> =
            request.hold.iter().flat_map(|name| self.named(&Wish::parse(name))).collect();
        for slot in &holds {
            self.slots[*slot].removable = false;
        }
        for (slot, offers) in offers.iter().enumerate() {
            let stands =
                self.stands(slot, offers, request, exact.as_ref(), &suites, holds.contains(&slot), &wishes);
            for what in stands {
                self.candidates.push(Candidate { slot, what });
                let number = self.candidates.len() - 1;
                self.slots[slot].candidates.push(number);
            }
        }
        for number in 0..self.candidates.len() {
            if let Some(package) = self.package(number) {
                for provided in &package.provides {
                    self.providers.entry(provided.name.as_str()).or_default().push(number);
                }
            }
        }
        for (text, wish) in &wishes {
            match self.asked(text, wish, &holds) {
                Ok(Some(asked)) => self.install.push(asked),
                Ok(None) => {}
                Err(trouble) => troubles.push(trouble),
            }
        }
        self.named = self.install.iter().flat_map(|asked| asked.candidates.iter().copied()).collect();
        if let Some(exact) = &request.exact {
            for text in &request.install {
                match self.asked(text, &Wish::parse(text), &holds) {
                    Ok(asked) => self.named.extend(asked.into_iter().flat_map(|asked| asked.candidates)),
                    Err(_) => troubles.push(format!("{text}: neither the lock nor the image has it")),
                }
            }
            for (name, _, sha256) in exact {
                let candidates: Vec<usize> = (0..self.candidates.len())
                    .filter(|number| match self.candidates[*number].what {
                        Stands::Offer(offer) => self.catalogue.offers[offer].sha256 == *sha256,
                        Stands::Installed(held) => self.is_exact(held, sha256),
                        Stands::Nothing => false,
                    })
                    .collect();
                self.install.push(Asked { text: name.clone(), candidates });
            }
        }
        for asked in &self.install {
            for candidate in &asked.candidates {
                let slot = self.candidates[*candidate].slot;
                if removed.contains_key(&slot) {
                    troubles.push(format!("{} is to be installed and to be removed", asked.text));
                }
                self.slots[slot].removable = false;
            }
        }
        self.remove = removed.into_keys().collect();
        if troubles.is_empty() { Ok(()) } else { Err(Unsolvable(troubles)) }
    }

    /// The installed package is the very one of the lock: the same name, version and architecture.
    fn is_exact(&self, held: usize, sha256: &str) -> bool {
        let own = &self.image.held[held].package;
        self.catalogue.offers.iter().any(|offer| {
            offer.sha256 == sha256
                && offer.package.name == own.name
                && offer.package.version == own.version
                && offer.package.architecture == own.architecture
        })
    }

    fn removals<'r>(&self, request: &'r Request, troubles: &mut Vec<String>) -> BTreeMap<usize, &'r String> {
        let mut removed = BTreeMap::new();
        let names = if request.exact.is_some() { &request.removed } else { &request.remove };
        for name in names {
            for slot in self.named(&Wish::parse(name)) {
                let Some(held) = self.slots[slot].installed.map(|held| &self.image.held[held]) else {
                    continue;
                };
                if held.essential {
                    troubles.push(format!(
                        "{name} is essential or protected: without it the image may not start"
                    ));
                } else {
                    // One that is held is let go when it is named: that is what somebody wants.
                    removed.insert(slot, name);
                }
            }
        }
        removed
    }

    /// The slots that a name means: the image's own architecture unless it says another.
    fn named(&self, wish: &Wish<'_>) -> Vec<usize> {
        let native = &self.image.architectures.native;
        let all = self.by_name.get(wish.name).map(Vec::as_slice).unwrap_or_default();
        let of = |architecture: &str| -> Vec<usize> {
            all.iter().copied().filter(|slot| self.slots[*slot].architecture == architecture).collect()
        };
        match wish.architecture {
            Some(architecture) => of(architecture),
            None => match of(native) {
                none if none.is_empty() => all.to_vec(),
                own => own,
            },
        }
    }

    /// What can stand in a slot, in the order of preference.
    #[allow(clippy::too_many_arguments)]
    fn stands(
        &self,
        slot: usize,
        offers: &[usize],
        request: &Request,
        exact: Option<&HashSet<&str>>,
        suites: &[&str],
        held: bool,
        wishes: &[(&String, Wish<'_>)],
    ) -> Vec<Stands> {
        let place = &self.slots[slot];
        let mut stands: Vec<Stands> = place.installed.map(Stands::Installed).into_iter().collect();
        let nothing = place.installed.is_some().then_some(Stands::Nothing);
        let offer = |number: &usize| &self.catalogue.offers[*number];
        let installed = place.installed.map(|held| &self.image.held[held]);
        let later = |number: &&usize| {
            installed.is_none_or(|held| offer(number).package.version > held.package.version)
        };
        if held || installed.is_some_and(|held| held.hold) {
            stands.extend(nothing);
            return stands;
        }
        if let Some(exact) = exact {
            let fits = |number: &&usize| exact.contains(offer(number).sha256.as_str());
            stands.extend(offers.iter().filter(later).find(fits).map(|number| Stands::Offer(*number)));
            stands.extend(nothing);
            return stands;
        }
        let default = self.image.default_release.as_deref();
        let priority = |offer: &Offer| self.catalogue.releases[offer.release].priority(default);
        let best = |offers: &mut dyn Iterator<Item = &'_ usize>| -> Option<usize> {
            // Of equals the first that was listed.
            offers.copied().reduce(|best, other| {
                let key = |number: usize| {
                    let offer = &self.catalogue.offers[number];
                    (priority(offer), &offer.package.version)
                };
                if key(other) > key(best) { other } else { best }
            })
        };
        // The installed version counts as much as the best release that still offers it, and at least 100.
        let own = installed.map(|held| {
            let same = offers.iter().filter(|number| offer(number).package.version == held.package.version);
            same.map(|number| priority(offer(number))).max().unwrap_or(100).max(100)
        });
        let policy = best(&mut offers.iter().filter(later))
            .filter(|number| own.is_none_or(|own| priority(offer(number)) >= own));
        let security = offers
            .iter()
            .filter(later)
            .filter(|number| self.catalogue.releases[offer(number).release].security);
        let upgrade = match request.upgrade {
            Upgrade::None => None,
            Upgrade::All => policy,
            Upgrade::Security => best(&mut { security }),
        };
        // An upgrade that was asked for is preferred to what is there.
        match upgrade {
            Some(upgrade) if installed.is_some() => stands.insert(0, Stands::Offer(upgrade)),
            _ => {}
        }
        let mut more: Vec<usize> = policy.into_iter().collect();
        for (_, wish) in wishes.iter().filter(|(_, wish)| wish.name == place.name) {
            let fits = |number: &&usize| match (wish.version, wish.suite) {
                (Some(version), _) => {
                    Version::parse(version).is_ok_and(|wanted| offer(number).package.version == wanted)
                }
                (None, Some(suite)) => self.catalogue.releases[offer(number).release].is_called(suite),
                (None, None) => false,
            };
            more.extend(best(&mut offers.iter().filter(later).filter(fits)));
        }
        for suite in suites {
            let fits = |number: &&usize| self.catalogue.releases[offer(number).release].is_called(suite);
            more.extend(best(&mut offers.iter().filter(later).filter(fits)));
        }
        for number in more {
            if !stands.contains(&Stands::Offer(number)) {
                stands.push(Stands::Offer(number));
            }
        }
        stands.extend(nothing);
        stands
    }

    /// What a wish means; `None` when there is nothing to do.
    fn asked(
        &mut self,
        text: &str,
        wish: &Wish<'_>,
        holds: &HashSet<usize>,
    ) -> Result<Option<Asked>, String> {
        if let Some(version) = wish.version {
            Version::parse(version).map_err(|what| format!("{text}: {what}"))?;
        }
        let slots = self.named(wish);
        let real: Vec<usize> = slots.iter().flat_map(|slot| self.slots[*slot].candidates.clone()).collect();
        let fits = |number: &usize| match self.candidates[*number].what {
            Stands::Nothing => false,
            Stands::Installed(held) => match (wish.version, wish.suite) {
                (Some(version), _) => Version::parse(version)
                    .is_ok_and(|wanted| self.image.held[held].package.version == wanted),
                (None, Some(suite)) => self.catalogue.offers.iter().any(|offer| {
                    offer.package.name == wish.name
                        && offer.package.version == self.image.held[held].package.version
                        && self.catalogue.releases[offer.release].is_called(suite)
                }),
                (None, None) => true,
            },
            Stands::Offer(offer) => {
                let offer = &self.catalogue.offers[offer];
                match (wish.version, wish.suite) {
                    (Some(version), _) => {
                        Version::parse(version).is_ok_and(|wanted| offer.package.version == wanted)
                    }
                    (None, Some(suite)) => self.catalogue.releases[offer.release].is_called(suite),
                    (None, None) => true,
                }
            }
        };
        let candidates: Vec<usize> = real.iter().copied().filter(|number| fits(number)).collect();
        let installed = candidates.iter().find_map(|number| match self.candidates[*number].what {
            Stands::Installed(held) => Some(held),
            _ => None,
        });
        if let Some(held) = installed {
            self.kept.push((
                text.to_owned(),
                format!("{} is installed already", self.image.held[held].package.version),
            ));
        }
        if !candidates.is_empty() {
            return Ok(Some(Asked { text: text.to_owned(), candidates }));
        }
        // Something is there under that name, and not what was asked for.
        let held = slots.iter().find_map(|slot| self.slots[*slot].installed.map(|held| (*slot, held)));
        if let Some((slot, held)) = held {
            let own = &self.image.held[held];
            let version = &own.package.version;
            let offered = self.offered(wish.name);
            return Err(match wish.version.and_then(|version| Version::parse(version).ok()) {
                _ if own.hold || holds.contains(&slot) => format!("{text}: {} {version} is held", wish.name),
                Some(wanted) if wanted < *version => {
                    format!("{text}: the image has {version}, and nothing is downgraded here")
                }
                _ => format!(
                    "{text}: the image has {version}, and no repository offers what is asked for; {offered}"
                ),
            });
        }
        if !slots.is_empty() {
            return Err(format!("{text}: no repository offers that; {}", self.offered(wish.name)));
        }
        let mut providers: Vec<usize> =
            self.providers.get(wish.name).map(Vec::as_slice).unwrap_or_default().to_vec();
        providers.retain(|number| {
            self.slots[self.candidates[*number].slot].architecture == self.image.architectures.native
        });
        let names: std::collections::BTreeSet<&str> =
            providers.iter().map(|number| self.slots[self.candidates[*number].slot].name.as_str()).collect();
        let has =
            providers.iter().any(|number| matches!(self.candidates[*number].what, Stands::Installed(_)));
        match names.len() {
            0 => Err(format!("{text}: no repository offers a package of that name")),
            1 => Ok(Some(Asked { text: text.to_owned(), candidates: providers })),
            _ if has => {
                self.kept.push((text.to_owned(), "something that provides it is installed".to_owned()));
                Ok(None)
            }
            _ => {
                let names: Vec<&str> = names.into_iter().take(8).collect();
                Err(format!("{text} is provided by {}; name one of them", names.join(", ")))
            }
        }
    }

    /// "b 1 is offered by …" for messages.
    pub(super) fn offered(&self, name: &str) -> String {
        let mut all: Vec<String> = Vec::new();
        for offer in self.catalogue.offers.iter().filter(|offer| offer.package.name == name) {
            let release = &self.catalogue.releases[offer.release];
            let one =
                format!("{name} {} is offered by {} {}", offer.package.version, release.uri, release.suite);
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all.truncate(4);
        if all.is_empty() { format!("{name} is not offered at all") } else { all.join(", ") }
    }

    pub(super) fn package(&self, candidate: usize) -> Option<&'a Package> {
        match self.candidates[candidate].what {
            Stands::Installed(held) => Some(&self.image.held[held].package),
            Stands::Offer(offer) => Some(&self.catalogue.offers[offer].package),
            Stands::Nothing => None,
        }
    }

    pub(super) fn recommends(&self, candidate: usize) -> &'a [Group] {
        match self.candidates[candidate].what {
            Stands::Offer(offer) => &self.catalogue.offers[offer].recommends,
            _ => &[],
        }
    }

    pub(super) fn label(&self, candidate: usize) -> String {
        let slot = &self.slots[self.candidates[candidate].slot];
        match self.package(candidate) {
            Some(package) => format!("{} {}", self.image.label(package), package.version),
            None => format!("no {}", slot.name),
        }
    }

    fn meant(&self, relation: &Relation, owner: &Package, sense: Sense) -> Vec<usize> {
        let native = &self.image.architectures.native;
        let mut found: Vec<usize> = Vec::new();
        let real = self.by_name.get(relation.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let real = real.iter().flat_map(|slot| self.slots[*slot].candidates.iter().copied());
        let provided = self.providers.get(relation.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        for number in real.chain(provided.iter().copied()) {
            let fits =
                self.package(number).is_some_and(|package| relation.matches(package, owner, native, sense));
            if fits && !found.contains(&number) {
                found.push(number);
            }
        }
        found
    }

    /// What satisfies a group, in the order of preference: what is installed, then as written.
    pub(super) fn satisfying(&self, group: &Group, owner: &Package) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for relation in &group.0 {
            for number in self.meant(relation, owner, Sense::Positive) {
                if !found.contains(&number) {
                    found.push(number);
                }
            }
        }
        let is_installed = |number: &usize| self.slots[self.candidates[*number].slot].installed.is_some();
        found.sort_by_key(|number| !is_installed(number));
        found
    }

    /// What a package needs, and what of it counts: an installed package may go on lacking what it lacks.
    pub(super) fn needs(&self, candidate: usize) -> Vec<&'a Group> {
        let Some(package) = self.package(candidate) else { return Vec::new() };
        let groups = package.pre_depends.iter().chain(&package.depends);
        if !matches!(self.candidates[candidate].what, Stands::Installed(_)) {
            return groups.collect();
        }
        let has = |number: &usize| matches!(self.candidates[*number].what, Stands::Installed(_));
        groups.filter(|group| self.satisfying(group, package).iter().any(has)).collect()
    }

    /// What cannot stand beside a candidate.
    pub(super) fn excludes(&self, candidate: usize) -> Vec<usize> {
        let Some(package) = self.package(candidate) else { return Vec::new() };
        let own = self.candidates[candidate];
        let is_installed = |what: Stands| matches!(what, Stands::Installed(_));
        let mut found: Vec<usize> = Vec::new();
        for relation in package.conflicts.iter().chain(&package.breaks) {
            for number in self.meant(relation, package, Sense::Negative) {
                // Nothing conflicts with itself, whatever it provides.
                let itself = self.package(number).is_some_and(|other| other.name == package.name);
                let before = is_installed(own.what) && is_installed(self.candidates[number].what);
                if !itself && !before {
                    found.push(number);
                }
            }
        }
        // The same package for another architecture: the same version, or not at all.
        for slot in self.by_name.get(package.name.as_str()).map(Vec::as_slice).unwrap_or_default() {
            if *slot == own.slot {
                continue;
            }
            for number in &self.slots[*slot].candidates {
                let Some(other) = self.package(*number) else { continue };
                let together = package.multi_arch == MultiArch::Same
                    && other.multi_arch == MultiArch::Same
                    && package.version == other.version;
                let before = is_installed(own.what) && is_installed(self.candidates[*number].what);
                if !together && !before {
                    found.push(*number);
                }
            }
        }
        found
    }
}
