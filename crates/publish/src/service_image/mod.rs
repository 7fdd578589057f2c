//! Images of Eucalyptus' own services: the load balancer's, as `euca-install-load-balancer` installs it.
//!
//! Sources: `euca-install-load-balancer` of load-balancer-image (4.0: bucket `loadbalancer-vN`, older ones
//! `loadbalancer_vN`; name `eucalyptus-load-balancer-image-vN`; description `Installed on …`; hvm; x86_64);
//! `esi-install-image` of eucalyptus-service-image (4.2 and later: tags `type`, `version`, `provides`, property
//! `services.loadbalancing.worker.image`); Eucalyptus' `StaticDatabasePropertyEntry.java`, which renames the property.

use hardtack_cloud::ec2::{Image, ImageFilter, describe_images};
use hardtack_cloud::properties::{Property, describe_properties, property_value, set_property};
use hardtack_cloud::{Client, Error as Cloud, s3};

use crate::Error;
use crate::journal::{Journal, Resource};
use crate::refusal::denied;

/// The property until 4.1, and since 4.2.
pub const PROPERTIES: [&str; 2] = ["loadbalancing.loadbalancer_emi", "services.loadbalancing.worker.image"];
/// What the names of images begin with.
pub const IMAGE_NAME: &str = "eucalyptus-load-balancer-image";
/// What the names of buckets begin with; 3.4 wrote `_` for the hyphen.
const BUCKET: &str = "loadbalancer";
/// Of how many versions buckets are looked for beyond the last that is known.
const BEYOND: u32 = 64;

/// An image of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The number of its version; 0 where its bucket has none.
    pub version: u32,
    /// `emi-…`, `eki-…`, `eri-…`.
    pub id: String,
    /// Its manifest, `BUCKET/KEY`.
    pub location: String,
    /// `Installed on 2014-01-15 at 08:53:21 UTC`, where it is said.
    pub description: Option<String>,
    /// The cloud uses it.
    pub enabled: bool,
}

/// What a cloud has of the load balancer's images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The property's name on this cloud.
    pub property: String,
    /// Its value; `None` where it has none.
    pub enabled: Option<String>,
    /// Images, by versions.
    pub images: Vec<Installed>,
}

/// A property without a value.
pub fn is_unset(value: &str) -> bool {
    matches!(value.trim(), "" | "NULL" | "null" | "{}")
}

/// The name of the bucket of a version.
pub fn bucket(version: u32) -> String {
    format!("{BUCKET}-v{version}")
}

/// The name of a version's image.
pub fn image_name(version: u32) -> String {
    format!("{IMAGE_NAME}-v{version}")
}

/// The number in the name of a bucket.
fn version_of(location: &str) -> Option<u32> {
    let rest = location.trim_start_matches('/').strip_prefix(BUCKET)?;
    let rest = rest.strip_prefix(['-', '_'])?.strip_prefix('v')?;
    rest.split('/').next()?.parse().ok()
}

/// Whether an image is one of the load balancer's: by its manifest's place, or by its name.
fn is_one(image: &Image) -> bool {
    version_of(&image.location).is_some()
        || image.location.contains(&format!("/{IMAGE_NAME}"))
        || image.name.starts_with(IMAGE_NAME)
}

/// What the cloud has and uses.
///
/// # Errors
/// No right to ask the Properties service; no such property; no answer.
pub fn state(client: &Client) -> Result<State, Error> {
    let property = property(client)?;
    let enabled = Some(property.value).filter(|value| !is_unset(value));
    let mut images: Vec<Installed> = describe_images(client, &ImageFilter::default())?
        .into_iter()
        .filter(is_one)
        .map(|image| Installed {
            version: version_of(&image.location).unwrap_or(0),
            enabled: enabled.as_deref() == Some(image.id.as_str()),
            description: Some(image.description).filter(|text| !text.is_empty()),
            id: image.id,
            location: image.location,
        })
        .collect();
    images.sort_by(|one, other| (one.version, &one.id).cmp(&(other.version, &other.id)));
    Ok(State { property: property.name, enabled, images })
}

/// The property that this cloud has.
fn property(client: &Client) -> Result<Property, Error> {
    let found = match describe_properties(client, &PROPERTIES) {
        Err(error) if denied(&error) => {
            let text = format!(
                "{error}; properties are looked at and set with the keys of a cloud administrator only"
            );
            return Err(Error::Cloud(Cloud::State(text)));
        }
        found => found?,
    };
    let of = |name: &str| found.iter().find(|property| property.name == name).cloned();
    PROPERTIES.iter().find_map(|name| of(name)).ok_or_else(|| {
        Error::Cloud(Cloud::State(format!(
            "this cloud has neither of the properties {}: it has no load balancing, or these keys are no administrator's",
            PROPERTIES.join(" and ")
        )))
    })
}

/// The next version: one more than the last of which there is an image or a bucket. `is_begun`: an earlier run of ours
/// began this one, and goes on with it.
///
/// # Errors
/// No answer.
pub fn next_version(client: &Client, state: &State, is_begun: &dyn Fn(u32) -> bool) -> Result<u32, Error> {
    let last = state.images.iter().map(|image| image.version).max().unwrap_or(0);
    if last > 0 && is_begun(last) {
        return Ok(last);
    }
    let mut next = last.saturating_add(1);
    // An image may be gone and its bucket not: nothing is put beside what others have there.
    while next <= last.saturating_add(BEYOND)
        && !is_begun(next)
        && s3::head_bucket(client, &bucket(next))? != s3::Bucket::Missing
    {
        next = next.saturating_add(1);
    }
    Ok(next)
}

/// Makes `image` the one that the cloud uses; what it was before, and the property's name.
///
/// # Errors
/// The service refuses; no answer.
pub fn enable(client: &Client, image: &str, journal: &Journal) -> Result<(String, String), Error> {
    let region = client.place().region.clone();
    let standing = journal.standing().into_iter().find_map(|standing| match standing.resource {
        Resource::Property { ref name, ref before, ref after } if after == image => {
            Some((standing.ticket, name.clone(), before.clone()))
        }
        _ => None,
    });
    if let Some((ticket, name, before)) = standing {
        // An earlier run set it, or was about to.
        let now = property_value(client, &name)?.map(|property| property.value).unwrap_or_default();
        if now != image {
            set_property(client, &name, image)?;
        }
        journal.made(ticket, "")?;
        return Ok((name, before));
    }
    let property = property(client)?;
    let (name, before) = (property.name, property.value);
    let resource = Resource::Property { name: name.clone(), before: before.clone(), after: image.to_owned() };
    let intent = journal.intent(&region, &resource)?;
    intent.settle(set_property(client, &name, image))?;
    journal.made(intent.ticket, "")?;
    Ok((name, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_names_of_buckets() {
        for (location, version) in [
            ("loadbalancer-v3/lb.img.manifest.xml", Some(3)),
            ("loadbalancer_v12/lb.img.manifest.xml", Some(12)),
            ("/loadbalancer-v1/x", Some(1)),
            ("loadbalancer-v/x", None),
            ("loadbalancer-v99999999999/x", None),
            ("my-loadbalancer-v1/x", None),
            ("loadbalancers-v1/x", None),
            ("loadbalancer-v1x/y", None),
        ] {
            assert_eq!(version_of(location), version, "{location}");
        }
        assert_eq!(bucket(7), "loadbalancer-v7");
    }

    #[test]
    fn nothing_has_several_names() {
        assert!(["", "NULL", " null "].iter().all(|value| is_unset(value)) && !is_unset("emi-1"));
    }
}
