//! What an account holds besides images and snapshots: networks, groups, key pairs, volumes.

use crate::builder::{Dialect, Options};
use crate::world::{Region, State, Tags, World};

/// A key pair's public half.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    /// `rsa`, `ed25519`.
    pub(crate) kind: &'static str,
    /// As OpenSSH writes it.
    pub(crate) public: String,
    pub(crate) tags: Tags,
    pub(crate) created: i64,
}

/// Who a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    V4(String),
    V6(String),
    /// Account, id and name of a group.
    Group(String, String, String),
}

/// A rule of a group.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) protocol: String,
    pub(crate) ports: Option<(i64, i64)>,
    pub(crate) source: Source,
    pub(crate) description: Option<String>,
}

impl Rule {
    /// Descriptions make no difference.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (&self.protocol, self.ports, &self.source) == (&other.protocol, other.ports, &other.source)
    }
}

/// A security group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) egress: Vec<Rule>,
    pub(crate) tags: Tags,
    /// It was there from the beginning.
    pub(crate) preset: bool,
}

/// Where a volume is.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) instance: String,
    pub(crate) device: String,
    pub(crate) delete: bool,
    /// Else it is being attached.
    pub(crate) done: bool,
    pub(crate) since: i64,
}

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) zone: String,
    pub(crate) size: u64,
    pub(crate) kind: String,
    pub(crate) snapshot: Option<String>,
    pub(crate) iops: Option<u64>,
    pub(crate) encrypted: bool,
    pub(crate) state: State,
    pub(crate) attachment: Option<Attachment>,
    pub(crate) tags: Tags,
    pub(crate) created: i64,
    /// So many descriptions do not have it yet.
    pub(crate) unseen: u32,
}

impl Volume {
    /// `creating`, `available`, `in-use`, `error`.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.state, &self.attachment) {
            (State::Pending(_), _) => "creating",
            (State::Failed(_), _) => "error",
            (State::Ready, None) => "available",
            (State::Ready, Some(_)) => "in-use",
        }
    }
}

/// A part of a network, in one zone.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) owner: String,
    pub(crate) zone: String,
    pub(crate) cidr: String,
    pub(crate) default: bool,
    pub(crate) tags: Tags,
}

/// A network.
#[derive(Clone, Debug)]
pub(crate) struct Vpc {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) cidr: String,
    pub(crate) default: bool,
    pub(crate) tags: Tags,
}

/// The zones of a region.
pub(crate) fn zones(options: &Options, region: &str) -> Vec<String> {
    let names = options.zones.iter();
    match options.dialect {
        Dialect::Aws => names.map(|letter| format!("{region}{letter}")).collect(),
        Dialect::Euca => options.zones.clone(),
    }
}

/// What every account has in a region from the beginning: a network on AWS, a group `default`, and what options ask
/// for.
pub(crate) fn preset(world: &mut World, options: &Options, name: &str) {
    let euca = options.dialect == Dialect::Euca;
    for account in &options.accounts {
        let mut vpc = None;
        if !euca {
            let id = world.id("vpc", false);
            let zones = zones(options, name);
            let with_subnets = !options.default_vpc || options.default_subnets;
            for (index, zone) in zones.iter().enumerate().filter(|_| with_subnets) {
                let subnet = Subnet {
                    id: world.id("subnet", false),
                    vpc: id.clone(),
                    owner: account.number.clone(),
                    zone: zone.clone(),
                    cidr: format!("172.31.{}.0/20", index * 16),
                    default: options.default_vpc,
                    tags: Tags::from([("Name".to_owned(), format!("subnet {index}"))]),
                };
                world.region(name).subnets.push(subnet);
            }
            let made = Vpc {
                id: id.clone(),
                owner: account.number.clone(),
                cidr: "172.31.0.0/16".to_owned(),
                default: options.default_vpc,
                tags: Tags::new(),
            };
            world.region(name).vpcs.push(made);
            vpc = Some(id);
        }
        let mut names = vec!["default".to_owned()];
        names.extend(options.groups.iter().cloned());
        for group in names {
            let id = world.id("sg", euca);
            let made = Group {
                id: id.clone(),
                owner: account.number.clone(),
                description: format!("{group} VPC security group"),
                name: group,
                vpc: vpc.clone(),
                rules: Vec::new(),
                egress: all_out(euca),
                tags: Tags::new(),
                preset: true,
            };
            world.region(name).groups.insert(id, made);
        }
        for pair in &options.key_pairs {
            let made = KeyPair {
                id: world.id("key", false),
                name: pair.clone(),
                fingerprint: "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff".to_owned(),
                kind: "rsa",
                public: String::new(),
                tags: Tags::from([("preset".to_owned(), "true".to_owned())]),
                created: 0,
            };
            world.region(name).key_pairs.insert((account.number.clone(), pair.clone()), made);
        }
    }
}

/// The rules of a new group that let out; groups without a network have none.
pub(crate) fn all_out(euca: bool) -> Vec<Rule> {
    let rule = Rule {
        protocol: "-1".to_owned(),
        ports: None,
        source: Source::V4("0.0.0.0/0".to_owned()),
        description: None,
    };
    if euca { Vec::new() } else { vec![rule] }
}

/// A group by its id, or by its name where names are known: without a network, or in the default one.
pub(crate) fn group<'a>(region: &'a Region, account: &str, key: &str) -> Option<&'a Group> {
    let named = |group: &&Group| {
        let network = group.vpc.as_ref();
        let known = network.is_none_or(|id| region.vpcs.iter().any(|vpc| vpc.id == *id && vpc.default));
        group.name == key && known
    };
    let mut own = region.groups.values().filter(|group| group.owner == account);
    own.clone().find(|group| group.id == key).or_else(|| own.find(named))
}

/// A step of an instance's life: somebody looked at it. The end of one takes its volumes along.
pub(crate) fn advance(region: &mut Region, id: &str) {
    let Some(instance) = region.instances.get_mut(id) else { return };
    match (instance.state, instance.polls) {
        ("pending", 0) => match instance.doomed.take() {
            None => instance.state = "running",
            Some(reason) => {
                instance.reason = Some(reason);
                instance.state = "terminated";
            }
        },
        ("shutting-down", 0) => instance.state = "terminated",
        (_, 0) => {}
        _ => instance.polls -= 1,
    }
    if instance.state == "terminated" {
        release(region, id);
    }
}

/// Volumes of an instance that is no more: they go with it, or are there for others.
pub(crate) fn release(region: &mut Region, instance: &str) {
    let of = |volume: &Volume| volume.attachment.as_ref().filter(|at| at.instance == instance).cloned();
    region.volumes.retain(|_, volume| !of(volume).is_some_and(|at| at.delete));
    for volume in region.volumes.values_mut() {
        if of(volume).is_some() {
            volume.attachment = None;
        }
    }
}
