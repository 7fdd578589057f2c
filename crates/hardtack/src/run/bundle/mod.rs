//! `hardtack bundle`: images as bundles, hardened on the way if there is a recipe.

pub(super) mod certificate;
mod input;
pub(super) mod keys;
pub(super) mod plain;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hardtack_bundle::{
    BundleOptions, Gzip, ImageType, Manifest, PrivateKey, PublicKey, Sealed, Stage, WrittenParts,
    check_prefix, manifest_path, part_name, write_manifest, write_parts,
};
use hardtack_cloud::PlaceOptions;
use hardtack_cloud::credentials::euca::Settings;
use hardtack_disk::{BlockSource, Holes};
use serde_json::json;

use super::convert::{mebibytes, residue};
use crate::args::{AccountArgs, BundleArgs, FilesArgs, ForeignArgs, GzipName, KeysArgs, PackingArgs};
use crate::environment;
use crate::error::{CliError, LOCAL_IO};
use crate::progress::Progress;
use crate::run::build;
use crate::source::Input;
use crate::talk;

/// Suffixes that say how a disk is stored; a bundle stores it in its own way.
const STORED: &[&str] =
    &["gz", "xz", "zst", "bz2", "tar", "tgz", "txz", "ova", "rpm", "qcow2", "vmdk", "vhd", "vpc"];

/// Whose bundles they are: what all of one run have in common.
pub(super) struct Owner {
    pub(super) account: String,
    pub(super) signer: Option<PrivateKey>,
    pub(super) user: Option<PublicKey>,
    pub(super) cloud: PublicKey,
}

/// Runs `hardtack bundle`.
pub(crate) fn run(arguments: &BundleArgs) -> Result<u8, CliError> {
    let images: Vec<&PathBuf> = arguments.images.iter().chain(&arguments.image).collect();
    if images.len() > 1 && (arguments.prefix.is_some() || arguments.harden.recipe.is_some()) {
        let text = "--prefix and --recipe are for one image, and there are several";
        return Err(CliError::usage(text).hint("give one image at a time"));
    }
    input::check(arguments, &images)?;
    check_foreign(&arguments.packing.foreign)?;
    let devices = devices(&arguments.packing.block_device_mapping)?;
    let owner = owner(&arguments.account)?;
    make_directory(&arguments.output)?;
    for image in images {
        bundle(image, arguments, &owner, &devices)?;
    }
    Ok(0)
}

fn bundle(
    image: &Path,
    arguments: &BundleArgs,
    owner: &Owner,
    devices: &[(String, String)],
) -> Result<(), CliError> {
    let name = match &arguments.prefix {
        Some(prefix) => prefix.clone(),
        None => name_of(image, image_type(arguments.kernel(), arguments.ramdisk()))?,
    };
    check_prefix(&name)?;
    let manifest = manifest_path(&arguments.output, &name);
    if !arguments.force && manifest.symlink_metadata().is_ok() {
        return Err(CliError::new(LOCAL_IO, format!("{}: exists already", manifest.display()))
            .hint("--force replaces the bundle"));
    }
    if !arguments.force {
        check_no_parts(&arguments.output, &name)?;
    }
    let session = keys::session(arguments.packing.key_and_iv.as_deref())?;
    let (disk, built) = disk(image, arguments, &manifest)?;
    let image = input::shown(image);
    if arguments.force {
        // It would tell of parts that are replaced one after the other.
        match std::fs::remove_file(&manifest) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::io(&manifest, "remove the manifest that is replaced", error));
            }
            _ => {}
        }
    }
    let options = BundleOptions {
        replace: arguments.force,
        durable: !arguments.no_sync,
        ..packed(&arguments.packing, &name, &arguments.output)
    };
    let (scan, write) = (OnceLock::new(), OnceLock::new());
    let mut written = write_parts(&*disk, &session, &options, &|stage, done, total| {
        let (progress, doing) = match stage {
            Stage::Scan => (&scan, "looking for data in"),
            _ => (&write, "bundling"),
        };
        progress.get_or_init(|| Progress::start(format!("{doing} {}", image.display()))).at(done, total);
    })?;
    if let Some(progress) = scan.into_inner() {
        progress.finish(written.size);
    }
    if let Some(progress) = write.into_inner() {
        progress.finish(written.data);
    }
    let text = Manifest {
        bundler: ("hardtack".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        architecture: arguments.arch.name().to_owned(),
        devices: devices.to_vec(),
        product_codes: arguments.packing.productcodes.clone(),
        kernel: arguments.kernel().map(str::to_owned),
        ramdisk: arguments.ramdisk().map(str::to_owned),
        name: name.clone(),
        user: owner.account.clone(),
        image_type: image_type(arguments.kernel(), arguments.ramdisk()),
        digest: written.digest,
        size: written.size,
        bundled_size: written.bundled_size,
        cloud_key: owner.cloud.seal(&session)?,
        user_key: owner.user.as_ref().map_or(Ok(Sealed::default()), |user| user.seal(&session))?,
        parts: written.parts.clone(),
        ..Manifest::default()
    }
    .to_xml(owner.signer.as_ref())?;
    write_manifest(&manifest, &text, arguments.force, !arguments.no_sync)?;
    written.keep();
    if arguments.force {
        remove_older(&arguments.output, &name, written.parts.len());
    }
    tell(arguments, &manifest, &written, owner, built)
}

