//! `hardtack register`: a bundle in a bucket, or a snapshot, becomes an image.

use std::path::Path;
use std::time::UNIX_EPOCH;

use hardtack_bundle::{Bundle, unbundle};
use hardtack_cloud::ec2::{Mapping, RegisterImage};
use hardtack_cloud::{Environment, Kind, Service};
use hardtack_disk::AtomicFile;
use hardtack_publish::catalog::{Catalog, Entry};
use hardtack_publish::journal::{Journal, Resource};
use hardtack_publish::{Teller as _, facts, fingerprint, image};
use serde_json::{Value, json};

use super::bundle::{keys, settings};
use super::install::file_digest;
use super::publish::{
    Session, Site, Talker, default_path, existing, find, mappings, print_image, register_request,
};
use crate::args::{FilesArgs, Format, RegisterArgs, SourceArgs, TargetArgs};
use crate::environment;
use crate::error::CliError;
use crate::source::Input;
use crate::target::{self, Job};

/// Runs `hardtack register`.
pub(crate) fn run(arguments: &RegisterArgs) -> Result<u8, CliError> {
    let request = register_request(&arguments.register)?;
    let environment = environment::of_process();
    let site = find(&arguments.place, Service::Ec2, &environment)?;
    let path = default_path(arguments.journal.as_deref(), &request.name, "register.journal");
    let result = match &site {
        Site::Local(catalog) => local(arguments, &request, catalog, &path, &environment)?,
        Site::Cloud(client) => {
            client.provider().get()?;
            let request = complete(arguments, request, client.place().kind)?;
            let mut inputs = fingerprint::Inputs::default();
            inputs.add("request", &format!("{request:?}"));
            let inputs = inputs.digest();
            let session = Session::open(&path, &site.header(&request.name, &inputs), &environment)?;
            match session.result() {
                Some(result) => result,
                None => session.run(|journal| {
                    let existing = existing(arguments.register.existing);
                    let registered =
                        image::register(client, &request, existing, journal, &Talker::default())?;
                    Ok(json!({
                        "image": registered.id,
                        "name": request.name,
                        "on": arguments.place.on.name(),
                        "region": client.place().region,
                        "found": registered.found,
                    }))
                })?,
            }
        }
    };
    print_image(&result, arguments.json)?;
    Ok(0)
}

/// What a cloud is asked for.
fn complete(
    arguments: &RegisterArgs,
    mut request: RegisterImage,
    kind: Kind,
) -> Result<RegisterImage, CliError> {
    let options = &arguments.register;
    request.architecture = arguments.arch.map_or("x86_64", |arch| arch.name()).to_owned();
    request.location.clone_from(&arguments.location);
    request.mappings = mappings(&arguments.block_device_mapping)?;
    let (ours, default) = match kind {
        Kind::Aws => (true, "/dev/xvda"),
        Kind::Euca => (false, "/dev/sda1"),
    };
    if let Some(snapshot) = &arguments.snapshot {
        let device = request.root_device.get_or_insert_with(|| default.to_owned()).clone();
        let root = Mapping {
            device: device.clone(),
            snapshot: Some(snapshot.clone()),
            size: options.volume_size,
            volume_type: ours.then(|| options.volume_type.clone()),
            delete_on_termination: Some(true),
            ..Mapping::default()
        };
        // Who says more of the root has the last word.
        match request.mappings.iter_mut().find(|mapping| mapping.device == device) {
            Some(given) => {
                given.snapshot.get_or_insert_with(|| snapshot.clone());
            }
            None => request.mappings.insert(0, root),
        }
        let hvm = request.virtualization.as_deref() == Some("hvm");
        request.ena = ours && hvm && !options.no_ena;
        request.sriov = request.ena;
    }
    if !ours {
        // Eucalyptus knows neither.
        request.imds_v2 = false;
        if request.boot_mode.is_some() || request.tpm {
            return Err(CliError::usage("--boot-mode and --tpm are for AWS: Eucalyptus knows neither"));
        }
    }
    Ok(request)
}

