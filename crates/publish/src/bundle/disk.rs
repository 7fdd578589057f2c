//! A disk into a bucket, in one pass: parts are sent while later ones are being packed.
//!
//! Memory: the parts that are on their way, the one that is being filled, and 4 MiB for each thread that packs. Threads
//! are fewer where parts take much of it. Measured: a peak of 44 MiB with parts of 10 MiB, three of them on their way
//! and two threads, of a disk of noise (400 MiB), which packs the worst.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use hardtack_bundle::{
    BundleOptions, Manifest, PackedPart, PackedParts, PrivateKey, PublicKey, Sealed, Session, Stage, hex,
    pack_parts,
};
use hardtack_cloud::Client;
use hardtack_disk::BlockSource;
use serde_json::json;
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::send::{Kept, Sender};
use super::{Destination, Uploaded};
use crate::journal::Journal;
use crate::{Error, Teller};

/// Bytes that parts and threads may take together.
const MEMORY: u64 = 56 << 20;
/// Bytes that a thread takes.
const THREAD: u64 = 4 << 20;
/// Bytes of a part: one is filled while one is on its way.
const LARGEST_PART: u64 = 24 << 20;
/// Connections beyond this number gain nothing.
const CONNECTIONS: usize = 64;

/// Where the journal has key and vector.
const SESSION: &str = "bundle/session";
/// Where it has what was made, once the manifest is there.
const DONE: &str = "bundle/done";

/// What a bundle's manifest says besides its parts, and what they are encrypted with.
#[derive(Debug)]
pub struct Identity<'a> {
    /// All that is known before bundling; digests, sizes, keys and parts are put in.
    pub manifest: Manifest,
    /// Who signs.
    pub signer: Option<&'a PrivateKey>,
    /// Who can open it besides the cloud.
    pub user: Option<&'a PublicKey>,
    /// The cloud.
    pub cloud: &'a PublicKey,
    /// Key and vector where they are given; else the journal's, or new ones.
    pub session: Option<Session>,
}

/// Whether parts of so many bytes can be sent while others are being packed: they are in memory.
///
/// # Errors
/// They are too large.
pub fn check_part_size(bytes: u64) -> Result<(), Error> {
    if bytes <= LARGEST_PART {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "parts of {bytes} bytes: those that are sent while they are packed are in memory, and have at most \
         {LARGEST_PART}; bundle into files and upload them, or make smaller parts"
    )))
}

/// Bundles `disk` and sends parts while later ones are still being packed; nothing is written on this machine.
/// `options.directory` is not used. The session's key is kept in the journal until the run ends, so that a run that
/// goes on makes the same parts, and those that are there with the right digest are not sent again.
///
/// # Errors
/// The bucket cannot be used; a manifest of that name is there and not of this journal (unless the given key makes the very
/// same one); reading, packing or sending fails.
pub fn upload_disk(
    client: &Client,
    disk: &dyn BlockSource,
    options: &BundleOptions<'_>,
    identity: &Identity<'_>,
    destination: &Destination,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Uploaded, Error> {
    hardtack_bundle::check_prefix(options.name)?;
    check_part_size(options.part_size)?;
    let manifest = format!("{}.manifest.xml", options.name);
    let has_given = identity.session.is_some();
    let may_be_there = has_given || journal.resumed();
    let session = session(client, journal, identity.session.clone())?;
    let sender = Sender::new(client, destination, journal, options.name, may_be_there, tell)?;
    if !has_given {
        // With a key that nobody else has, nothing that is there can be the same.
        sender.refuse_foreign(&manifest, None)?;
    }
    if let Some(done) = done(journal, options.name, destination, &sender)? {
        tell.note(&format!("the bundle {} is there already", done.location));
        return Ok(done);
    }
    // One more is being filled.
    let fit = MEMORY / options.part_size.max(1);
    let most = usize::try_from(fit.saturating_sub(1)).unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS);
    let parallel = destination.parallel.clamp(1, most);
    let options = BundleOptions { threads: threads(options, parallel), ..options.clone() };
    let (packed, skipped) = send_parts(disk, &session, &options, &sender, parallel, tell)?;
    let text = text(identity, &session, options.name, &packed)?;
    sender.put_manifest(&manifest, &text)?;
    let uploaded = Uploaded {
        location: destination.object(&manifest),
        parts: packed.parts.len(),
        skipped,
        bundled_size: packed.bundled_size,
        size: packed.size,
    };
    let names: Vec<&str> = packed.parts.iter().map(|part| &*part.name).collect();
    journal.keep(
        DONE,
        &json!({
            "location": uploaded.location,
            "digest": hex::encode(&Sha1::digest(&text)),
            "parts": names,
            "bundled_size": uploaded.bundled_size,
            "size": uploaded.size,
        }),
    )?;
    Ok(uploaded)
}