/// What a recipe did.
struct Built {
    /// Its changes.
    changes: usize,
    /// Paths that the second reader found as planned.
    confirmed: usize,
    /// Bytes that nobody owned, and that are not in the bundle.
    left_out: u64,
}

/// The disk that is bundled, and what was changed in it.
fn disk(
    image: &Path,
    arguments: &BundleArgs,
    manifest: &Path,
) -> Result<(Arc<dyn BlockSource>, Option<Built>), CliError> {
    let is_plain = image_type(arguments.kernel(), arguments.ramdisk()) != ImageType::Machine;
    if is_plain && arguments.harden.recipe.is_some() {
        return Err(CliError::usage("--recipe is for disks, and a kernel or RAM disk is none"));
    }
    let spooled = input::is_standard(image).then(|| input::spooled(arguments)).transpose()?;
    if let (None, Some(size)) = (&spooled, arguments.image_size) {
        input::check_file(image, size)?;
    }
    let image = input::shown(image);
    if is_plain {
        let plain = match spooled {
            Some((file, length)) => plain::Plain::of(file, length, image)?,
            None => plain::Plain::open(image)?,
        };
        return Ok((Arc::new(plain), None));
    }
    let input = match spooled {
        Some(spooled) => Input::open_spooled(spooled, image, &arguments.open, Some(manifest))?,
        None => Input::open(image, &arguments.open, Some(manifest))?,
    };
    let Some(recipe) = &arguments.harden.recipe else {
        input.note_snapshots();
        let residue = if arguments.harden.sparsify { residue(&input)? } else { Vec::new() };
        return Ok((Arc::new(Holes::new(input.disk.clone(), residue)), None));
    };
    let harden = &arguments.harden;
    let (image, edits, changes) = build::prepare(recipe, input, harden)?;
    let edited = image.edited(&edits, &harden.target())?;
    for unread in &edited.confirmation.unread {
        talk::note(&format!("not read back by a second implementation: {unread}"));
    }
    let confirmed = edited.confirmation.confirmed;
    Ok((edited.disk, Some(Built { changes, confirmed, left_out: edited.left_out })))
}

/// What the environment and the files of euca2ools say of account and keys.
pub(super) fn settings(files: &FilesArgs) -> Result<Settings, CliError> {
    let options = PlaceOptions {
        region: files.region.clone(),
        eucarc: files.eucarc.clone(),
        ..PlaceOptions::default()
    };
    Ok(Settings::find(&options, &environment::of_process())?)
}

fn owner(arguments: &AccountArgs) -> Result<Owner, CliError> {
    let found = settings(&arguments.files)?;
    let options = &arguments.keys;
    let account = options.user.clone().or_else(|| found.account.clone()).ok_or_else(|| {
        CliError::usage("missing account ID; please supply one with --user")
            .hint("or set EC2_USER_ID, or have an account-id in ~/.euca/*.ini")
    })?;
    let cloud = match options.ec2cert.as_ref().or(found.cloud_certificate.as_ref()) {
        Some(path) => keys::certificate(path)?,
        None => certificate::fetched(&certificate::client(arguments, &found)?)?,
    };
    Owner::new(options, found, &account, cloud)
}

impl Owner {
    /// With the keys that are given, else those that were found.
    pub(super) fn new(
        given: &KeysArgs,
        found: Settings,
        account: &str,
        cloud: PublicKey,
    ) -> Result<Self, CliError> {
        // People write 1234-5678-9012; the manifest has digits.
        let account = account.replace('-', "");
        if account.is_empty() || !account.chars().all(|char| char.is_ascii_digit()) {
            return Err(CliError::usage(format!("{account:?} is no account's number")).hint(
                "a cloud takes a bundle of the account that registers it: 12 digits, as 123456789012",
            ));
        }
        if account.len() != 12 {
            talk::note(&format!("account {account}: the accounts of EC2 and Eucalyptus have 12 digits"));
        }
        let certificate = given.cert.clone().or(found.certificate);
        let private = given.privatekey.clone().or(found.private_key);
        for (missing, what) in [
            (certificate.is_none(), "without --cert you cannot unbundle it yourself"),
            (private.is_none(), "without --privatekey it is not signed"),
        ] {
            if missing {
                talk::note(what);
            }
        }
        let user = certificate.as_ref().map(|path| keys::certificate(path)).transpose()?;
        let signer =
            private.as_ref().map(|path| keys::private(path, given.passphrase_file.as_deref())).transpose()?;
        // euca2ools does not look, and there may be reasons: one signs, another one opens.
        if let (Some(certificate), Some(private), Some(user), Some(signer)) =
            (&certificate, &private, &user, &signer)
            && signer.public() != *user
        {
            let (certificate, private) = (certificate.display(), private.display());
            talk::note(&format!(
                "{private} is not the key of {certificate}: the signature cannot be verified with that certificate, \
                 and that key cannot open the bundle"
            ));
        }
        Ok(Self { account, signer, user, cloud })
    }
}

