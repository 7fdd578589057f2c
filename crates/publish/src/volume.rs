//! Volumes of a journal. Eucalyptus takes no token with `CreateVolume`, and tags in a call of their own: what a run that was
//! killed between the two has made is known by zone, size, and that it was not there before.

use hardtack_cloud::Client;
use hardtack_cloud::ec2::{Volume, describe_volumes};

use crate::Error;
use crate::journal::{Journal, Resource, Standing, TAG};
use crate::tags;

/// What may be the volume of `standing`, whose call was not answered: it is of its zone and size, was not there before,
/// has this journal's tag or none at all, and no other record of the journal knows it.
///
/// # Errors
/// No answer.
pub fn begun(client: &Client, journal: &Journal, standing: &Standing) -> Result<Vec<Volume>, Error> {
    let Resource::Volume { zone, size, before, .. } = &standing.resource else { return Ok(Vec::new()) };
    let known: Vec<String> = journal.standing().into_iter().filter_map(|standing| standing.id).collect();
    let mut found = describe_volumes(client, &[], &[])?;
    found.retain(|volume| {
        let tag = tags::value(&volume.tags, TAG);
        let ours = tag.map_or(volume.tags.is_empty(), |of| of == journal.id());
        ours && volume.zone == *zone
            && volume.size == *size
            && !before.contains(&volume.id)
            && !known.contains(&volume.id)
            && volume.snapshot.as_deref().is_none_or(str::is_empty)
            && !is_over(volume)
    });
    // One with the tag is the one.
    if found.iter().any(|volume| !volume.tags.is_empty()) {
        found.retain(|volume| !volume.tags.is_empty());
    }
    Ok(found)
}

/// Whether it is as good as gone.
pub fn is_over(volume: &Volume) -> bool {
    matches!(
        volume.state.as_str(),
        "deleting" | "deleted" | "annihilating" | "annihilated" | "fail" | "failed" | "error"
    )
}
