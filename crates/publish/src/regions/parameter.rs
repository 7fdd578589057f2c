//! A parameter of Systems Manager that names an image.
//!
//! The service looks whether there is such an image (`aws:ec2:image`) after it has answered: what it does not like is
//! never stored. So the parameter is read until it has the new value.

use hardtack_cloud::ssm::{get_parameter, put_parameter};
use hardtack_cloud::{Client, Error as Cloud};

use crate::journal::{Journal, Resource};
use crate::poll::Fresh;
use crate::{Error, Teller};

/// Sets `name` to `image` in the client's region. What it was is in the journal.
pub(super) fn set(
    client: &Client,
    name: &str,
    image: &str,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<(), Error> {
    let region = &client.place().region;
    // An earlier run knows what it was before; by now it may be the new value.
    let standing = journal.standing().into_iter().find(|standing| {
        let ours = |resource: &Resource| {
            matches!(resource, Resource::Parameter { name: of, after, .. } if of == name && after == image)
        };
        standing.region == *region && ours(&standing.resource)
    });
    let before = get_parameter(client, name)?;
    if before.as_deref() == Some(image) {
        return standing.map_or(Ok(()), |standing| journal.made(standing.ticket, ""));
    }
    let resource = standing.map_or_else(
        || Resource::Parameter { name: name.to_owned(), before: before.clone(), after: image.to_owned() },
        |standing| standing.resource,
    );
    let intent = journal.intent(region, &resource)?;
    let put = match put_parameter(client, name, image, true) {
        // A parameter that is there may be plain text, and stay so. That there is such an image is known here.
        Err(error) if before.is_some() && error.is("ValidationException") => {
            put_parameter(client, name, image, false)
        }
        result => result,
    };
    intent.settle(put)?;
    let mut fresh = Fresh::new(client);
    while get_parameter(client, name)?.as_deref() != Some(image) {
        tell.waiting(&format!("parameter {name} in {region} is not {image} yet"));
        if !fresh.again() {
            return Err(Cloud::State(format!(
                "parameter {name} in {region} was set to {image}, and two minutes later it is not: Systems Manager may \
                 not like the image; look at the parameter's history"
            ))
            .into());
        }
    }
    journal.made(intent.ticket, "")
}
