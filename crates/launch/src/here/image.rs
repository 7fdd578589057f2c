//! The image that people name: an id or a name of the local catalog.

use hardtack_publish::catalog::{Catalog, Entry};

use crate::{Error, near};

/// The image of that id or name.
///
/// # Errors
/// There is none; the message has names that are like it.
pub fn image(catalog: &Catalog, wanted: &str) -> Result<Entry, Error> {
    if let Some(entry) = catalog.find(wanted)? {
        return Ok(entry);
    }
    let names: Vec<String> = catalog.images()?.into_iter().map(|entry| entry.name).collect();
    let place = catalog.directory().display();
    let known = near::list(wanted, &names, "it is empty: `hardtack install` puts images there");
    let cloud = match wanted.split_once('-') {
        Some(("ami" | "emi", _)) => "; an image of a cloud needs --on aws or --on euca",
        _ => "",
    };
    Err(Error::Refused(format!("{wanted}: the catalog {place} has no such image; {known}{cloud}")))
}
