//! By a bundle: the disk is packed, encrypted and sent in one pass, and nothing of it is written here.

use std::path::Path;

use hardtack_bundle::{BundleOptions, Gzip, ImageType, Manifest, PrivateKey, PublicKey, check_prefix};
use hardtack_cloud::ec2::RegisterImage;
use hardtack_cloud::{Client, Kind, bootstrap, sts};
use hardtack_publish::bundle::{Destination, Identity, upload_disk};
use hardtack_publish::journal::Journal;
use serde_json::{Value, json};

use super::Order;
use super::disk::Ready;
use crate::args::{FilesArgs, GzipName, InstallArgs};
use crate::error::CliError;
use crate::run::bundle::{devices, image_type, keys, settings};
use crate::talk;

/// A bundle that is going to be made.
pub(super) struct BundlePlan {
    /// Where it goes.
    pub(super) destination: Destination,
    /// The account that it belongs to.
    pub(super) account: String,
    prefix: String,
    devices: Vec<(String, String)>,
    signer: Option<PrivateKey>,
    user: Option<PublicKey>,
    cloud: PublicKey,
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
    let prefix = match &arguments.options.prefix {
        Some(prefix) => prefix.clone(),
        None => arguments.register.name.replace(['/', ' '], "-"),
    };
    check_prefix(&prefix)?;
    let place = &arguments.place;
    // Options of AWS' region mean nothing in euca2ools' files.
    let region = place.region.clone().filter(|_| client.place().kind == Kind::Euca);
    let found = settings(&FilesArgs { region, eucarc: place.eucarc.clone() })?;
    let given = &arguments.keys;
    let account = match given.user.clone().or(found.account) {
        Some(account) => account,
        None => sts::caller_identity(client)?.account,
    };
    let account = account.replace('-', "");
    let cloud = match given.ec2cert.clone().or(found.cloud_certificate) {
        Some(path) => keys::certificate(&path)?,
        None if client.place().kind == Kind::Euca => fetched(client)?,
        None => {
            return Err(CliError::usage("missing cloud certificate; please supply one with --ec2cert")
                .hint("or set EUCALYPTUS_CERT; AWS' own comes with ec2-ami-tools (cert-ec2.pem)"));
        }
    };
    let certificate = given.cert.clone().or(found.certificate);
    let private = given.privatekey.clone().or(found.private_key);
    if certificate.is_none() {
        talk::note("without --cert you cannot unbundle it yourself");
    }
    if private.is_none() {
        talk::note("without --privatekey it is not signed");
    }
    Ok(BundlePlan {
        destination,
        account,
        prefix,
        devices: devices(&arguments.options.block_device_mapping)?,
        signer: private.map(|path| keys::private(&path)).transpose()?,
        user: certificate.map(|path| keys::certificate(&path)).transpose()?,
        cloud,
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
    let chosen = &arguments.options;
    let given = match &chosen.key_and_iv {
        Some(path) => Some(keys::session(Some(path))?),
        None => None,
    };
    let options = BundleOptions {
        gzip: match chosen.gzip {
            GzipName::Members => Gzip::Members,
            GzipName::Single => Gzip::Single,
        },
        level: chosen.level,
        dense: chosen.dense,
        ..BundleOptions::new(&plan.prefix, Path::new(""))
    };
    let manifest = Manifest {
        bundler: ("hardtack".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        architecture: request.architecture.clone(),
        devices: plan.devices.clone(),
        product_codes: chosen.productcodes.clone(),
        kernel: arguments.register.kernel.clone(),
        ramdisk: arguments.register.ramdisk.clone(),
        name: plan.prefix.clone(),
        user: plan.account.clone(),
        image_type: kind(arguments),
        ..Manifest::default()
    };
    let identity =
        Identity { manifest, signer: plan.signer.as_ref(), user: plan.user.as_ref(), cloud: &plan.cloud };
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