fn local(
    arguments: &RegisterArgs,
    request: &RegisterImage,
    catalog: &Catalog,
    path: &Path,
    environment: &Environment,
) -> Result<Value, CliError> {
    let Some(location) = &arguments.location else {
        return Err(CliError::usage("--snapshot is of a cloud, and the image goes into the local catalog")
            .hint("--on aws and --on euca name a cloud"));
    };
    let from_bucket = location.ends_with(".manifest.xml");
    let file = match location.split_once('/').filter(|_| from_bucket) {
        Some((bucket, key)) => catalog.object(bucket, key)?,
        None => location.into(),
    };
    let digest = file_digest(&file)?;
    let header = Site::Local(catalog.clone()).header(&request.name, &digest);
    let session = Session::open(path, &header, environment)?;
    if let Some(result) = session.result() {
        return Ok(result);
    }
    session.run(|journal| {
        let id = Catalog::new_id(environment.random);
        let place = std::path::absolute(catalog.directory())
            .map_err(|error| CliError::io(catalog.directory(), "find the catalog", error))?;
        let place = place.display().to_string();
        // An image that an earlier run has begun is this one.
        let known = journal.standing().into_iter().find_map(|standing| match standing.resource {
            Resource::Local { catalog, id } if catalog == place => Some(id),
            _ => None,
        });
        let id = known.unwrap_or(id);
        let ticket = journal.intend("", &Resource::Local { catalog: place, id: id.clone() })?;
        let entry = match catalog.find(&id)? {
            Some(entry) => entry,
            None => {
                let entry = entry(arguments, request, &id, &digest, journal, environment);
                let made = if from_bucket { bundled(arguments, catalog, &file) } else { Ok(Made::Disk) };
                match made.and_then(|made| add(catalog, entry, &file, made)) {
                    Ok(entry) => entry,
                    Err(error) => {
                        journal.removed(ticket)?;
                        return Err(error);
                    }
                }
            }
        };
        journal.made(ticket, &id)?;
        Ok(json!({
            "image": id, "name": entry.name, "on": "local", "found": false,
            "disk": catalog.disk(&id).display().to_string(), "size": entry.size,
        }))
    })
}

/// Where the disk comes from.
enum Made {
    /// The file is one.
    Disk,
    /// A bundle, and what opens it.
    Bundle(Box<Bundle>, hardtack_bundle::Session),
}

fn bundled(arguments: &RegisterArgs, catalog: &Catalog, manifest: &Path) -> Result<Made, CliError> {
    let bundle = Bundle::open(manifest, None)?;
    let files = FilesArgs { region: None, eucarc: arguments.place.access.eucarc.clone() };
    let private = arguments.privatekey.clone().or(settings(&files)?.private_key).ok_or_else(|| {
        CliError::usage("missing private key, which opens the bundle; please supply one with --privatekey")
            .hint(format!("or set EC2_PRIVATE_KEY; the catalog is {}", catalog.directory().display()))
    })?;
    let session =
        bundle.session(&keys::private(&private, arguments.passphrase_file.as_deref())?).ok_or_else(|| {
            CliError::usage(format!("{}: this key does not open the bundle", private.display()))
        })?;
    Ok(Made::Bundle(Box::new(bundle), session))
}

fn entry(
    arguments: &RegisterArgs,
    request: &RegisterImage,
    id: &str,
    digest: &str,
    journal: &Journal,
    environment: &Environment,
) -> Entry {
    let mut tags: std::collections::BTreeMap<_, _> = request.tags.iter().cloned().collect();
    tags.extend(journal.tags());
    tags.insert(fingerprint::TAG.to_owned(), digest.to_owned());
    Entry {
        id: id.to_owned(),
        name: request.name.clone(),
        description: request.description.clone(),
        architecture: arguments.arch.map_or("", |arch| arch.name()).to_owned(),
        boot_mode: request.boot_mode.map(|mode| mode.name().to_owned()),
        created: (environment.now)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        tags,
        ..Entry::default()
    }
}

/// Opens the disk, and writes it into the catalog.
fn add(catalog: &Catalog, mut entry: Entry, file: &Path, made: Made) -> Result<Entry, CliError> {
    let tell = Talker::default();
    // A bundle is unpacked beside where it is kept; the raw disk goes again.
    let scratch = tempfile(catalog)?;
    let disk = match &made {
        Made::Disk => file.to_owned(),
        Made::Bundle(bundle, session) => {
            let raw = scratch.0.join("disk.raw");
            let mut out = AtomicFile::create(&raw)?;
            out.set_durable(false);
            unbundle(bundle, session, &mut out, &|_, done, total| tell.progress("unpacking", done, total))?;
            out.commit(true)?;
            raw
        }
    };
    let input = Input::open(&disk, &SourceArgs::default(), None)?;
    let found = facts::look(&input.disk)?;
    entry.size = input.disk.len();
    if entry.architecture.is_empty() {
        entry.architecture = match &made {
            Made::Bundle(bundle, _) => bundle.manifest.architecture.clone(),
            Made::Disk => found.architecture.unwrap_or_else(|| "x86_64".to_owned()),
        };
    }
    entry.boot_mode = entry.boot_mode.or(found.boot_mode.map(|mode| mode.name().to_owned()));
    catalog.add(&entry, |path| {
        let options = TargetArgs { format: Some(Format::Qcow2), ..TargetArgs::default() };
        let mut out = AtomicFile::create(path)?;
        let job = Job { input: &input, disk: &*input.disk, changed: Vec::new(), residue: Vec::new() };
        target::write(job, &options, &mut out, &|done, total| {
            tell.progress("writing the image", done, total)
        })?;
        out.commit(false)?;
        Ok::<(), CliError>(())
    })?;
    Ok(entry)
}

/// A directory that goes with its owner.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is told by nobody, and in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tempfile(catalog: &Catalog) -> Result<Scratch, CliError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = catalog.directory().join(format!(".unpacking-{}", std::process::id()));
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|error| CliError::io(&path, "make the directory", error))?;
    Ok(Scratch(path))
}
