//! Security groups as they are told.

use serde::Serialize;

use super::Ports;

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its maker says of it.
    pub description: String,
    /// Its network.
    pub vpc: Option<String>,
    /// What is let in.
    pub ingress: Vec<Rule>,
    /// What is let out.
    pub egress: Vec<Rule>,
    /// Who is in it.
    pub members: Vec<Member>,
    /// What of it the world reaches.
    pub open_to_world: Vec<Ports>,
    /// Nobody is in it, and no group's rule names it. `None`: members could not be asked for. Groups that are called
    /// `default` cannot be removed, and are not told as unused.
    pub unused: Option<bool>,
}

impl Group {
    /// Name and id, the name only where it says more.
    pub fn title(&self) -> String {
        if self.name.is_empty() || self.name == self.id {
            self.id.clone()
        } else {
            format!("{} ({})", self.name, self.id)
        }
    }
}

/// Something that is let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Protocol and ports.
    pub ports: Ports,
    /// From where; of egress rules: to where.
    pub source: Source,
    /// It lets the world in, by itself or with others of its group. Ingress only.
    pub open: bool,
    /// A network that is not the world, and of more than 2^24 addresses (IPv4), or 2^112 (IPv6). Ingress only.
    pub wide: bool,
}

/// Where something comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A network.
    Network {
        /// `10.0.0.0/8`, `2001:db8::/32`.
        cidr: String,
    },
    /// A list of networks, which is not looked into.
    PrefixList {
        /// `pl-…`.
        id: String,
    },
    /// The members of a group.
    Group {
        /// `sg-…`; Eucalyptus may tell a name only.
        id: Option<String>,
        /// Its name, where it is known.
        name: Option<String>,
        /// Its account where it is another one, masked: `…9012`.
        other_account: Option<String>,
        /// It is among the account's groups. `None`: it is another account's, and nobody here can tell.
        exists: Option<bool>,
    },
}

impl Source {
    /// The network.
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Network { cidr } => Some(cidr),
            _ => None,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Network { cidr } => cidr.clone(),
            Self::PrefixList { id } => format!("prefix list {id}"),
            Self::Group { id, name, other_account, exists } => {
                let mut text = match (name.as_deref().filter(|name| !name.is_empty()), id) {
                    (Some(name), Some(id)) => format!("group {name} ({id})"),
                    (Some(only), None) => format!("group {only}"),
                    (None, Some(id)) => format!("group {id}"),
                    (None, None) => "a group".to_owned(),
                };
                if let Some(account) = other_account {
                    text.push_str(&format!(" of other account {account}"));
                }
                if *exists == Some(false) {
                    text.push_str(", which is gone");
                }
                text
            }
        }
    }
}

/// Somebody in a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Member {
    /// `i-…`, or `eni-…` of an interface that is no instance's.
    pub id: String,
    /// Its tag Name; of an interface what it says of itself.
    pub name: Option<String>,
    /// Its public name.
    pub public_name: Option<String>,
    /// Its public address.
    pub public_address: Option<String>,
    /// Its private address.
    pub private_address: Option<String>,
}

impl Member {
    /// How the world finds it.
    pub fn public(&self) -> Option<&str> {
        self.public_name.as_deref().or(self.public_address.as_deref())
    }
}
