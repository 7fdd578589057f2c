//! `hardtack upload`: the files of a bundle into a bucket, of a cloud or of the local catalog.

use std::io::Write as _;
use std::path::Path;

use hardtack_bundle::{Bundle, check};
use hardtack_cloud::Service;
use hardtack_publish::Teller as _;
use hardtack_publish::bundle::{Destination, UploadOptions, upload_files};
use hardtack_publish::catalog::Catalog;
use hardtack_publish::fingerprint::Inputs;
use serde_json::{Value, json};

use super::install::file_digest;
use super::publish::{Session, Site, Talker, default_path, find};
use crate::args::UploadArgs;
use crate::environment;
use crate::error::CliError;

/// Runs `hardtack upload`.
pub(crate) fn run(arguments: &UploadArgs) -> Result<u8, CliError> {
    let Some(manifest) = arguments.manifest.as_ref().or(arguments.manifest_option.as_ref()) else {
        return Err(CliError::usage("a manifest is needed"));
    };
    let Some(bucket) = &arguments.bucket.bucket else {
        return Err(CliError::usage("a bucket is needed: --bucket BUCKET[/PREFIX]"));
    };
    let mut destination = Destination::parse(bucket, arguments.bucket.acl.name())?;
    destination.location.clone_from(&arguments.bucket.location);
    destination.parallel = arguments.bucket.parallel.into();
    let parent = manifest.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = arguments.directory.clone().or(parent.map(Path::to_owned)).unwrap_or_else(|| ".".into());
    let options = UploadOptions { skip_manifest: arguments.skipmanifest, first_part: arguments.part };
    let environment = environment::of_process();
    let tell = Talker::default();
    let site = find(&arguments.place, Service::S3, &environment)?;
    let result = match &site {
        Site::Local(catalog) => into_catalog(catalog, manifest, &directory, options, &destination, &tell)?,
        Site::Cloud(client) => {
            client.provider().get()?;
            let name = file_name(manifest)?;
            let name = name.strip_suffix(".manifest.xml").unwrap_or(&name).to_owned();
            // The same bundle may go to many places.
            let place = destination.object(&name);
            let path = default_path(arguments.journal.as_deref(), &place, "upload.journal");
            let mut inputs = Inputs::default();
            inputs
                .add("manifest", &file_digest(manifest)?)
                .add("bucket", &destination.bucket)
                .add("path", &destination.path);
            let inputs = inputs.digest();
            let session = Session::open(&path, &site.header(&name, &inputs), &environment)?;
            match session.result().filter(|result| covers(result, options)) {
                Some(result) => result,
                None => session.run(|journal| {
                    let uploaded =
                        upload_files(client, manifest, &directory, options, &destination, journal, &tell)?;
                    Ok(json!({
                        "location": uploaded.location,
                        "parts": uploaded.parts,
                        "skipped": uploaded.skipped,
                        "bundled_size": uploaded.bundled_size,
                        "manifest": !options.skip_manifest,
                        "first_part": options.first_part,
                    }))
                })?,
            }
        }
    };
    let location = result.get("location").and_then(Value::as_str).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let told = match (arguments.json, arguments.skipmanifest) {
        (true, _) => writeln!(out, "{result}"),
        (false, true) => writeln!(out, "Uploaded the parts of {location}, not the manifest"),
        (false, false) => writeln!(out, "Uploaded {location}"),
    };
    told.map_err(CliError::stream)?;
    Ok(0)
}

/// Whether an earlier run sent all that is to be sent now: it may have left out the manifest, or the first parts.
fn covers(result: &Value, options: UploadOptions) -> bool {
    let has_manifest = result.get("manifest").and_then(Value::as_bool).unwrap_or(false);
    let first = result.get("first_part").and_then(Value::as_u64).unwrap_or(u64::MAX);
    (has_manifest || options.skip_manifest) && first <= options.first_part as u64
}

fn file_name(path: &Path) -> Result<String, CliError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| CliError::usage(format!("{}: no manifest's name", path.display())))
}

/// Copies parts and manifest. Each part is compared with its digest first; the manifest comes last.
fn into_catalog(
    catalog: &Catalog,
    manifest: &Path,
    directory: &Path,
    options: UploadOptions,
    destination: &Destination,
    tell: &Talker,
) -> Result<Value, CliError> {
    let bundle = Bundle::open(manifest, Some(directory))?;
    let step = "comparing parts";
    let found = check(&bundle, None, None, None, &|_, done, total| tell.progress(step, done, total));
    if let Some(error) = found.problems.into_iter().next() {
        return Err(error.into());
    }
    let parts = bundle.manifest.parts.iter().skip(options.first_part);
    let mut copied = 0_usize;
    let mut skipped = 0_usize;
    for part in parts {
        let from = directory.join(&part.name);
        let to = catalog.object(&destination.bucket, &destination.key(&part.name))?;
        if same(&from, &to)? {
            skipped += 1;
        } else {
            copy(&from, &to)?;
        }
        copied += 1;
    }
    let name = file_name(manifest)?;
    if !options.skip_manifest {
        copy(manifest, &catalog.object(&destination.bucket, &destination.key(&name))?)?;
    }
    Ok(json!({
        "location": format!("{}/{}", destination.bucket, destination.key(&name)),
        "parts": copied,
        "skipped": skipped,
        "bundled_size": bundle.manifest.bundled_size,
        "manifest": !options.skip_manifest,
        "first_part": options.first_part,
    }))
}

fn same(one: &Path, other: &Path) -> Result<bool, CliError> {
    Ok(other.is_file() && file_digest(one)? == file_digest(other)?)
}

fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if let Some(parent) = to.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| CliError::io(parent, "make the directory", error))?;
    }
    let file = hardtack_disk::AtomicFile::create(to)?;
    let mut source = std::fs::File::open(from).map_err(|error| CliError::io(from, "read it", error))?;
    std::io::copy(&mut source, &mut file.file()).map_err(|error| CliError::io(to, "write it", error))?;
    Ok(file.commit(true)?)
}
