//! A bundle into a bucket: of a disk in one pass, or of files that `hardtack bundle` wrote.

use std::path::Path;

use hardtack_bundle::{BundleOptions, Manifest, PrivateKey, PublicKey, Session};
use hardtack_cloud::Client;
use hardtack_disk::BlockSource;

use crate::error::pending;
use crate::journal::Journal;
use crate::{Error, Teller};

/// Where a bundle goes.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The bucket.
    pub bucket: String,
    /// The path before the files' names, without slashes at its ends; may be empty.
    pub path: String,
    /// The canned ACL of all objects.
    pub acl: String,
    /// Where a bucket that is not there is made; `None`: the client's region.
    pub location: Option<String>,
    /// Parts that are sent at the same time.
    pub parallel: usize,
}

impl Destination {
    /// Of `BUCKET` or `BUCKET/PATH`.
    ///
    /// # Errors
    /// It is no bucket's name.
    pub fn parse(text: &str, acl: &str) -> Result<Self, Error> {
        let _ = (text, acl);
        pending()
    }

    /// The key of a file.
    pub fn key(&self, file: &str) -> String {
        if self.path.is_empty() { file.to_owned() } else { format!("{}/{file}", self.path) }
    }
}

/// What a bundle's manifest says besides its parts.
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
}

/// A bundle that is in its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// `BUCKET/PATH/NAME.manifest.xml`, as `RegisterImage` wants it.
    pub location: String,
    /// Parts.
    pub parts: usize,
    /// Parts that were there already.
    pub skipped: usize,
    /// Bytes of all parts.
    pub bundled_size: u64,
    /// Bytes of the disk.
    pub size: u64,
}

/// Bundles `disk` and sends parts while later ones are still being packed; nothing is written on this machine.
/// `options.directory` is not used. The session's key is kept in the journal until the run ends, so that a run that
/// goes on makes the same parts, and those that are there with the right digest are not sent again.
pub fn upload_disk(
    client: &Client,
    disk: &dyn BlockSource,
    options: &BundleOptions<'_>,
    identity: &Identity<'_>,
    given: Option<Session>,
    destination: &Destination,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Uploaded, Error> {
    let _ = (client, disk, options, identity, given, destination, journal, tell);
    pending()
}

/// What of a bundle's files is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct UploadOptions {
    /// Not the manifest.
    pub skip_manifest: bool,
    /// From this part on.
    pub first_part: usize,
}

/// Sends the files of the bundle of `manifest`; parts lie in `directory`. Each is compared with its digest first.
pub fn upload_files(
    client: &Client,
    manifest: &Path,
    directory: &Path,
    options: UploadOptions,
    destination: &Destination,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Uploaded, Error> {
    let _ = (client, manifest, directory, options, destination, journal, tell);
    pending()
}
