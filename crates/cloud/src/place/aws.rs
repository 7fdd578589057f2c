//! Regions of AWS and the names of its services.
//!
//! Source: botocore 1.44 (`partitions.json`, the services' rule sets of endpoints).

use super::{Place, PlaceOptions, Service, checked};
use crate::credentials::files::expand;
use crate::credentials::profile::{Profiles, configured_endpoint};
use crate::{Environment, Error, Kind};

/// A partition's id, the beginning of its regions' names, and what its services' names end with. The last one is
/// for all others.
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("aws-cn", "cn-", "amazonaws.com.cn"),
    ("aws-us-gov", "us-gov-", "amazonaws.com"),
    ("aws-iso-b", "us-isob-", "sc2s.sgov.gov"),
    ("aws-iso", "us-iso-", "c2s.ic.gov"),
    ("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk"),
    ("aws-iso-f", "us-isof-", "csp.hci.ic.gov"),
    ("aws-eusc", "eusc-", "amazonaws.eu"),
    ("aws", "", "amazonaws.com"),
];

/// Services whose ordinary names in GovCloud are FIPS 140's already.
const GOVERNMENT: [Service; 3] = [Service::Ec2, Service::Sts, Service::Ssm];

/// All that names a region of AWS.
pub(super) fn find(options: &PlaceOptions, environment: &Environment) -> Result<Place, Error> {
    let profiles = Profiles::read(options.profile.as_deref(), environment)?;
    let of_profile = |name: &str| profiles.chosen().and_then(|profile| profile.text(name));
    let region = options
        .region
        .as_deref()
        .filter(|region| !region.is_empty())
        .or_else(|| environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .or_else(|| of_profile("region"))
        .ok_or_else(|| {
            Error::Usage(format!(
                "no region of AWS is given: --region, AWS_REGION, AWS_DEFAULT_REGION and region in {} are \
                 looked at",
                profiles.looked()
            ))
        })?;
    check_region(region)?;
    let mut place = Place::new(Kind::Aws, region);
    place.scheme = options.scheme.unwrap_or(place.scheme);
    let authorities = environment.variable("AWS_CA_BUNDLE").or_else(|| of_profile("ca_bundle"));
    place.authorities = authorities.map(|path| expand(path, environment));
    let fips = environment.variable("AWS_USE_FIPS_ENDPOINT").or_else(|| of_profile("use_fips_endpoint"));
    place.fips = fips.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    for service in Service::ALL {
        let option = match service {
            Service::Ec2 => options.ec2_url.clone(),
            Service::S3 => options.s3_url.clone(),
            _ => None,
        };
        let url = match option {
            Some(url) => Some(url),
            None => configured_endpoint(&profiles, service.signing_name(), environment)?,
        };
        if let Some(url) = url {
            place.given.insert(service, checked(&url)?);
        }
    }
    Ok(place)
}

/// The address of a service in a region.
pub(super) fn address(service: Service, region: &str, fips: bool) -> Result<String, Error> {
    if service == Service::Bootstrap {
        return Err(Error::Usage(
            "AWS has no bootstrap service: give the certificate with --ec2cert".to_owned(),
        ));
    }
    if service == Service::Properties {
        return Err(Error::Usage(
            "AWS has no properties of a cloud: --on euca names a Eucalyptus".to_owned(),
        ));
    }
    check_region(region)?;
    let (partition, suffix) = partition(region);
    let fips = fips && !(partition == "aws-us-gov" && GOVERNMENT.contains(&service));
    let name = service.signing_name();
    Ok(format!("https://{name}{}.{region}.{suffix}", if fips { "-fips" } else { "" }))
}

/// The partition of a region and what its services' names end with.
pub(crate) fn partition(region: &str) -> (&'static str, &'static str) {
    PARTITIONS
        .iter()
        .find(|(_, beginning, _)| region.starts_with(beginning))
        .map_or(("aws", "amazonaws.com"), |(id, _, suffix)| (*id, *suffix))
}

/// A region's name becomes part of a host's.
pub(crate) fn check_region(region: &str) -> Result<(), Error> {
    let good = region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !region.is_empty()
        && region.len() <= 40
        && !region.starts_with('-')
        && !region.ends_with('-');
    if good {
        return Ok(());
    }
    let hint = if region.contains('@') { "; USER@REGION is for --on euca" } else { "" };
    Err(Error::Usage(format!("{region:?} is no region of AWS; one is eu-west-1{hint}")))
}
