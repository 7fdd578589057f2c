//! Instances of a cloud or of this machine, alike.

mod cloud;
mod here;

use hardtack_cloud::ec2::{Instance, Reservation};

use crate::Error;

pub use cloud::CloudMachines;
pub use here::LocalMachines;

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// As EC2 would describe it.
    pub instance: Instance,
    /// Where its SSH answers from here, where that is known.
    pub ssh: Option<(String, u16)>,
}

impl Machine {
    /// Whether it has ended, or is about to: nobody logs in there.
    pub fn has_ended(&self) -> bool {
        matches!(self.instance.state.name.as_str(), "shutting-down" | "terminated" | "stopping" | "stopped")
    }

    /// Where its SSH answers: at its port of this machine, at its public address, or at its private one.
    pub fn host(&self) -> Option<(String, u16)> {
        let address = self.instance.public_address.as_ref().or(self.instance.private_address.as_ref());
        self.ssh.clone().or_else(|| Some((address.filter(|address| !address.is_empty())?.clone(), 22)))
    }
}

/// Which instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// These. One that there is not is an error.
    Ids(Vec<String>),
    /// Those with this tag; any value where there is none.
    Tag(String, Option<String>),
    /// Those of an auto scaling group.
    Group(String),
    /// Those that match EC2's filters: name, values.
    Filters(Vec<(String, Vec<String>)>),
}

impl Selection {
    /// What people write: `i-…`, `tag:K=V`, `asg:NAME`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Some(tag) = text.strip_prefix("tag:") {
            let (key, value) = tag.split_once('=').map_or((tag, None), |(key, value)| (key, Some(value)));
            if !key.is_empty() {
                return Ok(Self::Tag(key.to_owned(), value.map(str::to_owned)));
            }
        } else if let Some(group) = text.strip_prefix("asg:").filter(|group| !group.is_empty()) {
            return Ok(Self::Group(group.to_owned()));
        } else if is_id(text) {
            return Ok(Self::Ids(vec![text.to_owned()]));
        }
        Err(Error::Usage(format!(
            "{text:?} is no instance: it is an id as i-0123456789abcdef0, tag:KEY=VALUE, or asg:GROUP"
        )))
    }
}

/// Whether this may be an instance's id.
pub fn is_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| {
        (8..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Which part of a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What was kept last, which may be old, and may be its beginning only.
    Kept,
    /// What is there now.
    Latest,
}

/// A size that instances can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// `t3.small`.
    pub name: String,
    /// Processors.
    pub processors: u32,
    /// MiB of memory.
    pub memory: u64,
    /// GiB of its own disks, where it has some or it is told.
    pub disk: Option<u64>,
    /// `x86_64`, `arm64`.
    pub architectures: Vec<String>,
    /// Where the cloud tells it: by zone, how many more could be started, and how many there could be at most.
    pub free: Vec<(String, u32, u32)>,
    /// Network interfaces, at most.
    pub interfaces: Option<u32>,
}

/// By family, then by size: `t3.small` stands before `t3.large`, and that before `t3.2xlarge`.
fn size_order(size: &Size) -> (&str, u32, u64, &str) {
    (size.name.split('.').next().unwrap_or_default(), size.processors, size.memory, &size.name)
}

/// Instances by what they were started with, in the order given.
fn together(instances: Vec<Instance>) -> Vec<Reservation> {
    let mut found: Vec<Reservation> = Vec::new();
    for instance in instances {
        match found.iter_mut().find(|reservation| reservation.id == instance.reservation) {
            Some(reservation) => reservation.instances.push(instance),
            None => found.push(Reservation {
                id: instance.reservation.clone(),
                owner: instance.owner.clone(),
                groups: instance.groups.clone(),
                instances: vec![instance],
            }),
        }
    }
    found
}

/// Where instances are.
pub trait Machines {
    /// Those that are chosen.
    ///
    /// # Errors
    /// One of the ids is unknown; no answer.
    fn describe(&self, which: &Selection) -> Result<Vec<Machine>, Error>;

    /// The same as they were started together, without what only this machine knows of them.
    ///
    /// # Errors
    /// As [`describe`](Self::describe).
    fn reservations(&self, which: &Selection) -> Result<Vec<Reservation>, Error> {
        Ok(together(self.describe(which)?.into_iter().map(|machine| machine.instance).collect()))
    }

    /// A part of an instance's console, decoded; `None` where this place or this type does not have that part.
    ///
    /// # Errors
    /// There is no such instance; no answer.
    fn console(&self, id: &str, part: Part) -> Result<Option<Vec<u8>>, Error>;

    /// Ends an instance; false where there is none.
    ///
    /// # Errors
    /// It is protected; no answer.
    fn terminate(&self, id: &str) -> Result<bool, Error>;

    /// What people should know of an instance, a sentence each.
    fn notes(&self, _id: &str) -> Vec<String> {
        Vec::new()
    }

    /// Sizes, sorted as people would.
    ///
    /// # Errors
    /// No answer.
    fn sizes(&self, names: &[String]) -> Result<Vec<Size>, Error>;

    /// What programs have around them.
    fn environment(&self) -> &hardtack_cloud::Environment;
}
