//! Images made and removed: `RegisterImage`, `CopyImage`, `DeregisterImage`.

use super::{done, specify_tags, unless};
use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Kind, Service};

const REGISTER: Call = Call(Service::Ec2, "RegisterImage");
const COPY: Call = Call(Service::Ec2, "CopyImage");
const DEREGISTER: Call = Call(Service::Ec2, "DeregisterImage");

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

/// A device of an image, or of an instance to start.
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
    /// Whether its snapshot is encrypted, in answers; whether its volume is to be, of an instance to start.
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
    /// Tags of the image. Empty where the cloud takes none with the call: Eucalyptus.
    pub tags: Vec<(String, String)>,
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

/// `RegisterImage`; the image's id.
///
/// There is no client token: an answer that did not arrive may stand for an image that was made. The call is sent
/// once, and who gets [`Error::Transport`] looks for the name.
///
/// What only AWS knows is left out for Eucalyptus where it is a fact of the image (boot mode, ENA, SR-IOV, IMDSv2).
///
/// # Errors
/// `InvalidAMIName.Duplicate`; no answer; an answer without an id. For Eucalyptus, a TPM or tags that were asked for.
pub fn register_image(client: &Client, request: &RegisterImage) -> Result<String, Error> {
    let aws = client.place().kind == Kind::Aws;
    if !aws && request.tpm {
        return Err(REGISTER.unusable("Eucalyptus knows no TPM; leave it out"));
    }
    if !aws && !request.tags.is_empty() {
        return Err(REGISTER.unusable("Eucalyptus takes no tags with it; CreateTags sets them afterwards"));
    }
    let mut query = Query::default();
    query.maybe("ImageLocation", request.location.as_deref());
    query.set("Name", &request.name);
    query.maybe("Description", request.description.as_deref().filter(|text| !text.is_empty()));
    query.set("Architecture", &request.architecture);
    query.maybe("VirtualizationType", request.virtualization.as_deref());
    query.maybe("KernelId", request.kernel.as_deref());
    query.maybe("RamdiskId", request.ramdisk.as_deref());
    query.maybe("RootDeviceName", request.root_device.as_deref());
    add_mappings(&mut query, &request.mappings, false);
    if aws {
        query.maybe("BootMode", request.boot_mode.map(BootMode::name));
        query.maybe("EnaSupport", request.ena.then_some("true"));
        query.maybe("SriovNetSupport", request.sriov.then_some("simple"));
        query.maybe("ImdsSupport", request.imds_v2.then_some("v2.0"));
        query.maybe("TpmSupport", request.tpm.then_some("v2.0"));
    } else {
        query.maybe("Platform", request.platform.as_deref());
    }
    specify_tags(client, &mut query, &["image"], &request.tags);
    REGISTER.id(&REGISTER.query_once(client, &query)?, &["imageId"])
}

/// `DeregisterImage`. One that is gone already is no error.
///
/// # Errors
/// No right to do it; no answer.
pub fn deregister_image(client: &Client, image: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("ImageId", image);
    let result = DEREGISTER.query(client, &query).and_then(|answer| done(DEREGISTER, &answer));
    unless(result, &["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"], ())
}

/// `CopyImage`; the copy's id. The same token gives the same copy: it is sent again where no answer came.
///
/// # Errors
/// No such image, no right to it, a key that cannot be used; an answer without an id.
pub fn copy_image(client: &Client, request: &CopyImage) -> Result<String, Error> {
    let mut query = Query::default();
    query.set("SourceRegion", &request.from);
    query.set("SourceImageId", &request.image);
    query.set("Name", &request.name);
    query.maybe("Description", request.description.as_deref().filter(|text| !text.is_empty()));
    query.set("ClientToken", &request.token);
    query.maybe("Encrypted", request.encrypted.then_some("true"));
    query.maybe("KmsKeyId", request.kms_key.as_deref());
    specify_tags(client, &mut query, &["image", "snapshot"], &request.tags);
    COPY.id(&COPY.query(client, &query)?, &["imageId"])
}

/// `BlockDeviceMapping.1.DeviceName=…&BlockDeviceMapping.1.Ebs.SnapshotId=…`. Whether a snapshot is encrypted is not
/// said of an image: EC2 refuses that beside the snapshot's id. An instance's volume may be `encrypted` on its own.
pub(super) fn add_mappings(query: &mut Query, mappings: &[Mapping], encrypted: bool) {
    for (index, mapping) in mappings.iter().enumerate() {
        let prefix = format!("BlockDeviceMapping.{}", index + 1);
        query.set(format!("{prefix}.DeviceName"), &mapping.device);
        if mapping.none {
            // Its presence counts; Eucalyptus reads a truth value.
            query.set(format!("{prefix}.NoDevice"), "true");
            continue;
        }
        query.maybe(&format!("{prefix}.VirtualName"), mapping.virtual_name.as_deref());
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        query.maybe(&format!("{prefix}.Ebs.SnapshotId"), mapping.snapshot.as_deref());
        query.maybe(&format!("{prefix}.Ebs.VolumeSize"), number(mapping.size));
        query.maybe(&format!("{prefix}.Ebs.VolumeType"), mapping.volume_type.as_deref());
        query.maybe(&format!("{prefix}.Ebs.Iops"), number(mapping.iops));
        query.maybe(&format!("{prefix}.Ebs.Throughput"), number(mapping.throughput));
        let delete = mapping.delete_on_termination.map(|delete| delete.to_string());
        query.maybe(&format!("{prefix}.Ebs.DeleteOnTermination"), delete);
        let encrypted = mapping.encrypted.filter(|_| encrypted).map(|encrypted| encrypted.to_string());
        query.maybe(&format!("{prefix}.Ebs.Encrypted"), encrypted);
    }
}
