//! `hardtack install`: from a disk to a registered image, in one pass.
//!
//! Options and recipe are read first, then everything is checked that can be known before the first byte is sent.
//! After that the journal is open, and each step writes down what it makes before it makes it.

mod bundle;
mod cloud;
mod disk;
mod found;
mod inputs;
mod local;
mod preflight;

use std::path::{Path, PathBuf};

use hardtack_cloud::Service;
use hardtack_cloud::ec2::RegisterImage;
use hardtack_publish::source::Name;
use hardtack_publish::trial::Trial;
use hardtack_recipe::Recipe;

use super::bundle::check_foreign;
use super::publish::{Existing, Site, Talker, default_path, existing, find, register_request};
use super::{build, trial};
use crate::args::{Architecture, InstallArgs, On};
use crate::environment;
use crate::error::CliError;
use inputs::Witness;

pub(super) use cloud::Afterwards;
pub(super) use inputs::file as file_digest;

/// Everything that the command line asks for, read and checked by itself.
struct Order<'a> {
    arguments: &'a InstallArgs,
    from: From,
    recipe: Option<Recipe>,
    witness: Witness,
    request: RegisterImage,
    existing: Existing,
    trial: Option<Trial>,
    journal: PathBuf,
    tell: Talker,
}

/// Where the disk comes from.
enum From {
    /// A file.
    File(PathBuf),
    /// An image or a snapshot of a cloud, or of the catalog.
    Name(Name, String),
}

/// Runs `hardtack install`.
pub(crate) fn run(arguments: &InstallArgs) -> Result<u8, CliError> {
    check_foreign(&arguments.packing.foreign)?;
    let mut order = Order::new(arguments)?;
    let environment = environment::of_process();
    match find(&arguments.place, Service::S3, &environment)? {
        Site::Local(catalog) => local::install(&mut order, &catalog, &environment),
        site @ Site::Cloud(_) => cloud::install(&mut order, site, &environment),
    }
}

/// Installs into a cloud, and does something `afterwards` in the same run and with the same journal.
pub(super) fn into_cloud(
    arguments: &InstallArgs,
    site: Site,
    afterwards: Afterwards<'_>,
) -> Result<u8, CliError> {
    check_foreign(&arguments.packing.foreign)?;
    let mut order = Order::new(arguments)?;
    cloud::install_and(&mut order, site, &environment::of_process(), Some(afterwards))
}

impl<'a> Order<'a> {
    fn new(arguments: &'a InstallArgs) -> Result<Self, CliError> {
        check_options(arguments)?;
        let from = match (&arguments.disk, &arguments.image, &arguments.source) {
            (Some(path), ..) | (_, Some(path), _) => named(&path.to_string_lossy(), path)?,
            (.., Some(text)) => named(text, Path::new(text))?,
            _ => return Err(CliError::usage("an image is needed, or --source")),
        };
        let witness = Witness::default();
        let recipe = match &arguments.harden.recipe {
            Some(path) => Some(witness.recipe(path, &arguments.harden.set)?),
            None => None,
        };
        let request = register_request(&arguments.register)?;
        let trial = arguments.test.as_deref().map(trial::read).transpose()?;
        Ok(Self {
            from,
            recipe,
            witness,
            request,
            existing: existing(arguments.register.existing),
            trial,
            journal: default_path(arguments.journal.as_deref(), &arguments.register.name, "journal"),
            tell: Talker::default(),
            arguments,
        })
    }
}

/// What `text` means: a name of a cloud's, else a path.
fn named(text: &str, path: &Path) -> Result<From, CliError> {
    Ok(match Name::parse(text)? {
        // A file of that name is what was meant.
        Some(_) if path.exists() => From::File(path.to_owned()),
        Some(name) => From::Name(name, text.to_owned()),
        None => From::File(path.to_owned()),
    })
}

/// Options that contradict each other, or that have no meaning in the place.
fn check_options(arguments: &InstallArgs) -> Result<(), CliError> {
    let on = arguments.place.on;
    let bundle = arguments.bundle || on == On::Euca && !arguments.ebs;
    let snapshot = &arguments.snapshot;
    if on == On::Euca && arguments.ebs {
        return Err(CliError::usage("--ebs: Eucalyptus has no EBS direct; it takes bundles")
            .hint("leave --ebs out, and give --bucket"));
    }
    let (copies, shared) = (!snapshot.copy_to.is_empty(), snapshot.public || !snapshot.share.is_empty());
    let encrypted = snapshot.encrypted || !snapshot.kms_keys.is_empty();
    let stray = [
        ("--ebs", arguments.ebs, on == On::Local, "the local catalog"),
        ("--bundle", arguments.bundle, on == On::Local, "the local catalog"),
        ("--bucket", arguments.bucket.bucket.is_some(), on == On::Local, "the local catalog"),
        ("--share", shared, on == On::Local, "the local catalog"),
        ("--copy-to", copies, on != On::Aws, "other places than AWS"),
        ("--ssm", snapshot.ssm.is_some(), on != On::Aws, "other places than AWS"),
        ("--encrypted", encrypted, on != On::Aws || bundle, "images without snapshots"),
        ("--copy-to", copies, bundle, "images without snapshots"),
        ("--bucket", arguments.bucket.bucket.is_some(), !bundle, "snapshots (--bundle takes it)"),
        (
            "--url",
            arguments.place.url.is_some(),
            !bundle,
            "snapshots, for it is S3's address here (see --ec2-url)",
        ),
        ("--accel", arguments.accel != "tcg", on != On::Local, "clouds"),
    ];
    if let Some((name, .., what)) = stray.iter().find(|(_, given, wrong, _)| *given && *wrong) {
        return Err(CliError::usage(format!("{name} is nothing for {what}")));
    }
    if bundle && arguments.bucket.bucket.is_none() {
        return Err(CliError::usage("a bundle needs a bucket: --bucket BUCKET[/PREFIX]"));
    }
    if on == On::Euca {
        fits_eucalyptus(arguments)?;
    }
    if on == On::Aws && !bundle && arguments.register.virtualization_type.name() == "paravirtual" {
        return Err(CliError::usage(
            "--virtualization-type paravirtual: AWS starts images of snapshots as hvm, and this one would need a kernel",
        )
        .hint("leave it out"));
    }
    let plain = arguments.register.kernel.as_deref() == Some("true")
        || arguments.register.ramdisk.as_deref() == Some("true");
    if plain && !bundle {
        return Err(CliError::usage("kernels and RAM disks are images of bundles only"));
    }
    if plain && arguments.harden.recipe.is_some() {
        return Err(CliError::usage("--recipe is for disks, and a kernel or RAM disk is none"));
    }
    Ok(())
}

/// What Eucalyptus refuses when the image is registered, after all of it has been sent.
fn fits_eucalyptus(arguments: &InstallArgs) -> Result<(), CliError> {
    let register = &arguments.register;
    if register.virtualization_type.name() == "paravirtual"
        && register.kernel.is_none()
        && register.ramdisk.as_deref() != Some("true")
    {
        return Err(CliError::usage("--virtualization-type paravirtual: Eucalyptus wants a kernel for it")
            .hint("give --kernel eki-… (and --ramdisk eri-…), or leave both out for an image that boots by itself"));
    }
    match arguments.arch {
        None | Some(Architecture::I386 | Architecture::X86_64) => Ok(()),
        Some(other) => {
            let text = format!("--arch {}: Eucalyptus takes images for i386 and x86_64", other.name());
            Err(CliError::usage(text))
        }
    }
}
