//! Addresses of a Eucalyptus cloud.

use super::{Place, PlaceOptions, Service, checked};
use crate::{Environment, Error, Kind};

/// All that names a cloud.
pub(super) fn find(options: &PlaceOptions, environment: &Environment) -> Result<Place, Error> {
    let mut place = Place::new(Kind::Euca, "eucalyptus");
    place.verify = false;
    place.scheme = options.scheme.unwrap_or(place.scheme);
    place.signing_region = environment.variable("AWS_AUTH_REGION").map(str::to_owned);
    for (service, option, variable) in [
        (Service::Ec2, options.ec2_url.as_deref(), "EC2_URL"),
        (Service::S3, options.s3_url.as_deref(), "S3_URL"),
        (Service::Sts, None, "TOKEN_URL"),
        (Service::Bootstrap, None, "EUCA_BOOTSTRAP_URL"),
    ] {
        if let Some(url) = option.or_else(|| environment.variable(variable)) {
            place.given.insert(service, checked(url)?);
        }
    }
    Ok(place)
}

/// Nobody said where it is.
pub(super) fn missing(service: Service) -> Error {
    Error::Usage(format!("it is not known where this cloud's {} answers", service.name()))
}
