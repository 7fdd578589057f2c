//! Where an image goes: the local catalog, or a client of a cloud.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hardtack_cloud::credentials::Provider;
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions, Scheme, Service};
use hardtack_publish::catalog::Catalog;
use hardtack_publish::journal::Header;

use crate::args::{AccessArgs, Auth, On, PlaceArgs};
use crate::environment;
use crate::error::CliError;

/// Where an image goes.
pub(crate) enum Site {
    /// A directory of this machine.
    Local(Catalog),
    /// A cloud.
    Cloud(Client),
}

impl Site {
    /// The header of a journal of it.
    pub(crate) fn header(&self, name: &str, inputs: &str) -> Header {
        let (place, region, ec2_url, s3_url) = match self {
            Self::Local(_) => ("local", String::new(), None, None),
            Self::Cloud(client) => {
                let place = client.place();
                let given = |service| place.given.get(&service).cloned();
                let kind = match place.kind {
                    Kind::Aws => "aws",
                    Kind::Euca => "euca",
                };
                (kind, place.region.clone(), given(Service::Ec2), given(Service::S3))
            }
        };
        Header {
            place: place.to_owned(),
            region,
            ec2_url,
            s3_url,
            name: name.to_owned(),
            inputs: inputs.to_owned(),
        }
    }
}

/// The place that the options name. `-U` is the address of `url_is`.
pub(crate) fn find(
    arguments: &PlaceArgs,
    url_is: Service,
    environment: &Arc<Environment>,
) -> Result<Site, CliError> {
    let kind = match arguments.on {
        On::Local => return Ok(Site::Local(Catalog::new(&local(arguments, environment)?))),
        On::Aws => Kind::Aws,
        On::Euca => Kind::Euca,
    };
    if arguments.catalog.is_some() {
        return Err(CliError::usage("--catalog is for the local catalog, and --on names a cloud"));
    }
    let (mut ec2_url, mut s3_url) = (arguments.ec2_url.clone(), arguments.s3_url.clone());
    let own = arguments.url.as_ref().filter(|_| !matches!(url_is, Service::S3 | Service::Ec2));
    if let Some(url) = arguments.url.as_ref().filter(|_| own.is_none()) {
        let (slot, name) =
            if url_is == Service::S3 { (&mut s3_url, "--s3-url") } else { (&mut ec2_url, "--ec2-url") };
        if slot.is_some() {
            return Err(CliError::usage(format!("-U and {name} are the same here: give one of them")));
        }
        *slot = Some(url.clone());
    }
    let options = PlaceOptions {
        region: arguments.region.clone(),
        ec2_url,
        s3_url,
        bootstrap_url: arguments.bootstrap_url.clone(),
        ..place_options(&arguments.access)
    };
    let mut place = Place::find(kind, &options, environment)?;
    if let (Kind::Aws, Some(url)) = (kind, &arguments.bootstrap_url) {
        // AWS has none of its own.
        place.given.insert(Service::Bootstrap, url.clone());
    }
    if let Some(url) = own {
        place.given.insert(url_is, url.clone());
    }
    Ok(Site::Cloud(client(place, &options, &arguments.access, environment)))
}

/// What profile, signature and eucarc say of a place.
pub(crate) fn place_options(access: &AccessArgs) -> PlaceOptions {
    PlaceOptions {
        profile: access.profile.clone(),
        scheme: access.auth.map(|auth| match auth {
            Auth::V2 => Scheme::V2,
            Auth::V4 => Scheme::V4,
        }),
        eucarc: access.eucarc.clone(),
        ..PlaceOptions::default()
    }
}

/// A client of `place`. Nothing is asked yet.
pub(crate) fn client(
    place: Place,
    options: &PlaceOptions,
    access: &AccessArgs,
    environment: &Arc<Environment>,
) -> Client {
    let environment = if access.debug { environment::traced(environment) } else { environment.clone() };
    let provider = Provider::find(place.kind, options, environment.clone(), access.instance_metadata);
    Client::new(place, provider, environment, Patience::default())
}

/// An option that does nothing here was meant for elsewhere.
fn local(arguments: &PlaceArgs, environment: &Environment) -> Result<PathBuf, CliError> {
    let stray = [
        ("--region", arguments.region.is_some()),
        ("--profile", arguments.access.profile.is_some()),
        ("--url", arguments.url.is_some()),
        ("--ec2-url", arguments.ec2_url.is_some()),
        ("--s3-url", arguments.s3_url.is_some()),
        ("--auth", arguments.access.auth.is_some()),
        ("--instance-metadata", arguments.access.instance_metadata),
        ("--bootstrap-url", arguments.bootstrap_url.is_some()),
    ];
    if let Some((name, _)) = stray.iter().find(|(_, given)| *given) {
        return Err(CliError::usage(format!(
            "{name} is for clouds, and the image goes into the local catalog"
        ))
        .hint("--on aws and --on euca name a cloud"));
    }
    catalog_directory(arguments.catalog.as_deref(), environment)
}

/// Where the local catalog is.
pub(crate) fn catalog_directory(
    given: Option<&Path>,
    environment: &Environment,
) -> Result<PathBuf, CliError> {
    let variable = |name| environment.variable(name).map(PathBuf::from);
    given
        .map(Path::to_owned)
        .or_else(|| variable("HARDTACK_CATALOG"))
        // The XDG specification wants relative paths there to be ignored.
        .or_else(|| Some(variable("XDG_DATA_HOME").filter(|path| path.is_absolute())?.join("hardtack")))
        .or_else(|| Some(environment.home.as_ref()?.join(".local/share/hardtack")))
        .ok_or_else(|| {
            CliError::usage("there is no home directory, and so no place for the local catalog")
                .hint("--catalog DIR or HARDTACK_CATALOG names one")
        })
}
