//! Groups, rules and members put together: whose group a source is, whether it is still there, what is open, what is
//! unused.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Member, Ports, Rule, Source, world};
use crate::text::masked;

/// A group by id or name, as a rule or an instance names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `sg-…`.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its account.
    pub account: Option<String>,
    /// It is in another network, behind a peering.
    pub peered: bool,
}

/// Where a rule lets in from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A network.
    Network(String),
    /// A prefix list.
    List(String),
    /// A group.
    Group(Named),
}

/// A rule with one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What it lets through.
    pub ports: Ports,
    /// From where.
    pub origin: Origin,
}

/// A group as the cloud describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its maker says of it.
    pub description: String,
    /// Its account.
    pub owner: String,
    /// Its network.
    pub vpc: Option<String>,
    /// What is let in.
    pub ingress: Vec<Allowed>,
    /// What is let out.
    pub egress: Vec<Allowed>,
}

/// An instance, or an interface that is no instance's, and the groups that it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Who.
    pub member: Member,
    /// In which groups.
    pub groups: Vec<Named>,
    /// Its network; names are taken in it.
    pub vpc: Option<String>,
}

/// The account's groups, found by id and by name.
struct Index {
    ids: BTreeMap<String, (String, usize)>,
    /// By owner, network and name: a name is one group's in each network.
    names: BTreeMap<(Option<String>, String), Vec<usize>>,
}

impl Index {
    fn new(groups: &[Described]) -> Self {
        let ids = groups.iter().enumerate();
        let ids = ids.map(|(index, group)| (group.id.clone(), (group.name.clone(), index))).collect();
        let mut names: BTreeMap<(Option<String>, String), Vec<usize>> = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            names.entry((group.vpc.clone(), group.name.clone())).or_default().push(index);
        }
        Self { ids, names }
    }

    /// The place of the group that `named` is, in the network of who names it.
    fn find(&self, named: &Named, vpc: Option<&String>) -> Option<usize> {
        if let Some(id) = &named.id {
            return self.ids.get(id).map(|(_, index)| *index);
        }
        let of = self.names.get(&(vpc.cloned(), named.name.clone()?))?;
        of.first().copied().filter(|_| of.len() == 1)
    }
}

/// Puts all together. `placed`: everybody who can be in a group; `None` where that could not be asked.
pub fn build(mut described: Vec<Described>, placed: Option<&[Placed]>) -> Vec<Group> {
    described.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    described.dedup_by(|a, b| a.id == b.id);
    let index = Index::new(&described);
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut groups: Vec<Group> = Vec::with_capacity(described.len());
    for (own, group) in described.iter().enumerate() {
        let mut rules = |all: &[Allowed]| -> Vec<Rule> {
            let mut rules: Vec<Rule> = all
                .iter()
                .map(|allowed| {
                    let source = source(allowed, group, &described, &index);
                    if let Origin::Group(named) = &allowed.origin {
                        // A group that lets itself in is no use of it.
                        used.extend(index.find(named, group.vpc.as_ref()).filter(|found| *found != own));
                    }
                    let wide = world::is_wide(&source);
                    Rule { ports: allowed.ports.clone(), source, open: false, wide }
                })
                .collect();
            rules.sort_by(|a, b| (&a.ports, &a.source).cmp(&(&b.ports, &b.source)));
            rules.dedup();
            rules
        };
        let (mut ingress, mut egress) = (rules(&group.ingress), rules(&group.egress));
        let open = world::open(&ingress);
        egress.iter_mut().for_each(|rule| rule.wide = false);
        for rule in &mut ingress {
            rule.open = world::takes_part(rule, &open);
            rule.wide &= !rule.open;
        }
        groups.push(Group {
            id: group.id.clone(),
            name: group.name.clone(),
            description: group.description.clone(),
            vpc: group.vpc.clone(),
            ingress,
            egress,
            members: Vec::new(),
            open_to_world: open,
            unused: None,
        });
    }
    let Some(placed) = placed else { return groups };
    for somebody in placed {
        let places: BTreeSet<usize> =
            somebody.groups.iter().filter_map(|named| index.find(named, somebody.vpc.as_ref())).collect();
        for place in places {
            if let Some(group) = groups.get_mut(place) {
                group.members.push(somebody.member.clone());
            }
        }
    }
    for (own, group) in groups.iter_mut().enumerate() {
        group.members.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        group.members.dedup();
        group.unused = Some(group.members.is_empty() && !used.contains(&own) && group.name != "default");
    }
    groups
}

