//! `hardtack service-image`: what `euca-install-load-balancer` does, through `install` and the Properties service.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args as _, Command, FromArgMatches as _};
use hardtack_cloud::{Client, Kind, Service};
use hardtack_credentials::time;
use hardtack_publish::journal::Journal;
use hardtack_publish::service_image::{
    IMAGE_NAME, PROPERTIES, State, bucket, enable, image_name, is_unset, next_version, state,
};
use serde_json::{Value, json};

use super::install;
use super::publish::{Site, default_path, find};
use crate::args::{
    InstallArgs, PlaceArgs, ServiceImageArgs, ServiceImageVerb, ServiceInstallArgs, ServiceListArgs,
};
use crate::environment;
use crate::error::CliError;
use crate::talk;

/// Runs the verb.
pub(crate) fn run(arguments: &ServiceImageArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        ServiceImageVerb::Install(arguments) => installed(arguments),
        ServiceImageVerb::List(arguments) => list(arguments),
    }
}

/// The place of `arguments`, which must be Eucalyptus. `-U` is what installing has it for: S3.
fn eucalyptus(arguments: &PlaceArgs) -> Result<Client, CliError> {
    match find(arguments, Service::S3, &environment::of_process())? {
        Site::Cloud(client) if client.place().kind == Kind::Euca => {
            client.provider().get()?;
            Ok(client)
        }
        _ => Err(CliError::usage("service images are Eucalyptus': --on euca")),
    }
}

fn installed(arguments: &ServiceInstallArgs) -> Result<u8, CliError> {
    // Before anything is asked for or told.
    std::fs::File::open(&arguments.tarball)
        .map_err(|error| CliError::io(&arguments.tarball, "open the image", error))?;
    let client = eucalyptus(&arguments.place)?;
    let known = state(&client)?;
    let version = version(arguments, &client, &known)?;
    let journal = journal_path(arguments, version);
    let order = order(arguments, &known, version, &journal)?;
    talk::note(&format!("bundling and uploading image to bucket: {}", bucket(version)));
    let afterwards = |client: &Client, journal: &Journal, mut result: Value| {
        let image = result.get("image").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (property, before) = enable(client, &image, journal)?;
        if let Some(result) = result.as_object_mut() {
            result.insert("version".to_owned(), json!(version));
            result.insert("property".to_owned(), json!(property));
            result.insert("previous".to_owned(), if is_unset(&before) { Value::Null } else { json!(before) });
        }
        print(&result, arguments.json)?;
        Ok(result)
    };
    install::into_cloud(&order, Site::Cloud(client), &afterwards)
}

/// The version that is made: that of the journal of a run that goes on, or the next.
fn version(arguments: &ServiceInstallArgs, client: &Client, known: &State) -> Result<u32, CliError> {
    let of = |journal: &Journal| journal.header().name.strip_prefix(&format!("{IMAGE_NAME}-v"))?.parse().ok();
    let begun = |path: &Path| match Journal::existing(path) {
        Ok(journal) if journal.result().is_none() => of(&journal),
        _ => None,
    };
    // One that is named is gone on with, or told again where it is done.
    if let Some(path) = arguments.journal.as_deref().filter(|path| path.exists())
        && let Some(version) = Journal::existing(path).ok().and_then(|journal| of(&journal))
    {
        return Ok(version);
    }
    let is_begun = |version: u32| {
        arguments.journal.is_none() && begun(&journal_path(arguments, version)) == Some(version)
    };
    Ok(next_version(client, known, &is_begun)?)
}

fn journal_path(arguments: &ServiceInstallArgs, version: u32) -> PathBuf {
    default_path(arguments.journal.as_deref(), &bucket(version), "journal")
}

/// The same as a command line of `hardtack install`.
fn order(
    arguments: &ServiceInstallArgs,
    known: &State,
    version: u32,
    journal: &Path,
) -> Result<InstallArgs, CliError> {
    let (name, description) = (image_name(version), format!("Installed on {}", now()));
    let (bucket, prefix) = (bucket(version), format!("{IMAGE_NAME}.img"));
    let mut line = vec![
        "install",
        "IMAGE",
        "--name",
        &name,
        "--description",
        &description,
        "--prefix",
        &prefix,
        "--bucket",
        &bucket,
        "--arch",
        "x86_64",
        "--virtualization-type",
        "hvm",
    ];
    // Since 4.2 images of services are found by their tags.
    let tags = [
        "type=eucalyptus-service-image".to_owned(),
        format!("version=v{version}"),
        "provides=loadbalancing".to_owned(),
    ];
    if PROPERTIES.get(1).is_some_and(|property| *property == known.property) {
        tags.iter().for_each(|tag| line.extend(["--tag", tag.as_str()]));
    }
    let wrong = |error: clap::Error| CliError::usage(error.to_string());
    let matches =
        InstallArgs::augment_args(Command::new("install")).try_get_matches_from(line).map_err(wrong)?;
    let mut order = InstallArgs::from_arg_matches(&matches).map_err(wrong)?;
    order.disk = Some(arguments.tarball.clone());
    order.harden.recipe.clone_from(&arguments.recipe);
    order.journal = Some(journal.to_owned());
    order.json = arguments.json;
    order.packing = arguments.packing.clone();
    order.keys = arguments.keys.clone();
    order.place = arguments.place.clone();
    Ok(order)
}

