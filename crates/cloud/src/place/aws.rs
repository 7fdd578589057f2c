//! Regions of AWS and the names of its services.
//!
//! Source: botocore's `partitions.json` and its rule sets of endpoints.

use super::{Place, PlaceOptions, Service, checked};
use crate::{Environment, Error, Kind};

/// All that names a region of AWS.
pub(super) fn find(options: &PlaceOptions, environment: &Environment) -> Result<Place, Error> {
    let named = options.region.as_deref().filter(|region| !region.is_empty());
    let region =
        named.or_else(|| environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])).ok_or_else(|| {
            Error::Usage("no region of AWS is given; say --region, or set AWS_REGION".to_owned())
        })?;
    let mut place = Place::new(Kind::Aws, region);
    place.scheme = options.scheme.unwrap_or(place.scheme);
    place.authorities = environment.variable("AWS_CA_BUNDLE").map(Into::into);
    for service in Service::ALL {
        let option = match service {
            Service::Ec2 => options.ec2_url.as_deref(),
            Service::S3 => options.s3_url.as_deref(),
            _ => None,
        };
        let variable = format!("AWS_ENDPOINT_URL_{}", service.signing_name().to_uppercase());
        if let Some(url) = option.or_else(|| environment.first(&[&variable, "AWS_ENDPOINT_URL"])) {
            place.given.insert(service, checked(url)?);
        }
    }
    Ok(place)
}

/// The address of a service in a region.
pub(super) fn address(service: Service, region: &str) -> Result<String, Error> {
    if service == Service::Bootstrap {
        return Err(Error::Usage("AWS has no bootstrap service: give the certificate itself".to_owned()));
    }
    Ok(format!("https://{}.{region}.amazonaws.com", service.signing_name()))
}