/// How the options have a bundle of that name made.
pub(super) fn packed<'a>(chosen: &PackingArgs, name: &'a str, directory: &'a Path) -> BundleOptions<'a> {
    BundleOptions {
        gzip: match chosen.gzip {
            GzipName::Members => Gzip::Members,
            GzipName::Single => Gzip::Single,
        },
        level: chosen.level,
        dense: chosen.dense,
        part_size: chosen.part_size,
        ..BundleOptions::new(name, directory)
    }
}

/// Keys on the command line are everybody's.
pub(super) fn check_foreign(foreign: &ForeignArgs) -> Result<(), CliError> {
    let given = [("--enc-key", foreign.enc_key), ("--enc-iv", foreign.enc_iv)];
    match given.iter().find(|(_, value)| value.is_some()) {
        None => Ok(()),
        Some((name, _)) => {
            let text = format!("{name} is not taken: everybody on the machine can read a command line");
            Err(CliError::usage(text)
                .hint("--key-and-iv FILE reads both from a file; take a new key, this one has been seen"))
        }
    }
}

pub(super) fn devices(given: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let device = |text: &String| match text.split_once('=') {
        Some((name, device)) if !name.is_empty() && !device.is_empty() => {
            Ok((name.to_owned(), device.to_owned()))
        }
        _ => Err(CliError::usage(format!("-B {text}: a mapping is NAME=DEVICE, as ami=sda1"))),
    };
    given.iter().map(device).collect()
}

/// `true` says that the image is a kernel, or a RAM disk.
pub(super) fn image_type(kernel: Option<&str>, ramdisk: Option<&str>) -> ImageType {
    match (kernel, ramdisk) {
        (Some("true"), _) => ImageType::Kernel,
        (_, Some("true")) => ImageType::Ramdisk,
        _ => ImageType::Machine,
    }
}

/// The image's file name; a disk's without suffixes that are wrong for what the bundle holds.
fn name_of(image: &Path, image_type: ImageType) -> Result<String, CliError> {
    let mut name = image.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        CliError::usage(format!("{}: its name is no name for a bundle", image.display()))
            .hint("--prefix gives one")
    })?;
    while let Some((stem, suffix)) = name.rsplit_once('.')
        && !stem.is_empty()
        && image_type == ImageType::Machine
        && STORED.contains(&&*suffix.to_ascii_lowercase())
    {
        name = stem;
    }
    Ok(name.to_owned())
}

fn make_directory(path: &Path) -> Result<(), CliError> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(CliError::io(path, "make the directory", error))
        }
        _ => Ok(()),
    }
}

/// A run that was killed leaves parts, the first ones, and no manifest. Told before any work is done.
fn check_no_parts(directory: &Path, name: &str) -> Result<(), CliError> {
    let part = directory.join(part_name(name, 0));
    if part.symlink_metadata().is_err() {
        return Ok(());
    }
    let text = format!("{}: exists already, and there is no manifest of it", part.display());
    Err(CliError::new(LOCAL_IO, text)
        .hint("a run that was killed leaves parts like it; --force replaces them, and removes those it does not need"))
}

/// Parts of a longer bundle of that name, which the new one has replaced.
fn remove_older(directory: &Path, name: &str, parts: usize) {
    for index in parts.. {
        let path = directory.join(part_name(name, index));
        if std::fs::remove_file(path).is_err() {
            return;
        }
    }
}

fn tell(
    arguments: &BundleArgs,
    manifest: &Path,
    written: &WrittenParts,
    owner: &Owner,
    built: Option<Built>,
) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let mut sealed = vec!["cloud"];
        sealed.extend(owner.user.as_ref().map(|_| "user"));
        let result = json!({
            "manifest": manifest.display().to_string(),
            "parts": written.parts.len(),
            "size": written.size,
            "data": written.data,
            "bundled_size": written.bundled_size,
            "digest": hardtack_bundle::hex::encode(&written.digest),
            "signed": owner.signer.is_some(),
            "sealed_for": sealed,
            "changes": built.as_ref().map(|built| built.changes),
            "confirmed": built.as_ref().map(|built| built.confirmed),
            "left_out": built.as_ref().map(|built| built.left_out),
        });
        writeln!(out, "{result}")
    } else {
        let (disk, data) = (mebibytes(written.size), mebibytes(written.data));
        let (parts, bundled) = (written.parts.len(), mebibytes(written.bundled_size));
        let changes = built.map_or(String::new(), |Built { changes, confirmed, .. }| {
            format!(", {changes} changes, {confirmed} paths read back and as planned")
        });
        writeln!(
            out,
            "a disk of {disk} MiB with {data} MiB of data in {bundled} MiB, parts: {parts}{changes}\n\
             Wrote manifest {}",
            manifest.display()
        )
    };
    told.map_err(CliError::stream)
}
