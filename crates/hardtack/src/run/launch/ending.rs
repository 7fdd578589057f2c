//! After the launch: waiting, and what is printed: lines as of euca-run-instances, or one JSON document; the credentials
//! block; how to log in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hardtack_cloud::ec2::{GroupRef, Instance as CloudInstance, Reservation};
use hardtack_credentials::known_hosts::{self, HostName};
use hardtack_credentials::{Block, UserPart, console as block};
use hardtack_launch::cloud::same_device;
use hardtack_launch::console::{Patience, Seen, watch};
use hardtack_launch::{Machine, Machines, wait};
use hardtack_publish::Teller as _;
use serde_json::{Value, json};

use super::{described, shown, texts};
use crate::args::{LaunchArgs, On, WaitFor};
use crate::error::{CliError, NO};
use crate::run::console::{LoginKey, block_json, place_words, show_block, tell_last};
use crate::run::euca_lines;
use crate::run::publish::Talker;
use crate::talk;

/// What was launched.
pub(super) struct Launched {
    reservation: Reservation,
    machines: Vec<Machine>,
    /// The private key, where it is known.
    private: Option<PathBuf>,
    journal: PathBuf,
}

impl Launched {
    /// What this run has `made`, or what the `result` of an earlier one says. Instances of a cloud are as the answer told
    /// them; others are asked for.
    pub(super) fn of(
        machines: &dyn Machines,
        made: Option<Reservation>,
        result: &Value,
        journal: &Path,
        private: Option<PathBuf>,
    ) -> Result<Self, CliError> {
        let ids = texts(result, "instances");
        let answered = made.filter(|made| made.instances.iter().all(|one| !one.state.name.is_empty()));
        let (reservation, found) = match answered {
            Some(made) => {
                let found = made.instances.iter().map(|one| Machine { instance: one.clone(), ssh: None });
                let found = found.collect();
                (made, found)
            }
            None => {
                let found = described(machines, &ids)?;
                let first = found.first().map(|machine| machine.instance.clone()).unwrap_or_default();
                let text =
                    |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let or = |told: String, other: String| if told.is_empty() { other } else { told };
                let groups: Vec<GroupRef> = result
                    .get("groups")
                    .and_then(Value::as_array)
                    .map(Vec::as_slice)
                    .unwrap_or_default()
                    .iter()
                    .map(|pair| {
                        let at = |index: usize| {
                            pair.get(index).and_then(Value::as_str).unwrap_or_default().to_owned()
                        };
                        GroupRef { id: at(0), name: at(1) }
                    })
                    .collect();
                let groups = if groups.is_empty() { first.groups.clone() } else { groups };
                let reservation = Reservation {
                    id: or(text("reservation"), first.reservation.clone()),
                    owner: or(text("owner"), first.owner.clone()),
                    groups,
                    instances: found.iter().map(|machine| machine.instance.clone()).collect(),
                };
                (reservation, found)
            }
        };
        Ok(Self { reservation, machines: found, private, journal: journal.to_owned() })
    }

    fn ids(&self) -> Vec<String> {
        self.machines.iter().map(|machine| machine.instance.id.clone()).collect()
    }

    fn take(&mut self, machines: Vec<Machine>) {
        self.reservation.instances = machines.iter().map(|machine| machine.instance.clone()).collect();
        self.machines = machines;
    }
}

/// Waits as far as that is wanted, and prints.
pub(super) fn end(
    arguments: &LaunchArgs,
    machines: &dyn Machines,
    mut launched: Launched,
) -> Result<u8, CliError> {
    let ids = launched.ids();
    talk::note(&format!(
        "launched: {}; `hardtack undo {}` takes away all that was made",
        ids.join(", "),
        shown(&launched.journal)
    ));
    let (mut seen, mut failed) = (Vec::new(), None);
    match wait_for(arguments, machines, &ids) {
        Ok(Waited::Not) => {}
        Ok(Waited::Machines(found)) => launched.take(found),
        Ok(Waited::Seen(all)) => {
            launched.take(all.iter().map(|seen| seen.machine.clone()).collect());
            seen = all;
        }
        Err(error) => {
            // What there is now is told before what is missing.
            if let Ok(found) = described(machines, &ids) {
                launched.take(found);
            }
            failed = Some(error);
        }
    }
    let mut code = 0;
    if arguments.json && lacks(arguments, &launched) {
        // What the answer to the launch has not told yet. It is launched all the same.
        if let Ok(found) = described(machines, &ids)
            && found.len() == ids.len()
        {
            launched.take(found);
        }
    }
    if arguments.json {
        let document = document(arguments, &launched, &seen, &mut code)?;
        print(&format!("{document}\n"))?;
    } else {
        print(&shown_lines(
            &euca_lines::reservation(&launched.reservation),
            arguments.cloud.show_empty_fields,
        ))?;
        text(arguments, &launched, &seen)?;
    }
    for seen in seen.iter().filter(|seen| !seen.credentials) {
        tell_last(seen, &again(arguments, &seen.machine.instance.id));
        code = NO;
    }
    failed.map_or(Ok(code), Err)
}

