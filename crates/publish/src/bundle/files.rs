//! The files of a bundle into a bucket.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hardtack_bundle::{LARGEST_MANIFEST, Manifest, Part, hex};
use hardtack_cloud::Client;
use sha1::{Digest as _, Sha1};

use super::send::{Kept, Sender};
use super::{Destination, Uploaded};
use crate::journal::Journal;
use crate::{Error, Teller};

/// Bytes of a part: it is sent in one call, from memory. Those of all known programs have 10 MiB.
const LARGEST_PART: u64 = 1 << 30;
/// Bytes that parts may take together, as long as one fits at all.
const MEMORY: u64 = 48 << 20;
/// Connections beyond this number gain nothing.
const CONNECTIONS: usize = 64;

/// What of a bundle's files is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadOptions {
    /// Not the manifest.
    pub skip_manifest: bool,
    /// From this part on.
    pub first_part: usize,
}

/// Sends the files of the bundle of `manifest`; parts lie in `directory`. Each is compared with its digest first, and
/// the manifest is sent last, as it is.
///
/// # Errors
/// A file is missing, or is not what the manifest says; another manifest is in its place in the bucket; sending fails.
pub fn upload_files(
    client: &Client,
    manifest: &Path,
    directory: &Path,
    options: UploadOptions,
    destination: &Destination,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Uploaded, Error> {
    let bytes = read(manifest, LARGEST_MANIFEST)?;
    let parsed = Manifest::parse(&bytes, manifest)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::Refused(format!("{}: neither ASCII nor UTF-8", manifest.display())))?;
    let file = file_name(manifest)?;
    let name = file.strip_suffix(".manifest.xml").unwrap_or(&file);
    if parsed.parts.len() < options.first_part {
        return Err(Error::Usage(format!(
            "{}: it has {} parts, and part {} cannot be the first that is sent",
            manifest.display(),
            parsed.parts.len(),
            options.first_part
        )));
    }
    let parts: Vec<(PathBuf, &Part)> =
        parsed.parts.iter().map(|part| (directory.join(&part.name), part)).collect();
    let parts = parts.get(options.first_part..).unwrap_or_default();
    let largest = look(manifest, parts, (options.first_part == 0).then_some(parsed.bundled_size))?;
    let sender = Sender::new(client, destination, journal, name, true, tell)?;
    sender.refuse_foreign(&file, Some(text))?;
    let most = (MEMORY / largest.max(1)).clamp(1, CONNECTIONS as u64);
    let parallel = destination.parallel.clamp(1, usize::try_from(most).unwrap_or(1));
    let skipped = send_parts(parts, &sender, parallel, parsed.bundled_size, tell)?;
    if !options.skip_manifest {
        sender.put_manifest(&file, text)?;
    }
    Ok(Uploaded {
        location: destination.object(&file),
        parts: parsed.parts.len(),
        skipped,
        bundled_size: parsed.bundled_size,
        size: parsed.size,
    })
}

/// Looks at all files before the first is sent; the bytes of the largest.
fn look(manifest: &Path, parts: &[(PathBuf, &Part)], bundled_size: Option<u64>) -> Result<u64, Error> {
    let (mut sum, mut largest) = (0_u64, 0);
    for (path, _) in parts {
        let found = std::fs::metadata(path).map_err(|error| Error::file(path, "read the part", error))?;
        if !found.is_file() || found.len() > LARGEST_PART {
            let what = if found.is_file() { "larger than 1 GiB" } else { "no regular file" };
            return Err(Error::Refused(format!("{}: a part of a bundle, and {what}", path.display())));
        }
        sum = sum.saturating_add(found.len());
        largest = largest.max(found.len());
    }
    match bundled_size {
        Some(bundled_size) if bundled_size != sum => Err(Error::Refused(format!(
            "{}: its parts have {bundled_size} bytes, and those that are there {sum}; bundle again, or copy them again",
            manifest.display()
        ))),
        _ => Ok(largest),
    }
}

/// Sends all of `parts`; how many of them were there.
fn send_parts(
    parts: &[(PathBuf, &Part)],
    sender: &Sender<'_>,
    parallel: usize,
    total: u64,
    tell: &dyn Teller,
) -> Result<usize, Error> {
    let (next, skipped, sent) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let first: Mutex<Option<Error>> = Mutex::default();
    let failed = || first.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let work = || -> Result<(), Error> {
        while let Some((path, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed() {
                return Ok(());
            }
            let bytes = read(path, LARGEST_PART)?;
            let digest: hardtack_bundle::Digest = Sha1::digest(&bytes).into();
            if digest != part.digest {
                return Err(Error::Refused(format!(
                    "{}: damaged part: its SHA-1 is {}, and the manifest says {}; bundle again, or copy it again",
                    path.display(),
                    hex::encode(&digest),
                    hex::encode(&part.digest)
                )));
            }
            if sender.put(&part.name, &bytes, &digest, Kept::Part)? {
                skipped.fetch_add(1, Ordering::Relaxed);
            }
            let length = bytes.len() as u64;
            tell.progress("uploading", sent.fetch_add(length, Ordering::Relaxed) + length, total);
        }
        Ok(())
    };
    let worker = || {
        if let Err(error) = work() {
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..parallel {
            scope.spawn(worker);
        }
        worker();
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(skipped.into_inner()),
    }
}

/// A whole file, of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let fail = |error| Error::file(path, "read it", error);
    let mut options = File::options();
    // Not waiting for a writer, where it is a FIFO.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len().min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(Error::Refused(format!("{}: larger than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Error::Usage(format!("{}: a manifest's name is a text without odd bytes", path.display()))
    })
}
