//! Addresses of a Eucalyptus cloud.
//!
//! A cloud's services lie beside each other, so one address tells the others. Sources: Eucalyptus 4.4
//! (`conf.d/localhost.ini` of euca2ools; services' names in DNS), 3.4 (`/services/Eucalyptus`, `/services/Walrus`).

use super::{Place, PlaceOptions, Service, checked};
use crate::credentials::euca::Euca;
use crate::{Environment, Error, Kind};

/// A service, its variables, and its settings in a region's section.
const SERVICES: [(Service, &[&str], &[&str]); 7] = [
    (Service::Ec2, &["EC2_URL"], &["ec2-url"]),
    (Service::S3, &["S3_URL"], &["s3-url"]),
    (Service::Sts, &["TOKEN_URL"], &["sts-url", "tokens-url"]),
    (Service::Bootstrap, &["EUCA_BOOTSTRAP_URL"], &["bootstrap-url"]),
    (Service::CloudFormation, &["AWS_CLOUDFORMATION_URL"], &["cloudformation-url"]),
    (Service::AutoScaling, &["AWS_AUTO_SCALING_URL"], &["autoscaling-url"]),
    (Service::Properties, &["EUCA_PROPERTIES_URL"], &["properties-url"]),
];

/// Ends of paths, in the order of [`SERVICES`].
const PATHS: [[&str; 7]; 2] = [
    [
        "/services/compute",
        "/services/objectstorage",
        "/services/Tokens",
        "/services/Empyrean",
        "/services/CloudFormation",
        "/services/AutoScaling",
        "/services/Properties",
    ],
    [
        "/services/Eucalyptus",
        "/services/Walrus",
        "/services/Tokens",
        "/services/Empyrean",
        "/services/CloudFormation",
        "/services/AutoScaling",
        "/services/Properties",
    ],
];

/// First parts of hosts' names, in the same order.
const HOSTS: [[&str; 7]; 2] = [
    ["ec2", "s3", "sts", "bootstrap", "cloudformation", "autoscaling", "properties"],
    ["compute", "objectstorage", "tokens", "bootstrap", "cloudformation", "autoscaling", "properties"],
];

/// All that names a cloud.
pub(super) fn find(options: &PlaceOptions, environment: &Environment) -> Result<Place, Error> {
    let euca = Euca::read(options, environment)?;
    let mut place = Place::new(Kind::Euca, euca.region.as_deref().unwrap_or("eucalyptus"));
    place.signing_region = Some(signing_region(&place.region, &euca, environment));
    place.scheme = options.scheme.unwrap_or(place.scheme);
    let truth = |name: &str| euca.of_region(name).map(|value| is_true(&value));
    place.authorities = environment.variable("AWS_CA_BUNDLE").map(Into::into);
    // Who names authorities wants them looked at.
    place.verify = truth("verify-ssl").unwrap_or(place.authorities.is_some());
    place.s3_v4 = truth("s3-force-sigv4").unwrap_or(false);
    for (service, variables, settings) in SERVICES {
        let option = match service {
            Service::Ec2 => options.ec2_url.clone(),
            Service::S3 => options.s3_url.clone(),
            Service::Bootstrap => options.bootstrap_url.clone(),
            _ => None,
        };
        if let Some(url) = option.or_else(|| euca.address(environment, variables, settings)) {
            place.given.insert(service, checked(&url)?);
        }
    }
    if place.given.is_empty() {
        return Err(Error::Usage(
            "no address of a Eucalyptus cloud is given: --ec2-url and --s3-url, the file of --eucarc, EC2_URL and \
             S3_URL, the region's ec2-url and s3-url in ~/.euca/*.ini, and ~/.euca/eucarc are looked at"
                .to_owned(),
        ));
    }
    derive(&mut place);
    Ok(place)
}

/// Eucalyptus does not look at it; S3s that stand in for Eucalyptus' may.
fn signing_region(region: &str, euca: &Euca, environment: &Environment) -> String {
    let named = euca.address(environment, &["AWS_AUTH_REGION"], &["auth-region"]);
    let region = named.as_deref().unwrap_or(region);
    let good = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if good && !region.is_empty() { region.to_owned() } else { "eucalyptus".to_owned() }
}

/// What `ConfigParser` takes for true.
fn is_true(value: &str) -> bool {
    matches!(&*value.to_lowercase(), "1" | "yes" | "true" | "on")
}

/// Addresses that follow from those that were given.
fn derive(place: &mut Place) {
    let known: Vec<(usize, String)> = SERVICES
        .iter()
        .enumerate()
        .filter_map(|(index, (service, ..))| Some((index, place.given.get(service)?.clone())))
        .collect();
    for (index, (service, ..)) in SERVICES.into_iter().enumerate() {
        if place.given.contains_key(&service) {
            continue;
        }
        if let Some(url) = known.iter().find_map(|(from, url)| beside(url, *from, index)) {
            place.given.insert(service, url);
        }
    }
}

/// The address of service `to`, by that of service `from`.
fn beside(url: &str, from: usize, to: usize) -> Option<String> {
    let by_path = PATHS.iter().find_map(|names| {
        let root = url.strip_suffix(names.get(from)?)?;
        Some(format!("{root}{}", names.get(to)?))
    });
    by_path.or_else(|| {
        let (scheme, rest) = url.split_once("://")?;
        let (label, domain) = rest.split_once('.')?;
        // `ec2.example.com:8773`, and no path that says otherwise.
        HOSTS
            .iter()
            .find(|names| names.get(from) == Some(&label) && !domain.contains('/'))
            .and_then(|names| Some(format!("{scheme}://{}.{domain}", names.get(to)?)))
    })
}

/// Nobody said where it is.
pub(super) fn missing(service: Service) -> Error {
    let how = match service {
        Service::Ec2 => "give --ec2-url, or set EC2_URL",
        Service::S3 => "give --s3-url, or set S3_URL",
        Service::Sts => "set TOKEN_URL",
        Service::Bootstrap => "give --bootstrap-url, or set EUCA_BOOTSTRAP_URL",
        Service::CloudFormation => "set AWS_CLOUDFORMATION_URL",
        Service::AutoScaling => "set AWS_AUTO_SCALING_URL",
        Service::Properties => "set EUCA_PROPERTIES_URL",
        Service::Ebs | Service::Ssm | Service::Kms => {
            return Error::Usage(format!("Eucalyptus has no such service as {}", service.name()));
        }
    };
    let name = service.name();
    Error::Usage(format!(
        "it is not known where this cloud's {name} answers; {how}, or name a region of ~/.euca"
    ))
}
