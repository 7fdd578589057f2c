//! Launching on this machine.

mod image;
pub mod types;

use std::time::UNIX_EPOCH;

use hardtack_cloud::Environment;
use hardtack_local::{Instance, Instances, Program, Spec};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Journal, Resource};
use serde_json::json;

use crate::Error;

pub use image::image;

/// What the journal keeps: the reservation's id.
const RESERVATION: &str = "launch/reservation";

/// Starts `count` instances that are like `spec` (ids, launch indices and ports that were not given are chosen here), each
/// in the journal before it is begun. A run that goes on keeps those that are there, and begins the others anew.
///
/// # Errors
/// What keeps them from starting; those that were started stand in the journal.
#[allow(clippy::too_many_arguments)]
pub fn launch(
    instances: &Instances,
    spec: &Spec,
    count: u32,
    user_data: &[u8],
    program: &Program,
    journal: &Journal,
    environment: &Environment,
    tell: &dyn Teller,
) -> Result<Vec<Instance>, Error> {
    let catalog = std::path::absolute(instances.catalog())
        .map_err(|error| Error::file(instances.catalog(), "find the catalog", error))?;
    let instances = &Instances::new(&catalog);
    let place = catalog.display().to_string();
    let reservation = reservation(journal, environment)?;
    let mut earlier = journal.standing().into_iter().filter_map(|standing| match standing.resource {
        Resource::LocalInstance { catalog, id } if catalog == place => Some(id),
        _ => None,
    });
    let mut begun = Vec::new();
    for index in 0..count {
        let id = earlier.next().unwrap_or_else(|| Instances::new_id(environment.random));
        let resource = Resource::LocalInstance { catalog: place.clone(), id: id.clone() };
        let ticket = journal.intend("", &resource)?;
        let found = instances.find(&id)?;
        let instance = match found {
            Some(instance) if instance.state.name == "running" => instance,
            found => {
                if found.is_some() {
                    // It has come to its end, or has never begun.
                    instances.terminate(&id, environment)?;
                }
                let spec = Spec {
                    id: id.clone(),
                    reservation: reservation.clone(),
                    launch_index: index,
                    launched: (environment.now)()
                        .duration_since(UNIX_EPOCH)
                        .map_or(0, |since| since.as_secs()),
                    tags: spec.tags.clone().into_iter().chain(journal.tags()).collect(),
                    ..spec.clone()
                };
                match instances.begin(&spec, user_data, program, environment) {
                    Ok(instance) => instance,
                    Err(error) => {
                        // Nothing is left of it.
                        if instances.find(&id)?.is_none() {
                            journal.removed(ticket)?;
                        }
                        return Err(error.into());
                    }
                }
            }
        };
        journal.made(ticket, &id)?;
        tell.note(&format!("{id} is started by QEMU ({})", computes(instance.accel.as_deref())));
        begun.push(instance);
    }
    Ok(begun)
}

/// How many of `count` instances are to be started: not those that an earlier run with this journal has running.
///
/// # Errors
/// The instances cannot be read.
pub fn left(instances: &Instances, count: u32, journal: &Journal) -> Result<u32, Error> {
    let mut running = 0;
    for standing in journal.standing() {
        if let Resource::LocalInstance { id, .. } = standing.resource
            && instances.find(&id)?.is_some_and(|instance| instance.state.name == "running")
        {
            running += 1;
        }
    }
    Ok(count.saturating_sub(running))
}

/// `kvm (being tried)` as it stands in brackets.
fn computes(accel: Option<&str>) -> String {
    match accel.and_then(|accel| accel.strip_suffix(')')?.split_once(" (")) {
        Some((what, why)) => format!("{what}, {why}"),
        None => accel.unwrap_or("?").to_owned(),
    }
}

/// The reservation: that of an earlier run with this journal, or a new one.
fn reservation(journal: &Journal, environment: &Environment) -> Result<String, Error> {
    if let Some(kept) = journal.kept(RESERVATION).as_ref().and_then(|kept| kept.as_str()) {
        return Ok(kept.to_owned());
    }
    let new = Instances::new_id(environment.random).replacen("i-", "r-", 1);
    journal.keep(RESERVATION, &json!(new))?;
    Ok(new)
}

#[cfg(test)]
mod tests;
