//! The instances of a place, whichever that is.

use std::time::Duration;

use hardtack_cloud::{Client, Service};
use hardtack_launch::machine::{CloudMachines, LocalMachines};
use hardtack_launch::{Machine, Machines, Selection};
use hardtack_local::Instances;
use hardtack_publish::Error;
use hardtack_publish::poll::Fresh;
use hardtack_publish::refusal::missing;
use serde_json::{Value, json};

use super::publish::{Site, find};
use crate::args::PlaceArgs;
use crate::environment;
use crate::error::CliError;

/// Instances of a place.
pub(crate) enum Fleet {
    /// Of a cloud.
    Cloud(Client),
    /// Of this machine.
    Local(Box<LocalMachines>),
}

impl Fleet {
    /// Those of the place that the options name.
    pub(crate) fn find(arguments: &PlaceArgs) -> Result<Self, CliError> {
        let environment = environment::of_process();
        Ok(match find(arguments, Service::Ec2, &environment)? {
            Site::Cloud(client) => Self::Cloud(client),
            Site::Local(catalog) => {
                let instances = Instances::new(catalog.directory());
                Self::Local(Box::new(LocalMachines::new(instances, environment)))
            }
        })
    }

    /// Whether they are of this machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// What `act` makes of them.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&dyn Machines) -> T) -> T {
        match self {
            Self::Cloud(client) => act(&CloudMachines::new(client)),
            Self::Local(machines) => act(machines.as_ref()),
        }
    }
}

/// What people name: each once, in the order named. Those that have ended are left out where only a tag or a group names
/// them. Where something is waited for, an instance may have been started a moment ago.
///
/// # Errors
/// A name is none; there is no such instance.
pub(crate) fn chosen(
    machines: &dyn Machines,
    names: &[String],
    wait: Option<Duration>,
) -> Result<Vec<Machine>, CliError> {
    let mut found: Vec<Machine> = Vec::new();
    for name in names {
        let selection = Selection::parse(name)?;
        let by_id = matches!(selection, Selection::Ids(_));
        let mut fresh = Fresh::over(machines.environment()).at_most(wait.unwrap_or_default());
        let mut some = loop {
            match machines.describe(&selection) {
                Err(Error::Cloud(error)) if missing(&error) => {
                    if !fresh.again() {
                        return Err(nothing(name));
                    }
                }
                other => break other?,
            }
        };
        some.retain(|machine| by_id || !has_ended(machine));
        if some.is_empty() {
            return Err(nothing(name));
        }
        for machine in some {
            if !found.iter().any(|other| other.instance.id == machine.instance.id) {
                found.push(machine);
            }
        }
    }
    Ok(found)
}

/// There is none of that name.
pub(crate) fn nothing(name: &str) -> CliError {
    CliError::refused(format!("{name}: there is no such instance"))
        .hint("`hardtack instances` lists them; --on and --region name the place")
}

fn has_ended(machine: &Machine) -> bool {
    matches!(machine.instance.state.name.as_str(), "terminated" | "shutting-down")
}

/// An instance for programs.
pub(crate) fn json(machine: &Machine) -> Value {
    let instance = &machine.instance;
    let tags: serde_json::Map<String, Value> =
        instance.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let groups: Vec<Value> =
        instance.groups.iter().map(|group| json!({"id": group.id, "name": group.name})).collect();
    let volumes: Vec<Value> = instance
        .devices
        .iter()
        .map(|device| json!({"device": device.device, "volume": device.volume}))
        .collect();
    json!({
        "id": instance.id,
        "reservation": instance.reservation,
        "image": instance.image,
        "state": instance.state.name,
        "reason": instance.state.reason.as_deref().filter(|reason| !reason.is_empty()),
        "type": instance.instance_type,
        "launched": instance.launched,
        "zone": instance.zone,
        "key": instance.key_name,
        "public_address": instance.public_address,
        "public_name": instance.public_name.as_deref().filter(|name| !name.is_empty()),
        "private_address": instance.private_address,
        "subnet": instance.subnet,
        "vpc": instance.vpc,
        "groups": groups,
        "volumes": volumes,
        "tags": tags,
        "ssh": machine.host().map(|(host, port)| json!({"host": host, "port": port})),
    })
}
