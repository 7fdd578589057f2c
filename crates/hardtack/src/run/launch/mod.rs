//! `hardtack launch`: from an image and user-data to instances.
//!
//! User-data is read and checked before anything is asked for or made; then everything that is made stands in the journal
//! before it is; then the instances are waited for and told.

mod cloud;
mod ending;
mod given;
mod here;
mod inside;

use std::path::Path;

use hardtack_cloud::{Client, Environment, Service};
use hardtack_launch::cloud::{Key, Reservation};
use hardtack_launch::{Machine, Selection, key};
use hardtack_publish::catalog::Catalog;
use hardtack_publish::journal::Journal;
use hardtack_publish::poll::Fresh;
use hardtack_publish::refusal::missing;
use serde_json::{Value, json};

use self::ending::Launched;
use super::machines::Fleet;
use super::publish::{Session, Site, Talker, find};
use crate::args::{LaunchArgs, On};
use crate::environment;
use crate::error::CliError;
use crate::talk;

/// Runs the verb.
pub(crate) fn run(arguments: &LaunchArgs) -> Result<u8, CliError> {
    given::no_keys(arguments)?;
    if arguments.place.on != On::Local {
        here::none_of(&arguments.here)?;
    }
    let prepared = given::user_data(arguments)?;
    let given::Pair { key, private, file } = given::key(arguments)?;
    super::console::check_identities(&arguments.identity)?;
    let environment = environment::of_process();
    let site = find(&arguments.place, Service::Ec2, &environment)?;
    let image = arguments.image.as_deref().unwrap_or("netboot");
    let path = given::journal(arguments, image, &environment);
    let header = site.header(image, &given::inputs(arguments, &prepared, key.as_ref()));
    let again = format!("run the same command with --journal {} to go on where it was", path.display());
    let session = Session::open_named(&path, &header, &environment, &again)?;
    let mut made = None;
    let result = match session.result() {
        Some(result) => {
            talk::note("this journal's launch is done: its instances are looked at, and none is started");
            result
        }
        None => session.run(|journal| {
            let reservation = match &site {
                Site::Cloud(client) => {
                    let order = cloud::order(arguments, prepared.bytes.clone(), key.clone(), &environment)?;
                    let order = hardtack_launch::cloud::Order { key_file: file, ..order };
                    on_cloud(client, &order, journal)?
                }
                Site::Local(catalog) => {
                    on_this_machine(arguments, catalog, &prepared.bytes, key.as_ref(), journal, &environment)?
                }
            };
            let result = json!({
                "on": arguments.place.on.name(),
                "reservation": reservation.id,
                "owner": reservation.owner,
                "groups": reservation.groups.iter().map(|group| json!([group.id, group.name])).collect::<Vec<_>>(),
                "new_key": key::made_here(journal),
                "instances": reservation.instances.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>(),
            });
            made = Some(reservation);
            Ok(result)
        })?,
    };
    let fleet = Fleet::find(&arguments.place)?;
    fleet.with(|machines| {
        let launched = Launched::of(machines, made, &result, &path, private)?;
        ending::end(arguments, machines, launched)
    })
}

fn on_cloud(
    client: &Client,
    order: &hardtack_launch::cloud::Order,
    journal: &Journal,
) -> Result<Reservation, CliError> {
    hardtack_launch::cloud::launch(client, order, journal, &Talker::default()).map_err(given::told)
}

/// Only ids come back: addresses and ports are asked for like those of any instance.
fn on_this_machine(
    arguments: &LaunchArgs,
    catalog: &Catalog,
    user_data: &[u8],
    wanted: Option<&Key>,
    journal: &Journal,
    environment: &Environment,
) -> Result<Reservation, CliError> {
    let tell = Talker::default();
    let image = here::image(arguments, catalog)?;
    let spec = here::spec(arguments, catalog, image.as_ref(), None, environment)?;
    if let Some(Key::Made { file, .. }) = wanted {
        key::check_new(file, journal)?;
    }
    here::check(arguments, catalog, &spec, user_data, journal, environment)?;
    let public = match wanted {
        None => None,
        Some(Key::Named(name)) => {
            return Err(CliError::usage(format!(
                "--key {name}: there is no such file, and this machine has no key pairs"
            ))
            .hint("--key FILE takes a public key, --new-key FILE makes one"));
        }
        Some(Key::Imported(public)) => Some(public.clone()),
        Some(Key::Made { name, file }) => {
            Some(key::of_run(key::Kind::Ed25519, name, file, journal, environment, &tell)?)
        }
    };
    let spec = hardtack_local::Spec { key: public.map(|public| (public.name, public.line)), ..spec };
    let made = here::launch(arguments, catalog, &spec, user_data, journal, environment, &tell)?;
    let instances = made.into_iter().map(|instance| hardtack_cloud::ec2::Instance {
        id: instance.spec.id,
        reservation: instance.spec.reservation,
        ..Default::default()
    });
    let instances: Vec<_> = instances.collect();
    let id = instances.first().map(|instance| instance.reservation.clone()).unwrap_or_default();
    // The described ones are shown.
    Ok(Reservation { id, instances, ..Reservation::default() })
}

/// Machines of these ids, in their order.
fn described(machines: &dyn hardtack_launch::Machines, ids: &[String]) -> Result<Vec<Machine>, CliError> {
    let mut fresh = Fresh::over(machines.environment());
    let found = loop {
        match machines.describe(&Selection::Ids(ids.to_vec())) {
            // They may not be known everywhere yet.
            Err(hardtack_publish::Error::Cloud(error)) if missing(&error) && fresh.again() => {}
            found => break found?,
        }
    };
    let by_id = |id: &String| found.iter().find(|machine| machine.instance.id == *id).cloned();
    Ok(ids.iter().filter_map(by_id).collect())
}

/// Texts of a result's list.
fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// A path for people and programs.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
