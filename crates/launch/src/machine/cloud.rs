//! Instances of a cloud.

use hardtack_cloud::ec2::{self, Reservation};
use hardtack_cloud::{Client, Environment, Kind, autoscaling};

use super::{Machine, Machines, Part, Selection, Size};
use crate::Error;

/// Values that EC2 takes for one filter.
const VALUES: usize = 200;
/// How clouds say that this type, or this service, has no latest console: EC2 of types before Nitro; services that copy
/// EC2 of a parameter that they do not know.
const NO_LATEST: [&str; 8] = [
    "UnsupportedOperation",
    "Unsupported",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "InvalidParameter",
    "UnknownParameter",
    "InvalidRequest",
    "UnsupportedParameter",
];

/// Instances of a cloud.
#[derive(Debug)]
pub struct CloudMachines<'a> {
    client: &'a Client,
}

impl<'a> CloudMachines<'a> {
    /// Those that `client` sees.
    pub fn new(client: &'a Client) -> Self {
        Self { client }
    }

    fn filtered(&self, name: &str, values: Vec<String>) -> Result<Vec<Reservation>, Error> {
        let mut found = Vec::new();
        for values in values.chunks(VALUES) {
            found.extend(ec2::describe_reservations(
                self.client,
                &[],
                &[(name.to_owned(), values.to_vec())],
            )?);
        }
        Ok(found)
    }

    /// Those of a group, also of one whose instances end just now.
    fn group(&self, name: &str) -> Result<Vec<Reservation>, Error> {
        let groups = autoscaling::describe_groups(self.client, &[name])?;
        let Some(group) = groups.into_iter().find(|group| group.name == name) else {
            return Err(Error::Refused(format!("asg:{name}: there is no such auto scaling group")));
        };
        self.filtered("instance-id", group.instances.into_iter().map(|member| member.id).collect())
    }
}

impl Machines for CloudMachines<'_> {
    fn describe(&self, which: &Selection) -> Result<Vec<Machine>, Error> {
        let instances = self.reservations(which)?.into_iter().flat_map(|reservation| reservation.instances);
        Ok(instances.map(|instance| Machine { instance, ..Machine::default() }).collect())
    }

    fn reservations(&self, which: &Selection) -> Result<Vec<Reservation>, Error> {
        match which {
            Selection::All => Ok(ec2::describe_reservations(self.client, &[], &[])?),
            Selection::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(ec2::describe_reservations(self.client, &ids, &[])?)
            }
            Selection::Tag(key, Some(value)) => self.filtered(&format!("tag:{key}"), vec![value.clone()]),
            Selection::Tag(key, None) => self.filtered("tag-key", vec![key.clone()]),
            Selection::Group(name) => self.group(name),
            Selection::Filters(filters) => Ok(ec2::describe_reservations(self.client, &[], filters)?),
        }
    }

    fn console(&self, id: &str, part: Part) -> Result<Option<Vec<u8>>, Error> {
        match part {
            Part::Kept => Ok(Some(ec2::console_output(self.client, id, false)?)),
            Part::Latest if self.client.place().kind == Kind::Euca => Ok(None),
            Part::Latest => match ec2::console_output(self.client, id, true) {
                Ok(text) => Ok(Some(text)),
                Err(error) if NO_LATEST.iter().any(|code| error.is(code)) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    fn terminate(&self, id: &str) -> Result<bool, Error> {
        Ok(ec2::terminate(self.client, id)?)
    }

    fn sizes(&self, names: &[String]) -> Result<Vec<Size>, Error> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut sizes: Vec<Size> =
            ec2::describe_instance_types(self.client, &names, &[])?.into_iter().map(size).collect();
        // AWS' come in no order; Eucalyptus' in that of its administrator.
        if self.client.place().kind == Kind::Aws {
            sizes.sort_by(|one, other| super::size_order(one).cmp(&super::size_order(other)));
        }
        Ok(sizes)
    }

    fn environment(&self) -> &Environment {
        self.client.environment()
    }
}

fn size(kind: ec2::InstanceType) -> Size {
    Size {
        name: kind.name,
        processors: kind.processors,
        memory: kind.memory,
        disk: kind.disk,
        architectures: kind.architectures,
        free: kind.capacity.into_iter().map(|zone| (zone.zone, zone.available, zone.most)).collect(),
        interfaces: kind.interfaces,
    }
}