/// With empty fields as euca2ools shows them when told to.
fn shown_lines(lines: &str, empty: bool) -> String {
    if !empty {
        return lines.to_owned();
    }
    let mut out = String::new();
    for line in lines.lines() {
        let fields = line.split('\t').map(|field| if field.is_empty() { "(nil)" } else { field });
        out.push_str(&fields.collect::<Vec<_>>().join("\t"));
        out.push('\n');
    }
    out
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)
}

/// What stands behind `hardtack console` to read it again.
fn again(arguments: &LaunchArgs, id: &str) -> String {
    format!("{id}{}", place_words(&arguments.place))
}

enum Waited {
    Not,
    Machines(Vec<Machine>),
    Seen(Vec<Seen>),
}

fn wait_for(arguments: &LaunchArgs, machines: &dyn Machines, ids: &[String]) -> Result<Waited, CliError> {
    let talker = Talker::default();
    let started = Instant::now();
    let to_console = |error| match error {
        no @ hardtack_publish::Error::No(_) => {
            let place = place_words(&arguments.place);
            CliError::from(no)
                .hint(format!("its console: `hardtack console {}{place} --wait`", ids.join(" ")))
        }
        other => other.into(),
    };
    let left = || arguments.timeout.saturating_sub(started.elapsed());
    Ok(match arguments.wait {
        None => Waited::Not,
        Some(WaitFor::Running) => {
            Waited::Machines(wait::running(machines, ids, left(), &talker).map_err(to_console)?)
        }
        Some(WaitFor::Ssh) => {
            Waited::Machines(wait::ssh(machines, ids, left(), &talker).map_err(to_console)?)
        }
        Some(WaitFor::Credentials) => {
            let mut all = Vec::new();
            for id in ids {
                talker.note(&format!("waiting for the credentials of {id}"));
                let patience = Patience { timeout: left().max(Duration::from_secs(1)), wait: true };
                all.push(watch(machines, id, patience, &talker)?);
            }
            Waited::Seen(all)
        }
    })
}

/// The blocks, and how to log in.
fn text(arguments: &LaunchArgs, launched: &Launched, seen: &[Seen]) -> Result<(), CliError> {
    for seen in seen.iter().filter(|seen| seen.credentials) {
        let id = &seen.machine.instance.id;
        print(&format!("\n==> {id} <==\n"))?;
        let keys = show_block(&again(arguments, id), seen.console.text(), None, &arguments.identity)?;
        let read = block::read(seen.console.text()).ok();
        let block = read.as_ref().map(|found| &found.newest.block);
        print(&login(arguments, launched, &seen.machine, block, &keys))?;
    }
    if arguments.wait == Some(WaitFor::Ssh) {
        for machine in launched.machines.iter().filter(|machine| !machine.has_ended()) {
            print(&login(arguments, launched, machine, None, &[]))?;
        }
    }
    Ok(())
}

/// The command that logs in, for one user; `keys` are those that have opened parts of the block.
fn command(launched: &Launched, machine: &Machine, user: &str, keys: &[LoginKey]) -> Option<String> {
    let (host, port) = machine.host()?;
    let opened = keys.iter().find(|(of, _)| of == user).map(|(_, file)| file);
    // The launch's key is the default user's, and this one's only where it is cloud-init's: what is sealed was sealed to
    // keys that log in.
    let key = opened.or(launched.private.as_ref());
    let key = key.map_or("KEY".to_owned(), |key| quoted(&key.display().to_string()));
    let port = if port == 22 { String::new() } else { format!(" -p {port}") };
    Some(format!("ssh -o IdentitiesOnly=yes -i {key}{port} {}@{}", quoted(user), quoted(&host)))
}

/// A word of a command line.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    let safe = |char: char| char.is_ascii_alphanumeric() || "/._-+:@%,=".contains(char);
    match !text.is_empty() && text.chars().all(safe) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// How to log in: the command, the lines of `known_hosts`, and what is asked for.
