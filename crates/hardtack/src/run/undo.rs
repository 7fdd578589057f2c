//! `hardtack undo`: what a journal says was made is taken away.

use std::io::Write as _;

use hardtack_cloud::{Client, Kind, Place, PlaceOptions};
use hardtack_publish::journal::{Header, Journal};
use hardtack_publish::undo::undo;
use serde_json::json;

use super::publish::{self, Talker, place_options};
use crate::args::UndoArgs;
use crate::environment;
use crate::error::CliError;

/// Runs `hardtack undo`.
pub(crate) fn run(arguments: &UndoArgs) -> Result<u8, CliError> {
    let journal = Journal::existing(&arguments.journal)?;
    let client = client(arguments, &journal.header())?;
    let undone = match undo(&journal, client.as_ref(), &Talker::default()) {
        Ok(undone) => undone,
        Err(error) => {
            let left = journal.standing().len();
            let path = arguments.journal.display();
            let things = if left == 1 { "thing stands" } else { "things stand" };
            return Err(CliError::from(error)
                .hint(format!("{left} {things} in {path} still: run the same command again")));
        }
    };
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
