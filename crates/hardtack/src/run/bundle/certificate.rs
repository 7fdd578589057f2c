//! The cloud's certificate where nobody has its file: its bootstrap service has it, as euca2ools knows.

use std::path::Path;

use hardtack_bundle::PublicKey;
use hardtack_cloud::credentials::euca::Settings;
use hardtack_cloud::{Client, Kind, Place, PlaceOptions, bootstrap};

use crate::args::{AccessArgs, AccountArgs};
use crate::environment;
use crate::error::CliError;
use crate::run::publish;

/// There is no certificate, and nobody said who has it.
pub(in crate::run) fn missing(kind: Kind) -> CliError {
    let text = "missing cloud certificate; please supply one with --ec2cert or use --bootstrap-url and access keys \
                to fetch one automatically";
    CliError::usage(text).hint(match kind {
        Kind::Euca => {
            "or set EUCALYPTUS_CERT or EUCA_BOOTSTRAP_URL; no cloud can open a bundle that is not sealed for it"
        }
        Kind::Aws => "or set EUCALYPTUS_CERT; AWS' own comes with ec2-ami-tools (cert-ec2.pem)",
    })
}

/// What the bootstrap service of the client's place has.
pub(in crate::run) fn fetched(client: &Client) -> Result<PublicKey, CliError> {
    let text = bootstrap::bundling_certificate(client).map_err(|error| {
        CliError::from(error).hint("--ec2cert names the certificate's file, and nothing is fetched")
    })?;
    Ok(PublicKey::from_certificate(text.as_bytes(), Path::new("the cloud's certificate"))?)
}

/// A client of the bootstrap service that the options name, or what was `found`.
pub(super) fn client(arguments: &AccountArgs, found: &Settings) -> Result<Client, CliError> {
    let url = arguments.bootstrap_url.as_ref().or(found.bootstrap_url.as_ref());
    let environment = environment::of_process();
    let options = PlaceOptions {
        region: arguments.files.region.clone(),
        eucarc: arguments.files.eucarc.clone(),
        bootstrap_url: Some(url.ok_or_else(|| missing(Kind::Euca))?.clone()),
        ..PlaceOptions::default()
    };
    let place = Place::find(Kind::Euca, &options, &environment)?;
    Ok(publish::client(place, &options, &AccessArgs::default(), &environment))
}