fn login(
    arguments: &LaunchArgs,
    launched: &Launched,
    machine: &Machine,
    block: Option<&Block>,
    keys: &[LoginKey],
) -> String {
    let id = &machine.instance.id;
    let mut out = String::new();
    let parts: Vec<&UserPart> = block.iter().flat_map(|block| &block.users).collect();
    let parts: Vec<&&UserPart> = parts.iter().filter(|part| !matches!(part, UserPart::Withheld(_))).collect();
    let users: Vec<&str> = match parts.is_empty() {
        true => vec!["USER"],
        false => parts.iter().map(|part| part.name()).collect(),
    };
    for user in users {
        match command(launched, machine, user, keys) {
            Some(command) => {
                let _ = writeln!(out, "\nLog in: {command}");
            }
            None => {
                let _ = writeln!(out, "\n{id} has no address yet: `hardtack instances` tells it");
            }
        }
        let part = parts.iter().find(|part| part.name() == user);
        if let Some(factors) = part.and_then(|part| factors(part)) {
            let again = again(arguments, id);
            let _ = writeln!(
                out,
                "It asks for {factors}; the code of the moment: `hardtack console {again} --code`"
            );
        }
    }
    let name = machine.host().and_then(|(host, port)| {
        let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        HostName::parse(&text).ok()
    });
    if let (Some(name), Some(block)) = (name, block) {
        let _ = writeln!(out, "For known_hosts, so that nobody else answers:");
        for line in known_hosts::lines(&name, &block.host_keys) {
            let tame: String = line.chars().filter(|char| !char.is_control()).collect();
            let _ = writeln!(out, "{tame}");
        }
    }
    out
}

/// What SSH asks for; `None` where that is sealed.
fn factors(part: &UserPart) -> Option<String> {
    let plain = part.plain()?;
    let mut all = vec!["the key"];
    if !plain.password.is_empty() {
        all.push("the password");
    }
    if !plain.secret.is_empty() {
        all.push("a one-time code");
    }
    Some(all.join(", "))
}

/// The groups of all, each once: clouds with VPCs tell those of instances, and old ones those of what was started
/// together.
fn groups(launched: &Launched) -> BTreeSet<GroupRef> {
    let of_instances = launched.machines.iter().flat_map(|machine| &machine.instance.groups);
    let all: BTreeSet<GroupRef> = of_instances.chain(&launched.reservation.groups).cloned().collect();
    let known = |name: &str| all.iter().any(|group| group.name == name && !group.id.is_empty());
    all.iter().filter(|group| !group.id.is_empty() || !known(&group.name)).cloned().collect()
}

/// The volumes of `--volume` that an instance has: device and id.
fn volumes<'a>(
    arguments: &'a LaunchArgs,
    instance: &'a CloudInstance,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let wanted = |device: &str| arguments.volume.iter().any(|(_, of)| same_device(of, device));
    let devices = instance.devices.iter().filter(move |one| wanted(&one.device));
    devices.filter_map(|one| Some((one.device.as_str(), one.volume.as_deref()?)))
}

/// Whether the cloud has not told groups or volumes yet.
fn lacks(arguments: &LaunchArgs, launched: &Launched) -> bool {
    if arguments.place.on == On::Local {
        return false;
    }
    let found = groups(launched);
    found.is_empty()
        || found.iter().any(|group| group.id.is_empty())
        || launched
            .machines
            .iter()
            .any(|machine| volumes(arguments, &machine.instance).count() < arguments.volume.len())
}

/// All of it for programs.
fn document(
    arguments: &LaunchArgs,
    launched: &Launched,
    seen: &[Seen],
    code: &mut u8,
) -> Result<Value, CliError> {
    let mut instances = Vec::new();
    for machine in &launched.machines {
        let instance = &machine.instance;
        let found = seen.iter().find(|seen| seen.machine.instance.id == instance.id && seen.credentials);
        let credentials = match found {
            Some(seen) => match block_json(seen.console.text(), &arguments.identity) {
                Ok(value) => value,
                Err(error) => {
                    // The others are told all the same.
                    talk::line(error.report().trim_end());
                    *code = (*code).max(error.exit_code());
                    Value::Null
                }
            },
            None => Value::Null,
        };
        let host = machine.host().filter(|_| instance.state.name != "terminated");
        instances.push(json!({
            "id": instance.id,
            "image": instance.image,
            "state": instance.state.name,
            "type": instance.instance_type,
            "zone": instance.zone,
            "launch_index": instance.launch_index,
            "launched": instance.launched,
            "key": instance.key_name,
            "public_address": instance.public_address,
            "private_address": instance.private_address,
            "subnet": instance.subnet,
            "vpc": instance.vpc,
            "volumes": volumes(arguments, instance)
                .map(|(device, volume)| json!({"id": volume, "device": device}))
                .collect::<Vec<_>>(),
            "tags": instance.tags.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "ssh": host.map(|(host, port)| json!({"host": host, "port": port})),
            "credentials": credentials,
        }));
    }
    let groups: Vec<Value> =
        groups(launched).iter().map(|group| json!({"id": group.id, "name": group.name})).collect();
    Ok(json!({
        "on": arguments.place.on.name(),
        "reservation": launched.reservation.id,
        "owner": launched.reservation.owner,
        "groups": groups,
        "instances": instances,
        "key_file": launched.private.as_ref().map(|path| path.display().to_string()),
        "journal": shown(&launched.journal),
    }))
}
