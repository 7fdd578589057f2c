//! What a launch is given: user-data, the key, the journal.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use hardtack_cloud::Environment;
use hardtack_launch::cloud::Key;
use hardtack_launch::key::Public;
use hardtack_launch::user_data::{Prepared, prepare};
use hardtack_publish::Error;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::args::{LaunchArgs, On, Tokens};
use crate::error::CliError;
use crate::run::{publish::default_path, user_data};
use crate::talk;

/// What is wrong with an order: its first line, what follows as a hint; findings of user-data as they are.
pub(super) fn told(error: Error) -> CliError {
    if let Error::No(text) = &error
        && text.ends_with('\n')
    {
        // A picture is printed as it is, without hints.
        return CliError::rendered_no(format!(
            "{text}hint: nothing was launched; --force launches all the same\n"
        ));
    }
    let several = match &error {
        Error::Usage(text)
        | Error::Refused(text)
        | Error::No(text)
        | Error::Cloud(hardtack_cloud::Error::State(text)) => {
            text.split_once('\n').map(|(first, rest)| (first.to_owned(), rest.to_owned()))
        }
        _ => None,
    };
    let invalid = |error: &hardtack_cloud::Error| {
        error
            .code()
            .is_some_and(|code| ["Invalid", "Unsupported", "Missing"].iter().any(|it| code.starts_with(it)))
    };
    let over = match &error {
        Error::Refused(_) => true,
        Error::Cloud(error) => invalid(error),
        _ => false,
    };
    let marked = |error: CliError| if over { error.over() } else { error };
    let Some((first, rest)) = several else { return marked(error.into()) };
    let error = match error {
        Error::Usage(_) => Error::Usage(first),
        Error::No(_) => Error::No(first),
        Error::Cloud(_) => hardtack_cloud::Error::State(first).into(),
        _ => Error::Refused(first),
    };
    marked(CliError::from(error).hint(rest))
}

/// Reads, checks and packs the user-data; what is found is told on standard error.
pub(super) fn user_data(arguments: &LaunchArgs) -> Result<Prepared, CliError> {
    let files: Vec<(String, Vec<u8>)> = match (&arguments.user_data, &arguments.user_data_force) {
        (Some(text), _) => {
            if Path::new(text).is_file() {
                return Err(CliError::usage(format!(
                    "--user-data {text}: this is a file's name, and would be sent as a text"
                ))
                .hint("--user-data-file sends what the file holds; --user-data-force sends the name"));
            }
            vec![("--user-data".to_owned(), text.clone().into_bytes())]
        }
        (None, Some(text)) => vec![("--user-data-force".to_owned(), text.clone().into_bytes())],
        (None, None) => user_data::read_all(&arguments.user_data_file)?
            .into_iter()
            .map(|input| (input.name, input.bytes))
            .collect(),
    };
    let prepared = prepare(&files, arguments.force).map_err(told)?;
    prepared.warnings.iter().for_each(|warning| talk::line(warning.trim_end()));
    if let Some(told) = &prepared.told {
        talk::note(told);
    }
    Ok(prepared)
}

/// Keys of the account in arguments are read by others.
pub(super) fn no_keys(arguments: &LaunchArgs) -> Result<(), CliError> {
    let cloud = &arguments.cloud;
    if cloud.access_key_id.is_none() && cloud.secret_key.is_none() {
        return Ok(());
    }
    Err(CliError::usage(
        "-I and -S: everybody on this machine can read keys in arguments, so none are taken there",
    )
    .hint("they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from --profile, or from --eucarc"))
}

/// The key pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    pub(super) key: Option<Key>,
    /// Where its private key is, as far as that is known.
    pub(super) private: Option<PathBuf>,
    /// What is wrong with a file that is called as the pair is.
    pub(super) file: Option<String>,
}

/// The key pair: a file where it is written as one or holds a public key, else a name in the cloud. This machine has no
/// names.
pub(super) fn key(arguments: &LaunchArgs) -> Result<Pair, CliError> {
    if let Some(file) = &arguments.new_key {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let key = Key::Made { name: stem, file: file.clone() };
        return Ok(Pair { key: Some(key), private: Some(file.clone()), file: None });
    }
    let Some(key) = &arguments.key else { return Ok(Pair::default()) };
    let path = Path::new(key);
    let named = |file| Pair { key: Some(Key::Named(key.clone())), private: None, file };
    let written_so = key.contains('/') || key.ends_with(".pub");
    if written_so || path.is_file() {
        let public = match Public::read(path) {
            Ok(public) => public,
            Err(error) if written_so || arguments.place.on == On::Local => return Err(error.into()),
            Err(error) => return Ok(named(Some(error.to_string()))),
        };
        let private = (path.extension().is_some_and(|suffix| suffix == "pub"))
            .then(|| path.with_extension(""))
            .filter(|private| private.is_file());
        return Ok(Pair { key: Some(Key::Imported(public)), private, file: None });
    }
    Ok(named(None))
}

/// What the launch is of, digested: a run that goes on has the same.
pub(super) fn inputs(arguments: &LaunchArgs, prepared: &Prepared, key: Option<&Key>) -> String {
    let key = match key {
        None => json!(null),
        Some(Key::Named(name)) => json!(["named", name]),
        Some(Key::Imported(public)) => json!(["imported", public.line]),
        Some(Key::Made { file, .. }) => json!(["made", file]),
    };
    let (cloud, here) = (&arguments.cloud, &arguments.here);
    let all = json!({
        "image": arguments.image,
        "user_data": format!("{:x?}", Sha256::digest(&prepared.bytes).as_slice()),
        "key": key,
        "type": arguments.instance_type,
        "count": arguments.count,
        "tags": arguments.tag,
        "volumes": arguments.volume,
        "imds": arguments.imds == Tokens::Required,
        "groups": cloud.group,
        "ssh_from": cloud.ssh_from,
        "zone": cloud.zone,
        "mappings": cloud.mapping,
        "subnet": cloud.subnet,
        "profile": cloud.profile_of_instance,
        "public": [cloud.public_ip, cloud.no_public_ip],
        "here": format!("{here:?}"),
        "associate": cloud.associate_public_ip_address,
        "private_address": cloud.private_ip_address,
        "token": cloud.client_token,
        "extras": [
            cloud.instance_initiated_shutdown_behavior, cloud.kernel, cloud.ramdisk, cloud.placement_group, cloud.tenancy,
        ],
        "flags": [cloud.monitor, cloud.disable_api_termination, cloud.ebs_optimized],
    });
    let digest = Sha256::digest(all.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The journal: the one that is named, else a new one, called by the image and the time.
pub(super) fn journal(arguments: &LaunchArgs, image: &str, environment: &Environment) -> PathBuf {
    if let Some(path) = &arguments.journal {
        return path.clone();
    }
    let seconds = (environment.now)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let time: String = hardtack_credentials::time::format_utc(seconds)
        .chars()
        .filter(|char| !matches!(char, '-' | ':'))
        .collect();
    let name = format!("{image}-{time}");
    let mut path = default_path(None, &name, "journal");
    // Another launch of the same second.
    for number in 2..1000 {
        if path.symlink_metadata().is_err() {
            break;
        }
        path = default_path(None, &format!("{name}-{number}"), "journal");
    }
    path
}
