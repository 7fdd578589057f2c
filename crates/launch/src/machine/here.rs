//! Instances of this machine.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hardtack_cloud::Environment;
use hardtack_cloud::ec2::{GroupRef, Instance, InstanceState};
use hardtack_local::instance::DiskBus;
use hardtack_local::{Instance as Local, Instances};

use super::{Machine, Machines, Part, Selection, Size};
use crate::Error;
use crate::here::types;

/// How much of a console is given: more than any cloud gives.
const CONSOLE: u64 = 1 << 20;
/// The guest's port of SSH.
const SSH: u16 = 22;
/// Where ports of instances are.
const HERE: &str = "127.0.0.1";
/// The zone of all of them.
const ZONE: &str = "local";

/// Instances of a local catalog.
#[derive(Debug)]
pub struct LocalMachines {
    /// Them.
    pub instances: Instances,
    environment: Arc<Environment>,
}

impl LocalMachines {
    /// Those of a catalog.
    pub fn new(instances: Instances, environment: Arc<Environment>) -> Self {
        Self { instances, environment }
    }

    fn unknown(&self, id: &str) -> Error {
        Error::Refused(format!(
            "{id}: {} has no such instance; `hardtack instances` lists them, and --on names a cloud",
            self.instances.catalog().display()
        ))
    }
}

impl Machines for LocalMachines {
    fn describe(&self, which: &Selection) -> Result<Vec<Machine>, Error> {
        let all = || Ok::<_, Error>(self.instances.all()?.iter().map(machine).collect::<Vec<_>>());
        match which {
            Selection::All => all(),
            Selection::Ids(ids) => ids
                .iter()
                .map(|id| self.instances.find(id)?.as_ref().map(machine).ok_or_else(|| self.unknown(id)))
                .collect(),
            Selection::Tag(key, value) => {
                let has = |machine: &Machine| {
                    let mut tags = machine.instance.tags.iter();
                    tags.any(|(name, has)| name == key && value.as_ref().is_none_or(|value| value == has))
                };
                Ok(all()?.into_iter().filter(has).collect())
            }
            Selection::Group(name) => Err(Error::Usage(format!(
                "asg:{name}: this machine has no auto scaling groups: --on names a cloud"
            ))),
            Selection::Filters(filters) => {
                for (name, _) in filters {
                    values(&Machine::default(), name)?;
                }
                Ok(all()?.into_iter().filter(|machine| passes(machine, filters)).collect())
            }
        }
    }

    fn console(&self, id: &str, part: Part) -> Result<Option<Vec<u8>>, Error> {
        match part {
            // All of it is there at any time.
            Part::Kept => Ok(None),
            Part::Latest => match self.instances.console(id, CONSOLE)? {
                Some((bytes, _)) => Ok(Some(bytes)),
                None => Err(self.unknown(id)),
            },
        }
    }

    fn terminate(&self, id: &str) -> Result<bool, Error> {
        Ok(self.instances.terminate(id, &self.environment)?)
    }

    fn sizes(&self, names: &[String]) -> Result<Vec<Size>, Error> {
        let running = self.instances.all()?.into_iter().filter(|instance| instance.state.name == "running");
        let busy = running.fold((0_u64, 0_u64), |(processors, memory), instance| {
            let spec = instance.spec;
            (processors.saturating_add(spec.processors.into()), memory.saturating_add(spec.memory))
        });
        types::sizes(names, busy)
    }

