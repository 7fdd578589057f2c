//! The image: by its id, or by the name that the account gave it.

use hardtack_cloud::Client;
use hardtack_cloud::ec2::{Image, ImageFilter, describe_images};

use crate::Error;
use crate::near;

/// The image that is meant. It must be available.
///
/// # Errors
/// There is none; it is not ready, or came to nothing.
pub(super) fn find(client: &Client, image: &str) -> Result<Image, Error> {
    let found = if is_id(image) { by_id(client, image)? } else { by_name(client, image)? };
    if found.state == "available" {
        return Ok(found);
    }
    let reason = found.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Err(Error::Refused(format!(
        "{}: the image is {}{reason}, and instances start of available ones",
        found.id, found.state
    )))
}

fn is_id(text: &str) -> bool {
    ["ami-", "emi-"].iter().any(|prefix| {
        text.strip_prefix(prefix).is_some_and(|digits| {
            (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

fn by_id(client: &Client, id: &str) -> Result<Image, Error> {
    let filter = ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() };
    let found = match describe_images(client, &filter) {
        Err(error) if hardtack_publish::refusal::missing(&error) => Vec::new(),
        found => found?,
    };
    found.into_iter().find(|image| image.id == id).ok_or_else(|| {
        let region = &client.place().region;
        Error::Refused(format!(
            "{id}: there is no such image in {region}, or it is not shared with this account"
        ))
    })
}

fn by_name(client: &Client, name: &str) -> Result<Image, Error> {
    let filter = ImageFilter { owners: vec!["self".to_owned()], ..ImageFilter::default() };
    let mut own = describe_images(client, &filter)?;
    let (mut named, others): (Vec<Image>, Vec<Image>) = own.drain(..).partition(|image| image.name == name);
    // The newest that can be started; where none can, the newest.
    named.sort_by(|one, other| {
        let key = |image: &Image| (image.state == "available", image.created.clone());
        key(one).cmp(&key(other))
    });
    named.pop().ok_or_else(|| {
        let names: Vec<String> = others.into_iter().map(|image| image.name).collect();
        let list = near::list(name, &names, "the account has no images");
        Error::Refused(format!(
            "{name}: this account has no image of that name in {}\n{list}",
            client.place().region
        ))
    })
}