/// As the original has it: `2014-01-15 at 08:53:21 UTC`.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    at(seconds)
}

fn at(seconds: u64) -> String {
    time::format_utc(seconds).replace('T', " at ").replace('Z', " UTC")
}

/// What was made, and what the cloud used before.
pub(super) fn print(result: &Value, json: bool) -> Result<(), CliError> {
    let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or("NULL");
    let mut out = std::io::stdout().lock();
    let told = if json {
        writeln!(out, "{result}")
    } else {
        writeln!(
            out,
            "Registered image: {}\nPROPERTY\t{}\t{} was {}\n\nLoad Balancing Support is Enabled",
            text("image"),
            text("property"),
            text("image"),
            text("previous")
        )
    };
    told.and_then(|()| out.flush()).map_err(CliError::stream)
}

fn list(arguments: &ServiceListArgs) -> Result<u8, CliError> {
    let client = eucalyptus(&arguments.place)?;
    let known = state(&client)?;
    let text = if arguments.json { format!("{}\n", as_json(&known)) } else { people(&known) };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
    Ok(0)
}

fn as_json(known: &State) -> Value {
    let image = |image: &hardtack_publish::service_image::Installed| {
        json!({
            "version": image.version, "image": image.id, "location": image.location,
            "description": image.description, "enabled": image.enabled,
        })
    };
    let images: Vec<Value> = known.images.iter().map(image).collect();
    json!({ "property": known.property, "enabled": known.enabled, "images": images })
}

/// As `euca-install-load-balancer --list` prints it.
fn people(known: &State) -> String {
    let mut out = "Currently Installed Load Balancer Bundles:\n\n".to_owned();
    let safe = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    if known.images.is_empty() {
        out.push_str("No load balancer images Installed.\n\n");
    }
    for version in known.images.chunk_by(|one, other| one.version == other.version) {
        let number = version.first().map_or(0, |image| image.version);
        let enabled = if version.iter().any(|image| image.enabled) { " (enabled)" } else { "" };
        out.push_str(&format!("Version {number}{enabled}\n"));
        for image in version {
            out.push_str(&format!("{} ({})\n", image.id, safe(&image.location)));
            if let Some(description) = &image.description {
                out.push_str(&format!("\t{}\n", safe(description)));
            }
        }
        out.push('\n');
    }
    let is_listed = known.images.iter().any(|image| image.enabled);
    if let Some(enabled) = known.enabled.as_deref().filter(|_| !is_listed) {
        out.push_str(&format!("{} is {}, which is none of these.\n", known.property, safe(enabled)));
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_publish::service_image::Installed;

    use super::*;

    #[test]
    fn versions_are_listed_as_by_the_original() {
        let image = |version, id: &str, enabled: bool| Installed {
            version,
            id: id.to_owned(),
            location: format!("loadbalancer-v{version}/x.img.manifest.xml"),
            description: enabled.then(|| "Installed on 2014-01-15 at 08:53:21 UTC".to_owned()),
            enabled,
        };
        let mut known = State {
            property: PROPERTIES[0].to_owned(),
            enabled: Some("emi-2".to_owned()),
            images: vec![image(1, "emi-1", false), image(2, "eki-2", false), image(2, "emi-2", true)],
        };
        assert_eq!(
            people(&known),
            "Currently Installed Load Balancer Bundles:\n\nVersion 1\nemi-1 (loadbalancer-v1/x.img.manifest.xml)\n\n\
             Version 2 (enabled)\neki-2 (loadbalancer-v2/x.img.manifest.xml)\nemi-2 (loadbalancer-v2/x.img.manifest.xml)\n\
             \tInstalled on 2014-01-15 at 08:53:21 UTC\n\n"
        );
        known.images.clear();
        assert!(people(&known).contains("No load balancer images Installed."));
        assert!(people(&known).ends_with("emi-2, which is none of these.\n"));
    }

    #[test]
    fn times_are_written_as_by_the_original() {
        assert_eq!(at(0), "1970-01-01 at 00:00:00 UTC");
        assert_eq!(at(1_389_776_001), "2014-01-15 at 08:53:21 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 at 00:00:00 UTC");
    }
}
