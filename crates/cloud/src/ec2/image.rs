//! Images.

use crate::error::pending;
use crate::{Client, Error};

/// How a machine boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootMode {
    /// `legacy-bios`.
    Bios,
    /// `uefi`.
    Uefi,
    /// `uefi-preferred`.
    UefiPreferred,
}

impl BootMode {
    /// As EC2 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "legacy-bios",
            Self::Uefi => "uefi",
            Self::UefiPreferred => "uefi-preferred",
        }
    }
}

/// A device of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// `/dev/xvda`.
    pub device: String,
    /// The snapshot that its volume is made of.
    pub snapshot: Option<String>,
    /// GiB, where other than the snapshot's.
    pub size: Option<u64>,
    /// `gp3` and the like.
    pub volume_type: Option<String>,
    /// The volume goes with its instance.
    pub delete_on_termination: Option<bool>,
    /// IOPS.
    pub iops: Option<u64>,
    /// MiB/s, of `gp3`.
    pub throughput: Option<u64>,
    /// `ephemeral0` and the like.
    pub virtual_name: Option<String>,
    /// Nothing is there (`NoDevice`).
    pub none: bool,
    /// Whether its snapshot is encrypted; only in answers.
    pub encrypted: Option<bool>,
}

/// An image to register.
#[derive(Clone, Debug, Default)]
pub struct RegisterImage {
    /// 3 to 128 characters.
    pub name: String,
    /// Up to 255 characters.
    pub description: Option<String>,
    /// `x86_64`, `arm64`, `i386`.
    pub architecture: String,
    /// `hvm` or `paravirtual`.
    pub virtualization: Option<String>,
    /// `BUCKET/PATH/NAME.manifest.xml`, of a bundle.
    pub location: Option<String>,
    /// The device of the root.
    pub root_device: Option<String>,
    /// All devices.
    pub mappings: Vec<Mapping>,
    /// How it boots.
    pub boot_mode: Option<BootMode>,
    /// ENA works.
    pub ena: bool,
    /// `SriovNetSupport=simple`.
    pub sriov: bool,
    /// Instances ask for IMDSv2 (`ImdsSupport=v2.0`).
    pub imds_v2: bool,
    /// `TpmSupport=v2.0`.
    pub tpm: bool,
    /// `eki-…`, of paravirtual ones.
    pub kernel: Option<String>,
    /// `eri-…`.
    pub ramdisk: Option<String>,
    /// `windows`, of Eucalyptus.
    pub platform: Option<String>,
    /// Tags of the image. Empty where the cloud takes none with the call (Eucalyptus).
    pub tags: Vec<(String, String)>,
}

/// An image as EC2 describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`, `emi-…`.
    pub id: String,
    /// Its name.
    pub name: String,
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

/// A copy of an image in another region; the client is that region's.
#[derive(Clone, Debug, Default)]
pub struct CopyImage {
    /// The image.
    pub image: String,
    /// Its region.
    pub from: String,
    /// The copy's name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Another call with the same token gives the same image.
    pub token: String,
    /// It is encrypted.
    pub encrypted: bool,
    /// By this key.
    pub kms_key: Option<String>,
    /// Tags of image and snapshots.
    pub tags: Vec<(String, String)>,
}

/// Who may start an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launchers {
    /// Everybody.
    pub all: bool,
    /// Accounts.
    pub accounts: Vec<String>,
    /// ARNs of organisations.
    pub organizations: Vec<String>,
    /// ARNs of organisational units.
    pub units: Vec<String>,
}

/// `DescribeImages`, all pages.
pub fn describe_images(client: &Client, filter: &ImageFilter) -> Result<Vec<Image>, Error> {
    let _ = (client, filter);
    pending()
}

/// `RegisterImage`; the image's id.
pub fn register_image(client: &Client, request: &RegisterImage) -> Result<String, Error> {
    let _ = (client, request);
    pending()
}

/// `DeregisterImage`. One that is gone already is no error.
pub fn deregister_image(client: &Client, image: &str) -> Result<(), Error> {
    let _ = (client, image);
    pending()
}

/// `CopyImage`; the copy's id.
pub fn copy_image(client: &Client, request: &CopyImage) -> Result<String, Error> {
    let _ = (client, request);
    pending()
}

/// `DescribeImageAttribute` of `launchPermission`.
pub fn launchers(client: &Client, image: &str) -> Result<Launchers, Error> {
    let _ = (client, image);
    pending()
}

/// `ModifyImageAttribute` of `launchPermission`.
pub fn modify_launchers(
    client: &Client,
    image: &str,
    add: &Launchers,
    remove: &Launchers,
) -> Result<(), Error> {
    let _ = (client, image, add, remove);
    pending()
}
