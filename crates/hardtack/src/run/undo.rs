//! `hardtack undo`: what a journal says was made is taken away.

use std::io::Write as _;

use hardtack_cloud::ec2::describe_instances;
use hardtack_cloud::{Client, Kind, Place, PlaceOptions};
use hardtack_launch::key::{self, Forgotten};
use hardtack_publish::journal::{Header, Journal};
use hardtack_publish::undo::{Undone, undo, undo_here};
use serde_json::json;

use super::publish::{self, Talker, place_options};
use crate::args::UndoArgs;
use crate::environment;
use crate::error::CliError;

/// Runs `hardtack undo`.
pub(crate) fn run(arguments: &UndoArgs) -> Result<u8, CliError> {
    let journal = Journal::existing(&arguments.journal)?;
    let client = client(arguments, &journal.header())?;
    let made = key::keep_made(&journal)?;
    let tell = Talker::default();
    let undone = match &client {
        Some(_) => undo(&journal, client.as_ref(), &tell),
        None => undo_here(&journal, &environment::of_process(), &tell),
    };
    let undone = match undone {
        Ok(undone) => undone,
        Err(error) => {
            let left = journal.standing().len();
            let path = arguments.journal.display();
            let things = if left == 1 { "thing stands" } else { "things stand" };
            return Err(CliError::from(error)
                .hint(format!("{left} {things} in {path} still: run the same command again")));
        }
    };
    let mut undone = undone;
    if journal.standing().is_empty() {
        private_key(&journal, made.as_deref(), client.as_ref(), &mut undone)?;
    }
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let result = json!({"removed": undone.removed, "gone": undone.gone, "left": undone.left});
        writeln!(out, "{result}")
    } else {
        let lines = [("removed", &undone.removed), ("gone already", &undone.gone), ("left", &undone.left)];
        lines
            .iter()
            .flat_map(|(word, texts)| texts.iter().map(move |text| (word, text)))
            .try_for_each(|(word, text)| writeln!(out, "{word}: {text}"))
    };
    told.map_err(CliError::stream)?;
    if journal.standing().is_empty() {
        journal.remove()?;
    }
    Ok(0)
}

/// The private key that the run wrote goes when nothing is left that it opens.
fn private_key(
    journal: &Journal,
    name: Option<&str>,
    client: Option<&Client>,
    undone: &mut Undone,
) -> Result<(), CliError> {
    let Some(name) = name else { return Ok(()) };
    let others = match client {
        _ if !undone.left.is_empty() => Some("not all of the journal is gone".to_owned()),
        Some(client) => of_others(client, name),
        None => None,
    };
    let forgotten = match others {
        Some(why) => {
            undone.left.push(format!("the private key of {name}: {why}"));
            return Ok(());
        }
        None => key::forget_made(journal)?,
    };
    match forgotten {
        Forgotten::Nothing => {}
        Forgotten::Removed(path) => undone.removed.push(format!("the private key {}", path.display())),
        Forgotten::Left(path, why) => undone.left.push(format!("{}: {why}", path.display())),
    }
    Ok(())
}

/// Instances of other launches that have the key pair's name.
fn of_others(client: &Client, name: &str) -> Option<String> {
    let filters = [("key-name".to_owned(), vec![name.to_owned()])];
    match describe_instances(client, &[], &filters) {
        Err(error) => Some(format!("whether other instances have it is not known: {error}")),
        Ok(found) => found
            .iter()
            .find(|one| one.key_name.as_deref() == Some(name) && one.state.name != "terminated")
            .map(|one| format!("{} was started with it, too", one.id)),
    }
}

/// The cloud that the journal names; none where all of it is local.
fn client(arguments: &UndoArgs, header: &Header) -> Result<Option<Client>, CliError> {
    let kind = match header.place.as_str() {
        "local" => return Ok(None),
        "aws" => Kind::Aws,
        "euca" => Kind::Euca,
        other => {
            let text = format!(
                "{}: it is of {other:?}, and this hardtack knows no such place",
                arguments.journal.display()
            );
            return Err(CliError::refused(text));
        }
    };
    let environment = environment::of_process();
    // A Eucalyptus that nobody named is called so; its addresses are in the journal.
    let nowhere = |region: &String| region.is_empty() || kind == Kind::Euca && region == "eucalyptus";
    let options = PlaceOptions {
        region: Some(header.region.clone()).filter(|region| !nowhere(region)),
        ec2_url: header.ec2_url.clone(),
        s3_url: header.s3_url.clone(),
        ..place_options(&arguments.access)
    };
    let place = Place::find(kind, &options, &environment)?;
    let client = publish::client(place, &options, &arguments.access, &environment);
    client.provider().get()?;
    Ok(Some(client))
}