/// Key and vector: those of the journal, those that were given, or new ones.
fn session(client: &Client, journal: &Journal, given: Option<Session>) -> Result<Session, Error> {
    let kept = match journal.kept(SESSION) {
        None => None,
        Some(kept) => {
            let bytes = kept.as_str().and_then(hex::decode).map(Zeroizing::new);
            let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
            let damaged = || {
                let path = journal.path();
                Error::Refused(format!(
                    "{}: the journal's key is damaged; undo it, and begin again",
                    path.display()
                ))
            };
            Some(Session::new(&Zeroizing::new(bytes.ok_or_else(damaged)?)))
        }
    };
    let same = |given: &Session, kept: &Session| given.to_bytes() == kept.to_bytes();
    let session = match (given, kept) {
        (Some(given), Some(kept)) if !same(&given, &kept) => {
            return Err(Error::Usage(format!(
                "the key that was given is not the one that {} was begun with; give that one, or another --journal",
                journal.path().display()
            )));
        }
        (_, Some(kept)) => return Ok(kept),
        (Some(given), None) => given,
        (None, None) => {
            let mut bytes = Zeroizing::new([0; 32]);
            (client.environment().random)(&mut *bytes);
            Session::new(&bytes)
        }
    };
    journal.keep(SESSION, &json!(&*Zeroizing::new(hex::encode(&*session.to_bytes()))))?;
    Ok(session)
}

/// What an earlier run with this journal made, if all of it is there.
fn done(
    journal: &Journal,
    name: &str,
    destination: &Destination,
    sender: &Sender<'_>,
) -> Result<Option<Uploaded>, Error> {
    let Some(done) = journal.kept(DONE) else { return Ok(None) };
    let manifest = format!("{name}.manifest.xml");
    let text = |key: &str| done.get(key).and_then(serde_json::Value::as_str);
    let number = |key: &str| done.get(key).and_then(serde_json::Value::as_u64);
    let parts = done.get("parts").and_then(serde_json::Value::as_array);
    let parts = parts.map(|parts| parts.iter().filter_map(|part| Some(part.as_str()?.to_owned())).collect());
    let parts: Vec<String> = parts.unwrap_or_default();
    let (Some(location), Some(digest)) = (text("location"), text("digest")) else { return Ok(None) };
    let (Some(bundled_size), Some(size)) = (number("bundled_size"), number("size")) else { return Ok(None) };
    if location != destination.object(&manifest) || !sender.is_complete(&parts, &manifest, digest)? {
        return Ok(None);
    }
    let (location, parts) = (location.to_owned(), parts.len());
    Ok(Some(Uploaded { location, parts, skipped: parts, bundled_size, size }))
}

/// How many threads pack.
fn threads(options: &BundleOptions<'_>, parallel: usize) -> usize {
    let parts = options.part_size.saturating_mul(parallel as u64 + 1);
    let most = MEMORY.saturating_sub(parts) / THREAD;
    options.threads.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
}

/// Packs and sends; the parts, and how many of them were there.
fn send_parts(
    disk: &dyn BlockSource,
    session: &Session,
    options: &BundleOptions<'_>,
    sender: &Sender<'_>,
    parallel: usize,
    tell: &dyn Teller,
) -> Result<(PackedParts, usize), Error> {
    let progress = |stage: Stage, done: u64, total: u64| match stage {
        Stage::Scan => tell.progress("looking for data", done, total),
        // The last parts are still on their way when all is packed.
        _ => tell.progress("bundling and uploading", done.min(total.saturating_sub(1)), total),
    };
    let (skipped, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let first: Mutex<Option<Error>> = Mutex::default();
    // Nothing waits in it: a part is taken when there is a connection for it.
    let (send, receive) = sync_channel::<PackedPart>(0);
    let receive = Arc::new(Mutex::new(receive));
    let worker = |receive: Arc<Mutex<Receiver<PackedPart>>>| {
        loop {
            let part = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(part) = part else { return };
            // After a failure parts are only taken, so that nobody waits.
            if failed.load(Ordering::Relaxed) {
                continue;
            }
            match sender.put(&part.name, &part.bytes, &part.digest, Kept::Part) {
                Ok(true) => {
                    skipped.fetch_add(1, Ordering::Relaxed);
                }
                Ok(false) => {}
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }
    };
    let packed = std::thread::scope(|scope| {
        for _ in 0..parallel {
            let receive = receive.clone();
            scope.spawn(|| worker(receive));
        }
        // When all of them are gone, sending fails and does not wait.
        drop(receive);
        let stopped = || Error::Refused("a part could not be sent".to_owned());
        let packed = pack_parts(disk, session, options, &progress, &mut |part| {
            if failed.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            send.send(part).map_err(|_| stopped())
        });
        drop(send);
        packed
    });
    if let Some(error) = first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let packed = packed?;
    tell.progress("bundling and uploading", packed.size, packed.size);
    Ok((packed, skipped.into_inner()))
}

/// The manifest's text.
fn text(
    identity: &Identity<'_>,
    session: &Session,
    name: &str,
    packed: &PackedParts,
) -> Result<String, Error> {
    let user_key = identity.user.map(|user| user.seal(session)).transpose()?.unwrap_or_else(Sealed::default);
    let manifest = Manifest {
        name: name.to_owned(),
        digest: packed.digest,
        size: packed.size,
        bundled_size: packed.bundled_size,
        cloud_key: identity.cloud.seal(session)?,
        user_key,
        parts: packed.parts.clone(),
        ..identity.manifest.clone()
    };
    Ok(manifest.to_xml(identity.signer)?)
}
