//! Where a cache is, and the cache there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hardtack_cache::{Bucket, Directory, Error, Store};
use hardtack_cloud::credentials::Provider;
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};

use crate::args::CacheWhere;
use crate::environment;
use crate::error::{CliError, LOCAL_IO, REFUSED, USAGE};

/// The variable that stands for `--cache`.
pub(crate) const VARIABLE: &str = "HARDTACK_BUILD_CACHE";

/// Where a cache is.
#[derive(Debug, PartialEq, Eq)]
enum Where {
    Directory(PathBuf),
    Bucket { bucket: String, prefix: String, euca: bool, given: Given },
}

/// What stands behind the question mark.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
}

impl Where {
    fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |what: &str| {
            CliError::usage(format!("--cache {text}: {what}")).hint("give a directory, or s3://BUCKET/PREFIX")
        };
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    Err(wrong(&format!("{scheme} is no place for a cache")))
                }
                _ if text.is_empty() => Err(wrong("it is empty")),
                _ => Ok(Self::Directory(PathBuf::from(text))),
            };
        };
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(wrong("there is no bucket in it"));
        }
        let (mut given, mut euca) = (Given::default(), false);
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let value = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
            match pair.split_once('=') {
                Some(("region", text)) => given.region = value(text),
                Some(("endpoint", text)) => given.endpoint = value(text),
                Some(("profile", text)) => given.profile = value(text),
                Some(("on", "aws")) => euca = false,
                Some(("on", "euca")) => euca = true,
                _ => {
                    let what =
                        format!("`{pair}` is none of region=…, endpoint=…, profile=…, on=aws, on=euca");
                    return Err(wrong(&what));
                }
            }
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned(), euca, given })
    }
}

/// Refuses a place that a build would refuse, or read as another than is meant.
pub(crate) fn check(text: &str) -> Result<(), CliError> {
    let wrong = |what: &str, hint: &str| Err(CliError::usage(format!("--cache {text}: {what}")).hint(hint));
    match Where::parse(text)? {
        _ if text.chars().any(char::is_control) => {
            let text = text.escape_debug();
            Err(CliError::usage(format!(
                "--cache {text}: it holds a line break or another control character"
            )))
        }
        Where::Directory(_) if text.starts_with('~') => {
            wrong("no shell makes a home of `~` there", "name the directory itself, or write ./~")
        }
        Where::Directory(_) if text.starts_with('-') => wrong("this is an option", "write ./ before it"),
        _ => Ok(()),
    }
}

/// What is said of a cache, on the command line or in the environment.
pub(crate) fn named(arguments: &CacheWhere) -> Option<String> {
    arguments.cache.clone().or_else(|| std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()))
}

/// Why there is no cache: what was written is wrong, or the place cannot be used now.
pub(crate) enum Closed {
    Wrong(CliError),
    Away(CliError),
}

impl Closed {
    pub(crate) fn error(self) -> CliError {
        match self {
            Self::Wrong(error) | Self::Away(error) => error,
        }
    }
}

/// Opens the cache at `text`; what is none is not made one.
pub(crate) fn open_existing(text: &str) -> Result<Store, CliError> {
    let environment = environment::of_process();
    Ok(match Where::parse(text)? {
        Where::Directory(root) => Store::Directory(Directory::open_existing(&root, environment.random)?),
        Where::Bucket { bucket, prefix, euca, given } => {
            let client = client(euca, &given, &environment)?;
            Store::Bucket(Bucket::open_existing(client, &bucket, &prefix)?)
        }
    })
}

/// Opens the cache at `text`; what holds nothing becomes one.
pub(crate) fn open(text: &str) -> Result<Store, Closed> {
    let environment = environment::of_process();
    match Where::parse(text).map_err(Closed::Wrong)? {
        Where::Directory(root) => Directory::open(&root, environment.random)
            .map(Store::Directory)
            .map_err(|error| Closed::Away(error.into())),
        Where::Bucket { bucket, prefix, euca, given } => {
            let client = client(euca, &given, &environment).map_err(|error| Closed::Wrong(error.into()))?;
            Bucket::open(client, &bucket, &prefix, environment.random)
                .map(Store::Bucket)
                .map_err(|error| Closed::Away(error.into()))
        }
    }
}

fn client(
    euca: bool,
    given: &Given,
    environment: &Arc<Environment>,
) -> Result<Client, hardtack_cloud::Error> {
    let kind = if euca { Kind::Euca } else { Kind::Aws };
    let options = PlaceOptions {
        // A server of one's own has no regions, and signatures want one.
        region: given.region.clone().or_else(|| {
            let known =
                ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| environment.variable(name).is_some());
            (given.endpoint.is_some() && given.profile.is_none() && !known && !euca)
                .then(|| "us-east-1".to_owned())
        }),
        s3_url: given.endpoint.clone(),
        profile: given.profile.clone(),
        ..PlaceOptions::default()
    };
    let place = Place::find(kind, &options, environment)?;
    let provider = Provider::find(place.kind, &options, environment.clone(), false);
    // A build goes on without a cache: nobody waits minutes for one that is away.
    let patience = Patience { connect: Duration::from_secs(5), tries: 3, ..Patience::default() };
    Ok(Client::new(place, provider, environment.clone(), patience))
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Cloud(error) => error.into(),
            Error::Place { hint, .. } => Self::new(USAGE, message).hint(hint),
            Error::Damaged { .. } => Self::new(REFUSED, message),
            _ => Self::new(LOCAL_IO, message),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cache_is_a_directory_or_in_a_bucket() {
        let bucket = |bucket: &str, prefix: &str, euca, given| Where::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            euca,
            given,
        };
        let given = Given {
            region: Some("eu-west-1".to_owned()),
            endpoint: Some("http://127.0.0.1:9000".to_owned()),
            profile: None,
        };
        for (text, expected) in [
            ("cache", Where::Directory("cache".into())),
            ("./s3:/x", Where::Directory("./s3:/x".into())),
            ("s3://b", bucket("b", "", false, Given::default())),
            ("s3://b/p/q", bucket("b", "p/q", false, Given::default())),
            (
                "s3://b/p?region=eu-west-1&endpoint=http://127.0.0.1:9000&on=euca",
                bucket("b", "p", true, given),
            ),
        ] {
            assert_eq!(Where::parse(text).ok(), Some(expected), "{text}");
        }
        for text in
            ["", "s3://", "s3:///p", "https://x/y", "gs://b/p", "s3://b/p?x=y", "s3://b/p?on=gcp", "s3://b?"]
        {
            assert_eq!(Where::parse(text).unwrap_err().exit_code(), USAGE, "{text}");
            assert_eq!(check(text).unwrap_err().exit_code(), USAGE, "{text}");
        }
        for text in ["~/.cache/h", "-x", "a\nb", "s3://b/p\t"] {
            assert_eq!(check(text).unwrap_err().exit_code(), USAGE, "{text}");
        }
        for text in [".hardtack", "./~x", "/var/cache/x", "s3://b/p?region=x"] {
            assert!(check(text).is_ok(), "{text}");
        }
    }
}
