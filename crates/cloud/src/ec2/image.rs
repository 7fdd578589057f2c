//! Images as they are described: `DescribeImages`.

use super::filter::{PAGE, add_filters, entries, items, pages};
use super::{Mapping, tags};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeImages");

/// An image as EC2 describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`, `emi-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for; empty where nobody said it.
    pub description: String,
    /// `pending`, `available`, `failed` ….
    pub state: String,
    /// Why, where the state has a reason.
    pub reason: Option<String>,
    /// Its architecture.
    pub architecture: String,
    /// Its account.
    pub owner: String,
    /// Where it lies.
    pub location: String,
    /// Everybody may start it.
    pub public: bool,
    /// When it was made, as EC2 writes it (ISO 8601, UTC): texts sort by time.
    pub created: String,
    /// The device of the root.
    pub root_device: Option<String>,
    /// `ebs` or `instance-store`.
    pub root_type: Option<String>,
    /// `hvm` or `paravirtual`.
    pub virtualization: Option<String>,
    /// How it boots.
    pub boot_mode: Option<String>,
    /// Codes of products in it (`productCodes/item/productCode`): it may not be copied then.
    pub product_codes: Vec<String>,
    /// Its devices.
    pub mappings: Vec<Mapping>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Which images.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// Their ids.
    pub ids: Vec<String>,
    /// `self`, `amazon`, accounts.
    pub owners: Vec<String>,
    /// Filters: name, values.
    pub filters: Vec<(String, Vec<String>)>,
}

/// `DescribeImages`, all pages.
///
/// # Errors
/// `InvalidAMIID.NotFound`: one of the ids is no image's; no answer.
pub fn describe_images(client: &Client, filter: &ImageFilter) -> Result<Vec<Image>, Error> {
    let mut query = Query::default();
    query.list("ImageId", &filter.ids);
    query.list("Owner", &filter.owners);
    add_filters(&mut query, &filter.filters);
    let mut images = Vec::new();
    pages(DESCRIBE, client, &query, PAGE.filter(|_| filter.ids.is_empty()), |root| {
        for entry in items(DESCRIBE, root, "imagesSet")? {
            images.push(image(entry)?);
        }
        Ok(())
    })?;
    Ok(images)
}

/// The account's own images that everybody may start.
///
/// # Errors
/// No right to ask; no answer.
pub fn public_images(client: &Client) -> Result<Vec<Image>, Error> {
    let filter = ImageFilter {
        owners: vec!["self".to_owned()],
        filters: vec![("is-public".to_owned(), vec!["true".to_owned()])],
        ..ImageFilter::default()
    };
    let mut found = describe_images(client, &filter)?;
    found.retain(|image| image.public);
    Ok(found)
}

fn image(entry: &Element) -> Result<Image, Error> {
    let text = |name: &str| entry.at(&[name]).map(|text| text.trim().to_owned());
    Ok(Image {
        id: DESCRIBE.id(entry, &["imageId"])?,
        name: text("name").unwrap_or_default(),
        description: text("description").unwrap_or_default(),
        state: DESCRIBE.text(entry, &["imageState"])?.to_owned(),
        reason: reason(entry),
        architecture: text("architecture").unwrap_or_default(),
        owner: text("imageOwnerId").unwrap_or_default(),
        location: text("imageLocation").unwrap_or_default(),
        public: DESCRIBE.flag(entry, &["isPublic"])?.unwrap_or(false),
        created: text("creationDate").unwrap_or_default(),
        root_device: text("rootDeviceName"),
        root_type: text("rootDeviceType"),
        virtualization: text("virtualizationType"),
        boot_mode: text("bootMode"),
        product_codes: product_codes(entry),
        mappings: mappings(entry)?,
        tags: tags(entry),
    })
}

/// `stateReason`: its message, or its code where it has nothing else.
pub(super) fn reason(entry: &Element) -> Option<String> {
    let at = |name| entry.at(&["stateReason", name]);
    at("message").or_else(|| at("code")).map(str::to_owned)
}

/// `productCodes`, of an image or an instance.
pub(super) fn product_codes(entry: &Element) -> Vec<String> {
    entries(entry, "productCodes").filter_map(|item| item.at(&["productCode"]).map(str::to_owned)).collect()
}

fn mappings(entry: &Element) -> Result<Vec<Mapping>, Error> {
    let Some(list) = entry.child("blockDeviceMapping") else { return Ok(Vec::new()) };
    list.all("item").map(mapping).collect()
}

fn mapping(item: &Element) -> Result<Mapping, Error> {
    let text = |path: &[&str]| item.at(path).map(|text| text.trim().to_owned());
    Ok(Mapping {
        device: text(&["deviceName"]).unwrap_or_default(),
        snapshot: item
            .at(&["ebs", "snapshotId"])
            .map(|_| DESCRIBE.id(item, &["ebs", "snapshotId"]))
            .transpose()?,
        size: DESCRIBE.number(item, &["ebs", "volumeSize"])?,
        volume_type: text(&["ebs", "volumeType"]),
        delete_on_termination: DESCRIBE.flag(item, &["ebs", "deleteOnTermination"])?,
        iops: DESCRIBE.number(item, &["ebs", "iops"])?,
        throughput: DESCRIBE.number(item, &["ebs", "throughput"])?,
        virtual_name: text(&["virtualName"]),
        none: item.child("noDevice").is_some_and(|found| found.text.trim() != "false"),
        encrypted: DESCRIBE.flag(item, &["ebs", "encrypted"])?,
    })
}