    fn notes(&self, id: &str) -> Vec<String> {
        // One that cannot be read is told by others.
        self.instances.find(id).ok().flatten().map(|instance| instance.notes).unwrap_or_default()
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// As EC2 would describe it.
fn machine(local: &Local) -> Machine {
    let spec = &local.spec;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let runs = local.state.name == "running";
    let root = match spec.disk_bus {
        DiskBus::Virtio => "/dev/vda",
        DiskBus::Nvme => "/dev/nvme0n1",
    };
    // A damaged entry may name a time that no calendar has.
    let launched =
        UNIX_EPOCH.checked_add(Duration::from_secs(spec.launched.min(1 << 36))).unwrap_or(UNIX_EPOCH);
    let group = |name: &String| GroupRef { name: name.clone(), ..GroupRef::default() };
    let instance = Instance {
        id: spec.id.clone(),
        image: spec.image.clone(),
        state: InstanceState { name: local.state.name.clone(), reason: local.state.reason.clone() },
        public_address: runs.then(|| HERE.to_owned()),
        public_name: runs.then(|| HERE.to_owned()),
        private_address: local.private_address.clone(),
        private_name: local.private_address.clone(),
        tags: spec.tags.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        reservation: spec.reservation.clone(),
        owner: "local".to_owned(),
        key_name: spec.key.as_ref().map(|(name, _)| name.clone()),
        launch_index: Some(spec.launch_index),
        instance_type: spec.instance_type.clone(),
        launched: hardtack_cloud::iso(launched).replace('Z', ".000Z"),
        zone: Some(ZONE.to_owned()),
        root_type: Some("instance-store".to_owned()),
        root_device: Some(root.to_owned()),
        virtualization: Some("hvm".to_owned()),
        hypervisor: local.accel.clone(),
        groups: spec.groups.iter().map(group).collect(),
        architecture: text(&spec.architecture),
        ..Instance::default()
    };
    let port = local.ports.get(&SSH).filter(|_| runs);
    Machine { instance, ssh: port.map(|port| (HERE.to_owned(), *port)) }
}

/// EC2's filters (`DescribeInstances`), those that mean something here.
fn values(machine: &Machine, name: &str) -> Result<Vec<String>, Error> {
    let instance = &machine.instance;
    let one = |text: &str| vec![text.to_owned()];
    let maybe = |text: &Option<String>| text.clone().into_iter().collect();
    Ok(match name {
        "instance-id" => one(&instance.id),
        "image-id" => one(&instance.image),
        "instance-state-name" => one(&instance.state.name),
        "instance-type" => one(&instance.instance_type),
        "reservation-id" => one(&instance.reservation),
        "key-name" => maybe(&instance.key_name),
        "architecture" => maybe(&instance.architecture),
        "availability-zone" => maybe(&instance.zone),
        "private-ip-address" => maybe(&instance.private_address),
        "ip-address" => maybe(&instance.public_address),
        "tag-key" => instance.tags.iter().map(|(key, _)| key.clone()).collect(),
        name => match name.strip_prefix("tag:") {
            Some(key) => {
                let tags = instance.tags.iter().filter(|(name, _)| name == key);
                tags.map(|(_, value)| value.clone()).collect()
            }
            None => {
                return Err(Error::Usage(format!(
                    "--filter {name}: there is no such filter on this machine; there are instance-id, image-id, \
                     instance-state-name, instance-type, reservation-id, key-name, architecture, availability-zone, \
                     private-ip-address, ip-address, tag-key, and tag:KEY"
                )));
            }
        },
    })
}

fn passes(machine: &Machine, filters: &[(String, Vec<String>)]) -> bool {
    filters.iter().all(|(name, wanted)| {
        let has = values(machine, name).unwrap_or_default();
        wanted.iter().any(|pattern| has.iter().any(|value| matches(pattern.as_bytes(), value.as_bytes())))
    })
}

/// EC2's wildcards: `*` and `?`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || text.get(from) == Some(byte) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((back, begun)) = star else { return false };
                star = Some((back, begun + 1));
                at = back + 1;
                from = begun + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hardtack_local::Spec;
    use hardtack_local::instance::State;

    use super::*;

    fn local(state: &str) -> Local {
        let spec = Spec {
            id: "i-0123456789abcdef0".to_owned(),
            image: "ami-1".to_owned(),
            instance_type: "t3.micro".to_owned(),
            tags: [("Name".to_owned(), "web".to_owned())].into(),
            launched: 1_700_000_000,
            ..Spec::default()
        };
        Local {
            spec,
            state: State { name: state.to_owned(), reason: None },
            ports: BTreeMap::from([(22, 40_022)]),
            private_address: Some("169.254.0.15".to_owned()),
            accel: Some("tcg".to_owned()),
            process: Some(1),
            notes: Vec::new(),
        }
    }

    #[test]
    fn an_instance_is_described_as_a_cloud_would() {
        let running = machine(&local("running"));
        assert_eq!(running.ssh, Some(("127.0.0.1".to_owned(), 40_022)));
        assert_eq!(running.instance.launched, "2023-11-14T22:13:20.000Z");
        let stopped = machine(&local("stopped"));
        assert_eq!((stopped.ssh, stopped.instance.public_address), (None, None));
    }

    #[test]
    fn filters_have_wildcards_and_unknown_ones_are_refused() {
        let machine = machine(&local("running"));
        let filter = |name: &str, value: &str| vec![(name.to_owned(), vec![value.to_owned()])];
        assert!(passes(&machine, &filter("tag:Name", "w?b")));
        assert!(passes(&machine, &filter("instance-type", "*.mi*o")));
        assert!(!passes(&machine, &filter("instance-type", "t3")));
        assert!(!passes(&machine, &filter("tag:Nothing", "*")));
        assert!(values(&machine, "vpc-id").unwrap_err().to_string().contains("tag:KEY"));
    }
}
