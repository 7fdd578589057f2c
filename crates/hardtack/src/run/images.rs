//! `hardtack images`: as euca-describe-images, of this machine's catalog or the account's own.

use std::io::Write as _;

use hardtack_cloud::Service;
use hardtack_cloud::ec2::{Image, ImageFilter, describe_images};
use hardtack_publish::catalog::Entry;
use serde_json::{Value, json};

use super::euca_lines;
use super::publish::{Site, find};
use crate::args::ImagesArgs;
use crate::environment;
use crate::error::CliError;

/// Runs the verb.
pub(crate) fn run(arguments: &ImagesArgs) -> Result<u8, CliError> {
    let environment = environment::of_process();
    let mut images = match find(&arguments.place, Service::Ec2, &environment)? {
        Site::Local(catalog) => catalog.images()?.into_iter().map(of_catalog).collect(),
        Site::Cloud(client) => {
            let filter = ImageFilter { owners: vec!["self".to_owned()], ..ImageFilter::default() };
            describe_images(&client, &filter).map_err(hardtack_publish::Error::from)?
        }
    };
    if let Some(none) = arguments.images.iter().find(|name| !images.iter().any(|image| is(image, name))) {
        return Err(CliError::refused(format!("{none}: there is no such image"))
            .hint("`hardtack images` lists them; --on, --region and --catalog name the place"));
    }
    images.retain(|image| arguments.images.is_empty() || arguments.images.iter().any(|name| is(image, name)));
    images.sort_by(|one, other| one.id.cmp(&other.id));
    let text = if arguments.json {
        format!("{}\n", Value::Array(images.iter().map(object).collect()))
    } else {
        images.iter().map(euca_lines::image).collect()
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
    Ok(0)
}

fn is(image: &Image, name: &str) -> bool {
    image.id == name || image.name == name
}

/// As EC2 would describe it.
fn of_catalog(entry: Entry) -> Image {
    let created =
        std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(entry.created.min(1 << 36)));
    Image {
        location: format!("local/{}", entry.name),
        id: entry.id,
        name: entry.name,
        description: entry.description.unwrap_or_default(),
        state: "available".to_owned(),
        architecture: entry.architecture,
        owner: "local".to_owned(),
        created: created.map(hardtack_cloud::iso).unwrap_or_default().replace('Z', ".000Z"),
        root_type: Some("instance-store".to_owned()),
        virtualization: Some("hvm".to_owned()),
        boot_mode: entry.boot_mode,
        tags: entry.tags.into_iter().collect(),
        ..Image::default()
    }
}

fn object(image: &Image) -> Value {
    let tags: serde_json::Map<String, Value> =
        image.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    json!({
        "id": image.id,
        "name": image.name,
        "description": image.description,
        "owner": image.owner,
        "location": image.location,
        "state": image.state,
        "public": image.public,
        "architecture": image.architecture,
        "boot_mode": image.boot_mode,
        "root_type": image.root_type,
        "created": image.created,
        "tags": tags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_the_catalog_are_lines_of_euca2ools() {
        let entry = Entry {
            id: "ami-11111111111111111".to_owned(),
            name: "web-1".to_owned(),
            architecture: "x86_64".to_owned(),
            tags: [("a".to_owned(), "b".to_owned())].into(),
            created: 1_700_000_000,
            ..Entry::default()
        };
        let image = of_catalog(entry);
        assert_eq!(
            euca_lines::image(&image),
            "IMAGE\tami-11111111111111111\tlocal/web-1\tlocal\tavailable\tprivate\tx86_64\tmachine\t\t\t\tinstance-store\thvm\t\n\
             TAG\timage\tami-11111111111111111\ta\tb\n"
        );
        assert_eq!(object(&image)["created"], "2023-11-14T22:13:20.000Z");
    }
}
