//! `hardtack instances`: as euca-describe-instances.

use std::io::Write as _;

use hardtack_cloud::ec2::{Instance, Reservation};
use hardtack_launch::{Machine, Machines, Selection};
use hardtack_publish::Error;
use hardtack_publish::refusal::missing;
use serde_json::Value;

use super::euca_lines;
use super::machines::{Fleet, json, nothing};
use crate::args::InstancesArgs;
use crate::error::CliError;

/// Runs the verb.
pub(crate) fn run(arguments: &InstancesArgs) -> Result<u8, CliError> {
    let filters = filters(&arguments.filter)?;
    let fleet = Fleet::find(&arguments.place)?;
    let text = fleet.with(|machines| -> Result<String, CliError> {
        let mut reservations = named(machines, &arguments.instances, &filters)?;
        // Ports are this machine's to know.
        let here = if fleet.is_local() { machines.describe(&Selection::All)? } else { Vec::new() };
        if arguments.json {
            let instances = reservations.into_iter().flat_map(|reservation| reservation.instances);
            let machine = |instance: hardtack_cloud::ec2::Instance| {
                let ssh = port(&here, &instance.id);
                let notes = machines.notes(&instance.id);
                let mut object = json(&Machine { instance, ssh });
                if let Some(object) = object.as_object_mut().filter(|_| fleet.is_local()) {
                    object.insert("notes".to_owned(), notes.into());
                }
                object
            };
            return Ok(format!("{}\n", Value::Array(instances.map(machine).collect())));
        }
        let mut text = String::new();
        for reservation in &mut reservations {
            text.push_str(&euca_lines::reservation(reservation));
            for instance in &reservation.instances {
                if let Some((host, port)) = port(&here, &instance.id) {
                    text.push_str(&format!("SSH\t{}\t{host}\t{port}\n", instance.id));
                }
                if fleet.is_local() {
                    text.push_str(&told(instance, &machines.notes(&instance.id)));
                }
            }
        }
        Ok(text)
    })?;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
    Ok(0)
}

/// What clouds have no lines for.
fn told(instance: &Instance, notes: &[String]) -> String {
    let tame = |text: &str| -> String { text.chars().filter(|char| !char.is_control()).collect() };
    let mut text = String::new();
    if let Some(reason) = instance.state.reason.as_deref().filter(|reason| !reason.is_empty()) {
        text.push_str(&format!("STATE\t{}\t{}\t{}\n", instance.id, instance.state.name, tame(reason)));
    }
    for note in notes {
        text.push_str(&format!("NOTE\t{}\t{}\n", instance.id, tame(note)));
    }
    text
}

fn port(here: &[Machine], id: &str) -> Option<(String, u16)> {
    here.iter().find(|machine| machine.instance.id == id)?.ssh.clone()
}

/// `NAME=VALUE`; values of one name belong together.
fn filters(words: &[String]) -> Result<Vec<(String, Vec<String>)>, CliError> {
    let mut filters: Vec<(String, Vec<String>)> = Vec::new();
    for word in words {
        let (name, value) = word.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            CliError::usage(format!(
                "--filter {word}: a filter is NAME=VALUE, as instance-state-name=running"
            ))
        })?;
        match filters.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.push(value.to_owned()),
            None => filters.push((name.to_owned(), vec![value.to_owned()])),
        }
    }
    Ok(filters)
}

/// Reservations with those of their instances that are named and pass the filters.
fn named(
    machines: &dyn Machines,
    names: &[String],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Reservation>, CliError> {
    let everything = if filters.is_empty() { Selection::All } else { Selection::Filters(filters.to_vec()) };
    if names.is_empty() {
        return Ok(machines.reservations(&everything)?);
    }
    let mut found: Vec<Reservation> = Vec::new();
    for name in names {
        let some = match machines.reservations(&Selection::parse(name)?) {
            Err(Error::Cloud(error)) if missing(&error) => return Err(nothing(name)),
            other => other?,
        };
        for reservation in some {
            let Some(known) = found.iter_mut().find(|known| known.id == reservation.id) else {
                found.push(reservation);
                continue;
            };
            for instance in reservation.instances {
                if !known.instances.iter().any(|other| other.id == instance.id) {
                    known.instances.push(instance);
                }
            }
        }
    }
    if !filters.is_empty() {
        let passing = machines.describe(&everything)?;
        for reservation in &mut found {
            reservation
                .instances
                .retain(|instance| passing.iter().any(|machine| machine.instance.id == instance.id));
        }
        found.retain(|reservation| !reservation.instances.is_empty());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn why_and_what_else_are_lines() {
        let mut instance = Instance { id: "i-1".to_owned(), ..Instance::default() };
        assert_eq!(told(&instance, &[]), "");
        instance.state.name = "stopped".to_owned();
        instance.state.reason = Some("QEMU\tended\n".to_owned());
        let notes = ["KVM hangs here".to_owned()];
        assert_eq!(told(&instance, &notes), "STATE\ti-1\tstopped\tQEMUended\nNOTE\ti-1\tKVM hangs here\n");
    }

    #[test]
    fn filters_of_one_name_are_alternatives() {
        let words = ["a=1", "b=x=y", "a=2"].map(str::to_owned);
        let expected = vec![
            ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
            ("b".to_owned(), vec!["x=y".to_owned()]),
        ];
        assert_eq!(filters(&words).unwrap(), expected);
        for word in ["a", "=1"] {
            assert_eq!(filters(&[word.to_owned()]).unwrap_err().exit_code(), 2);
        }
    }
}
