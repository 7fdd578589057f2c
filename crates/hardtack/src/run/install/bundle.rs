//! By a bundle: the disk is packed, encrypted and sent in one pass, and nothing of it is written here.

use std::path::{Path, PathBuf};

use hardtack_bundle::{ImageType, Manifest, check_prefix};
use hardtack_cloud::ec2::RegisterImage;
use hardtack_cloud::{Client, Kind, Service, sts};
use hardtack_publish::bundle::{Destination, Identity, check_part_size, upload_disk};
use hardtack_publish::journal::Journal;
use hardtack_publish::preflight::{Check, Outcome};
use serde_json::{Value, json};

use super::disk::Ready;
use super::{Order, preflight};
use crate::args::{FilesArgs, InstallArgs};
use crate::error::CliError;
use crate::run::bundle::{Owner, certificate, devices, image_type, keys, packed, settings};

/// A bundle that is going to be made.
pub(super) struct BundlePlan {
    /// Where it goes.
    pub(super) destination: Destination,
    /// Whose it is.
    pub(super) owner: Owner,
    /// The file that the cloud's certificate came from; `None`: the cloud itself.
    certificate: Option<PathBuf>,
    prefix: String,
    devices: Vec<(String, String)>,
}

/// The image is a kernel or a RAM disk.
pub(super) fn is_plain(arguments: &InstallArgs) -> bool {
    kind(arguments) != ImageType::Machine
}

fn kind(arguments: &InstallArgs) -> ImageType {
    image_type(arguments.register.kernel.as_deref(), arguments.register.ramdisk.as_deref())
}

/// Reads keys and options. Account and the cloud's certificate are asked of the cloud where nobody gave them.
pub(super) fn plan(order: &Order<'_>, client: &Client) -> Result<BundlePlan, CliError> {
    let arguments = order.arguments;
    check_part_size(arguments.packing.part_size)?;
    let bucket = &arguments.bucket;
    let mut destination =
        Destination::parse(bucket.bucket.as_deref().unwrap_or_default(), bucket.acl.name())?;
    destination.location.clone_from(&bucket.location);
    destination.parallel = bucket.parallel.into();
    let prefix = match &arguments.prefix {
        Some(prefix) => prefix.clone(),
        None => arguments.register.name.replace(['/', ' '], "-"),
    };
    check_prefix(&prefix)?;
    let place = &arguments.place;
    // Options of AWS' region mean nothing in euca2ools' files.
    let region = place.region.clone().filter(|_| client.place().kind == Kind::Euca);
    let found = settings(&FilesArgs { region, eucarc: place.access.eucarc.clone() })?;
    let given = &arguments.keys;
    let account = match given.user.clone().or_else(|| found.account.clone()) {
        Some(account) => account,
        None => sts::caller_identity(client)?.account,
    };
    let file = given.ec2cert.clone().or_else(|| found.cloud_certificate.clone());
    let cloud = match &file {
        Some(path) => keys::certificate(path)?,
        None if client.place().given.contains_key(&Service::Bootstrap) => certificate::fetched(client)?,
        None => return Err(certificate::missing(client.place().kind)),
    };
    Ok(BundlePlan {
        destination,
        owner: Owner::new(given, found, &account, cloud)?,
        certificate: file,
        prefix,
        devices: devices(&arguments.packing.block_device_mapping)?,
    })
}

/// Whether the cloud can open what is going to be sealed for it: a wrong certificate would be noticed when all parts are
/// there.
pub(super) fn check_certificate(client: &Client, plan: &BundlePlan) -> Check {
    let check = |outcome, text| Check { subject: "certificate", outcome, text };
    let Some(path) = plan.certificate.as_deref().map(Path::display) else {
        return check(Outcome::Good, "the cloud's own, fetched from its bootstrap service".to_owned());
    };
    if !client.place().given.contains_key(&Service::Bootstrap) {
        let text = format!("{path}: nobody here can be asked whether it is the cloud's");
        return check(Outcome::Doubtful, text);
    }
    match certificate::fetched(client) {
        Ok(own) if own == plan.owner.cloud => check(Outcome::Good, format!("{path}: it has the cloud's key")),
        Ok(_) => {
            let hint = "leave out --ec2cert and EUCALYPTUS_CERT, and the cloud's own is fetched";
            check(Outcome::Bad, format!("{path}: not this cloud's, which could not open the bundle; {hint}"))
        }
        Err(error) => {
            let why = preflight::one_line(&error.report());
            check(Outcome::Doubtful, format!("{path}: whether it is the cloud's cannot be asked: {why}"))
        }
    }
}

/// Sends the bundle, and says where the image is registered from.
pub(super) fn upload(
    order: &Order<'_>,
    client: &Client,
    plan: &BundlePlan,
    ready: &Ready,
    request: &mut RegisterImage,
    journal: &Journal,
) -> Result<Value, CliError> {
    let arguments = order.arguments;
    let chosen = &arguments.packing;
    let options = packed(chosen, &plan.prefix, Path::new(""));
    let manifest = Manifest {
        bundler: ("hardtack".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        architecture: request.architecture.clone(),
        devices: plan.devices.clone(),
        product_codes: chosen.productcodes.clone(),
        kernel: arguments.register.kernel.clone(),
        ramdisk: arguments.register.ramdisk.clone(),
        name: plan.prefix.clone(),
        user: plan.owner.account.clone(),
        image_type: kind(arguments),
        ..Manifest::default()
    };
    let identity = Identity {
        manifest,
        signer: plan.owner.signer.as_ref(),
        user: plan.owner.user.as_ref(),
        cloud: &plan.owner.cloud,
        session: chosen.key_and_iv.as_deref().map(|path| keys::session(Some(path))).transpose()?,
    };
    let uploaded =
        upload_disk(client, &*ready.disk, &options, &identity, &plan.destination, journal, &order.tell)?;
    request.location = Some(uploaded.location.clone());
    if client.place().kind == Kind::Euca {
        // It knows none of them.
        request.boot_mode = None;
        request.imds_v2 = false;
    }
    Ok(json!({
        "location": uploaded.location,
        "parts": uploaded.parts,
        "skipped": uploaded.skipped,
        "size": uploaded.size,
        "bundled_size": uploaded.bundled_size,
    }))
}
