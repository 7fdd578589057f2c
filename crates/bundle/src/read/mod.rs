//! A bundle taken apart, or only looked at.
//!
//! Every part is compared with its digest before the first byte of it is decrypted; the image's size is
//! compared before the first byte of it is written, and the digest of the archive at the end. The caller
//! gives the image its name afterwards, so nothing that is damaged ever has one.

mod image;
mod parts;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use hardtack_disk::AtomicFile;

use crate::Error;
use crate::keys::{PrivateKey, PublicKey};
use crate::layout::{AES_BLOCK, LARGEST_MANIFEST};
use crate::manifest::{Manifest, Signature, signed_text};
use crate::session::Session;
use crate::write::Progress;

/// A manifest and where its parts are.
#[derive(Debug)]
pub struct Bundle {
    /// The manifest's file.
    pub path: PathBuf,
    /// Where the parts are.
    pub directory: PathBuf,
    /// The manifest.
    pub manifest: Manifest,
    text: String,
}

impl Bundle {
    /// Reads the manifest `path`; its parts lie beside it, unless `directory` is given.
    pub fn open(path: &Path, directory: Option<&Path>) -> Result<Self, Error> {
        let fail = |error| Error::io(path, "read the manifest", error);
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(fail)?;
        file.take(LARGEST_MANIFEST + 1).read_to_end(&mut bytes).map_err(fail)?;
        let manifest = Manifest::parse(&bytes, path)?;
        let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self {
            path: path.to_owned(),
            directory: directory.unwrap_or(beside).to_owned(),
            manifest,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// The session, opened with the user's key or the cloud's.
    pub fn session(&self, key: &PrivateKey) -> Option<Session> {
        key.open(&self.manifest.user_key).or_else(|| key.open(&self.manifest.cloud_key))
    }

    /// Whether the key is the user's whose certificate it was made for, and not only the cloud's.
    pub fn is_of_user(&self, key: &PrivateKey) -> bool {
        key.open(&self.manifest.user_key).is_some()
    }

    /// The signature, by the signer's certificate.
    pub fn signature(&self, public: Option<&PublicKey>) -> Verdict {
        match (&self.manifest.signature, public) {
            (Signature::Unsigned, _) => Verdict::Absent,
            (_, None) => Verdict::Unknown,
            (Signature::Bytes(bytes), Some(public)) => match signed_text(&self.text) {
                Some(text) if public.verifies(text.as_bytes(), bytes) => Verdict::Good,
                _ => Verdict::Bad,
            },
        }
    }

    /// Compares all parts with the manifest.
    fn compare(&self, progress: Progress<'_>) -> Vec<Error> {
        let manifest = &self.manifest;
        let results = parts::compare(&self.directory, &manifest.parts, manifest.bundled_size, progress);
        let (mut errors, mut total) = (Vec::new(), 0);
        for result in results {
            match result {
                Ok(length) => total += length,
                Err(error) => errors.push(error),
            }
        }
        let refuse = |what| Error::Manifest { path: self.path.clone(), what };
        if errors.is_empty() && total != manifest.bundled_size {
            let said = manifest.bundled_size;
            errors.push(refuse(format!("bundled_size is {said}, and the parts have {total} bytes")));
        }
        if manifest.bundled_size == 0 || !manifest.bundled_size.is_multiple_of(AES_BLOCK as u64) {
            let said = manifest.bundled_size;
            errors.push(refuse(format!("bundled_size is {said}, and AES makes multiples of {AES_BLOCK}")));
        }
        errors
    }
}

/// What came out of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbundled {
    /// Bytes of the image.
    pub size: u64,
    /// Bytes of it that are not holes.
    pub data: u64,
}

/// Writes the image of `bundle` to `out`, sparse; the caller commits it.
pub fn unbundle(
    bundle: &Bundle,
    session: &Session,
    out: &mut AtomicFile,
    progress: Progress<'_>,
) -> Result<Unbundled, Error> {
    if let Some(error) = bundle.compare(progress).into_iter().next() {
        return Err(error);
    }
    let data = image::read(bundle, session, Some(out), progress)?;
    Ok(Unbundled { size: bundle.manifest.size, data })
}

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// It could not be asked: a key or a certificate is missing.
    Unknown,
    /// There is nothing to ask about: an unsigned manifest.
    Absent,
}

impl Verdict {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
        }
    }
}

/// What a look at a bundle showed.
#[derive(Debug)]
pub struct Check {
    /// The signature.
    pub signature: Verdict,
    /// All parts against their digests, and the sum of their sizes.
    pub parts: Verdict,
    /// Whether the private key opens the bundle.
    pub key: Verdict,
    /// What is inside, unpacked without being written: size and digest.
    pub image: Verdict,
    /// Everything that is wrong.
    pub problems: Vec<Error>,
}

/// Looks at everything that can be looked at: the signature with `certificate` (or with `key`, which has
/// the same number in it), the inside with `session` or `key`.
pub fn check(
    bundle: &Bundle,
    certificate: Option<&PublicKey>,
    key: Option<&PrivateKey>,
    session: Option<&Session>,
    progress: Progress<'_>,
) -> Check {
    let refuse = |what: &str| Error::Manifest { path: bundle.path.clone(), what: what.to_owned() };
    let mut problems = Vec::new();
    let own = key.map(PrivateKey::public);
    let signature = bundle.signature(certificate.or(own.as_ref()));
    if signature == Verdict::Bad {
        problems.push(refuse(match signed_text(&bundle.text) {
            Some(_) => "the signature is not of this manifest and this certificate",
            None => "nothing in it can be cut out as the text that was signed",
        }));
    }
    let damaged = bundle.compare(progress);
    let parts = if damaged.is_empty() { Verdict::Good } else { Verdict::Bad };
    problems.extend(damaged);
    let opened = key.map(|key| bundle.session(key));
    let key = match &opened {
        None => Verdict::Unknown,
        Some(Some(_)) => Verdict::Good,
        Some(None) => {
            problems.push(refuse("the private key opens neither the user's key in it nor the cloud's"));
            Verdict::Bad
        }
    };
    let image = match session.or(opened.as_ref().and_then(Option::as_ref)) {
        Some(session) if parts == Verdict::Good => match image::read(bundle, session, None, progress) {
            Ok(_) => Verdict::Good,
            Err(error) => {
                problems.push(error);
                Verdict::Bad
            }
        },
        _ => Verdict::Unknown,
    };
    Check { signature, parts, key, image, problems }
}
