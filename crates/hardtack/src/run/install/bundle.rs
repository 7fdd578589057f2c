//! By a bundle: the disk is packed, encrypted and sent in one pass, and nothing of it is written here.

use std::path::Path;

use hardtack_bundle::{ImageType, Manifest, PublicKey, check_prefix};
use hardtack_cloud::ec2::RegisterImage;
use hardtack_cloud::{Client, Kind, bootstrap, sts};
use hardtack_publish::bundle::{Destination, Identity, upload_disk};
use hardtack_publish::journal::Journal;
use serde_json::{Value, json};

use super::Order;
use super::disk::Ready;
use crate::args::{FilesArgs, InstallArgs};
use crate::error::CliError;
use crate::run::bundle::{Owner, devices, image_type, keys, packed, settings};

/// A bundle that is going to be made.
pub(super) struct BundlePlan {
    /// Where it goes.
    pub(super) destination: Destination,
    /// Whose it is.
    pub(super) owner: Owner,
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
    let cloud = match given.ec2cert.clone().or_else(|| found.cloud_certificate.clone()) {
        Some(path) => keys::certificate(&path)?,
        None if client.place().kind == Kind::Euca => fetched(client)?,
        None => {
            return Err(CliError::usage("missing cloud certificate; please supply one with --ec2cert")
                .hint("or set EUCALYPTUS_CERT; AWS' own comes with ec2-ami-tools (cert-ec2.pem)"));
        }
    };
    Ok(BundlePlan {
        destination,
        owner: Owner::new(given, found, &account, cloud)?,
        prefix,
        devices: devices(&arguments.packing.block_device_mapping)?,
    })
}

/// The cloud's certificate, as its bootstrap service has it.
fn fetched(client: &Client) -> Result<PublicKey, CliError> {
    let missing = "missing cloud certificate; please supply one with --ec2cert or use --bootstrap-url and access \
                   keys to fetch one automatically";
    let text = bootstrap::bundling_certificate(client).map_err(|error| match error {
        hardtack_cloud::Error::Usage(_) => CliError::usage(missing),
        other => CliError::from(other).hint("--ec2cert names the certificate's file, and nothing is fetched"),
    })?;
    Ok(PublicKey::from_certificate(text.as_bytes(), Path::new("the cloud's certificate"))?)
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
    let given = match &chosen.key_and_iv {
        Some(path) => Some(keys::session(Some(path))?),
        None => None,
    };
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
    };
    let uploaded = upload_disk(
        client,
        &*ready.disk,
        &options,
        &identity,
        given,
        &plan.destination,
        journal,
        &order.tell,
    )?;
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
