//! All that was found: the document of `--json`, which `docs/audit.md` describes.

use serde::Serialize;

use crate::buckets::Bucket;
use crate::groups::Group;
use crate::images::Images;

/// The document's version. Fields are added without a new one.
const VERSION: u32 = 1;

/// Something that could not be asked, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `groups`, `buckets`, `images`.
    pub part: &'static str,
    /// The bucket or snapshot that it is about, where it is about one.
    pub of: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// What was found. A part that was not asked for, or could not be, is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of this document.
    pub hardtack_audit: u32,
    /// `aws`, `euca`.
    pub place: String,
    /// The region of groups and images. Buckets are of all regions.
    pub region: String,
    /// Security groups, by name.
    pub groups: Option<Vec<Group>>,
    /// Buckets, by name.
    pub buckets: Option<Vec<Bucket>>,
    /// Images and snapshots.
    pub images: Option<Images>,
    /// What could not be asked.
    pub problems: Vec<Problem>,
    /// One line for each thing that the world can reach.
    pub public: Vec<String>,
}

impl Report {
    /// A report of nothing yet.
    pub fn new(place: &str, region: &str) -> Self {
        Self {
            hardtack_audit: VERSION,
            place: place.to_owned(),
            region: region.to_owned(),
            groups: None,
            buckets: None,
            images: None,
            problems: Vec::new(),
            public: Vec::new(),
        }
    }

    /// Fills `public` with what `--fail-on public` fails on: ports that are open to the world, buckets that list
    /// themselves, objects, images, snapshots.
    #[must_use]
    pub fn concluded(mut self) -> Self {
        let mut found = Vec::new();
        for group in self.groups.iter().flatten() {
            for ports in &group.open_to_world {
                found.push(format!("group {}: {} is open to the world", group.title(), ports.words()));
            }
        }
        for bucket in self.buckets.iter().flatten() {
            if bucket.public_listing {
                found.push(format!("bucket {}: it lists its objects to everybody", bucket.name));
            }
            match bucket.public_objects.len() {
                0 => {}
                1 => found.push(format!("bucket {}: 1 object is everybody's to read", bucket.name)),
                count => {
                    found.push(format!("bucket {}: {count} objects are everybody's to read", bucket.name))
                }
            }
        }
        if let Some(images) = &self.images {
            for image in images.images.iter().filter(|image| image.public) {
                found.push(format!("image {}: everybody may start it", image.id));
            }
            for snapshot in images.snapshots.iter().filter(|snapshot| snapshot.public) {
                found.push(format!("snapshot {}: everybody may make a volume of it", snapshot.id));
            }
        }
        self.public = found;
        self
    }
}