fn source(allowed: &Allowed, group: &Described, all: &[Described], index: &Index) -> Source {
    let named = match &allowed.origin {
        Origin::Network(cidr) => return Source::Network { cidr: cidr.clone() },
        Origin::List(id) => return Source::PrefixList { id: id.clone() },
        Origin::Group(named) => named,
    };
    let known = index.find(named, group.vpc.as_ref()).and_then(|place| all.get(place));
    let of_others = |account: &&String| **account != group.owner && !account.is_empty();
    let other = named.account.as_ref().filter(of_others).filter(|_| known.is_none());
    let exists = match known {
        Some(_) => Some(true),
        None if other.is_some() || named.peered => None,
        None => Some(false),
    };
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    Source::Group {
        id: filled(known.map(|group| group.id.clone()).or_else(|| named.id.clone())),
        name: filled(known.map(|group| group.name.clone()).or_else(|| named.name.clone())),
        other_account: other.map(|account| masked(account)),
        exists,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> Named {
        Named { id: Some(id.to_owned()), ..Named::default() }
    }

    fn allowed(port: i64, origin: Origin) -> Allowed {
        Allowed { ports: Ports::new("tcp", Some(port), Some(port)), origin }
    }

    fn described(id: &str, name: &str, ingress: Vec<Allowed>) -> Described {
        Described {
            id: id.to_owned(),
            name: name.to_owned(),
            owner: "111122223333".to_owned(),
            vpc: Some("vpc-1".to_owned()),
            ingress,
            ..Described::default()
        }
    }

    fn member(id: &str, groups: &[Named]) -> Placed {
        let member = Member { id: id.to_owned(), ..Member::default() };
        Placed { member, groups: groups.to_vec(), vpc: Some("vpc-1".to_owned()) }
    }

    #[test]
    fn sources_are_groups_of_ours_of_others_or_of_nobody() {
        let other = Named {
            id: Some("sg-9".to_owned()),
            account: Some("123456789012".to_owned()),
            ..Named::default()
        };
        let by_name = Named {
            name: Some("app".to_owned()),
            account: Some("111122223333".to_owned()),
            ..Named::default()
        };
        let peered = Named { peered: true, ..named("sg-7") };
        let web = described(
            "sg-1",
            "web",
            vec![
                allowed(1, Origin::Group(named("sg-2"))),
                allowed(2, Origin::Group(named("sg-8"))),
                allowed(3, Origin::Group(other)),
                allowed(4, Origin::Group(by_name)),
                allowed(5, Origin::Group(peered)),
                allowed(6, Origin::List("pl-1".to_owned())),
            ],
        );
        let groups = build(vec![web, described("sg-2", "app", vec![])], Some(&[]));
        let words: Vec<String> = groups[1].ingress.iter().map(|rule| rule.source.words()).collect();
        assert_eq!(
            words,
            [
                "group app (sg-2)",
                "group sg-8, which is gone",
                "group sg-9 of other account …9012",
                "group app (sg-2)",
                "group sg-7",
                "prefix list pl-1",
            ]
        );
        let text = serde_json::to_string(&groups).unwrap();
        assert!(!text.contains("123456789012") && !text.contains("111122223333"), "{text}");
    }

    #[test]
    fn members_are_found_and_unused_groups_told() {
        let to_itself = described("sg-4", "alone", vec![allowed(1, Origin::Group(named("sg-4")))]);
        let all = vec![
            described("sg-1", "web", vec![allowed(1, Origin::Group(named("sg-2")))]),
            described("sg-2", "app", vec![]),
            described("sg-3", "default", vec![]),
            to_itself,
        ];
        let by_name = Named { name: Some("web".to_owned()), ..Named::default() };
        let placed = [member("i-2", &[named("sg-1"), by_name.clone()]), member("eni-1", &[by_name])];
        let groups = build(all.clone(), Some(&placed));
        let told: Vec<(&str, Option<bool>, Vec<&str>)> = groups
            .iter()
            .map(|group| {
                let members = group.members.iter().map(|member| member.id.as_str()).collect();
                (group.name.as_str(), group.unused, members)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("alone", Some(true), vec![]),
                ("app", Some(false), vec![]),
                ("default", Some(false), vec![]),
                ("web", Some(false), vec!["eni-1", "i-2"]),
            ]
        );
        assert!(build(all, None).iter().all(|group| group.unused.is_none()));
    }

    #[test]
    fn rules_that_let_the_world_in_are_marked() {
        let network = |cidr: &str| Origin::Network(cidr.to_owned());
        let group = described(
            "sg-1",
            "web",
            vec![
                allowed(22, network("0.0.0.0/1")),
                allowed(22, network("128.0.0.0/1")),
                allowed(22, network("192.0.2.0/24")),
                allowed(80, network("0.0.0.0/1")),
                allowed(443, network("::/0")),
            ],
        );
        let groups = build(vec![group], None);
        let marks: Vec<(bool, bool)> = groups[0].ingress.iter().map(|rule| (rule.open, rule.wide)).collect();
        assert_eq!(marks, [(true, false), (true, false), (false, false), (false, true), (true, false)]);
        let words: Vec<String> = groups[0].open_to_world.iter().map(Ports::words).collect();
        assert_eq!(words, ["tcp/22", "tcp/443"]);
    }
}
