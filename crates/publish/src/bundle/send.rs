//! Objects of one bundle, each written down, sent, and not sent twice.

use std::collections::HashMap;

use hardtack_bundle::{Digest, LARGEST_MANIFEST, hex};
use hardtack_cloud::s3::{self, Bucket, Head, PutOptions};
use hardtack_cloud::{Client, Kind};
use md5::Digest as _;
use md5::Md5;
use sha1::Sha1;

use super::{Destination, JOURNAL, SHA1};
use crate::journal::{Journal, Resource};
use crate::{Error, Teller};

/// Sends objects to a destination.
pub(super) struct Sender<'a> {
    client: Client,
    destination: &'a Destination,
    journal: &'a Journal,
    /// Objects that are there, with their bytes; `None`: it is not known, and each is asked for.
    there: Option<HashMap<String, u64>>,
    /// A manifest that is there and not of this journal.
    foreign: Option<Vec<u8>>,
}

/// What an object is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Part,
    Manifest,
}

impl<'a> Sender<'a> {
    /// Makes the bucket where it is missing, and looks at what is in it: at objects of `name` only where some of them
    /// may be the right ones (`look`).
    pub(super) fn new(
        client: &Client,
        destination: &'a Destination,
        journal: &'a Journal,
        name: &str,
        look: bool,
        tell: &dyn Teller,
    ) -> Result<Self, Error> {
        let client = destination.client(client);
        let mut sender = Self { client, destination, journal, there: Some(HashMap::new()), foreign: None };
        if sender.make_bucket(tell)? {
            return Ok(sender);
        }
        sender.foreign = sender.find_foreign(&format!("{name}.manifest.xml"))?;
        if look || sender.foreign.is_some() {
            let prefix = destination.key(&format!("{name}."));
            sender.there = match s3::list_objects(&sender.client, &destination.bucket, &prefix) {
                Ok(objects) => Some(objects.into_iter().collect()),
                // Keys that may write and not list.
                Err(error) if error.status() == Some(403) => None,
                Err(error) => {
                    let object = destination.bucket.clone();
                    return Err(Error::Object { object, what: "list what is in it", source: error });
                }
            };
        }
        Ok(sender)
    }

    /// Makes the bucket unless it is there; true when nothing can be in it.
    fn make_bucket(&self, tell: &dyn Teller) -> Result<bool, Error> {
        let bucket = &self.destination.bucket;
        let resource = Resource::Bucket { name: bucket.clone() };
        let fail = |what| move |source| Error::Object { object: bucket.clone(), what, source };
        if let Some(what) = self.destination.unfit(self.client.place().kind) {
            return Err(Error::Usage(what));
        }
        let region = self.region();
        match s3::head_bucket(&self.client, bucket).map_err(fail("look at the bucket"))? {
            Bucket::Forbidden => Err(Error::Refused(format!(
                "{bucket}: this bucket is somebody else's, or your keys may not list it (s3:ListBucket); choose another"
            ))),
            Bucket::Usable(_) => {
                // It was made by a run that was killed before the answer came.
                if let Some(standing) = self.journal.find(region, &resource)
                    && standing.id.is_none()
                {
                    self.journal.made(standing.ticket, bucket)?;
                }
                Ok(false)
            }
            Bucket::Missing => {
                let intent = self.journal.intent(region, &resource)?;
                let acls = self.client.place().kind == Kind::Aws && self.destination.acl != "private";
                let location = self.destination.location.as_deref();
                // Sent again where the answer was lost: one that is ours already is no error.
                let made = s3::create_bucket(&self.client, bucket, location, acls);
                intent.settle(made).map_err(fail("make the bucket"))?;
                self.journal.made(intent.ticket, bucket)?;
                tell.note(&format!("made the bucket {bucket}"));
                Ok(true)
            }
        }
    }

    /// The text of the manifest that is there, unless it is of this journal.
    fn find_foreign(&self, manifest: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.is_ours(manifest) || self.head(manifest)?.is_none() {
            return Ok(None);
        }
        let (bucket, key) = (&self.destination.bucket, self.destination.key(manifest));
        let limit = usize::try_from(LARGEST_MANIFEST).unwrap_or(usize::MAX);
        // One that cannot be read, or is longer than any manifest, is another one in any case.
        let text = s3::get_object(&self.client, bucket, &key, limit).ok().flatten();
        Ok(Some(text.unwrap_or_default()))
    }

    /// Refuses to go on where a manifest is there that is not ours, and other than `text`.
    pub(super) fn refuse_foreign(&self, manifest: &str, text: Option<&str>) -> Result<(), Error> {
        match &self.foreign {
            Some(there) if text.is_none_or(|text| text.as_bytes() != there) => Err(Error::Refused(format!(
                "{}: this manifest is there already, and not of this run; an image that is registered with it would \
                 no longer start: give another name or path, or delete that bundle first",
                self.destination.object(manifest)
            ))),
            _ => Ok(()),
        }
    }

    /// True when all of that is in the journal, and the manifest's object is the right one.
    pub(super) fn is_complete(&self, parts: &[String], manifest: &str, digest: &str) -> Result<bool, Error> {
        let made = |name: &str| self.standing(name).is_some_and(|standing| standing.id.is_some());
        if !made(manifest) || !parts.iter().all(|part| made(part)) {
            return Ok(false);
        }
        let Some(there) = &self.there else { return Ok(false) };
        if !parts.iter().all(|part| there.contains_key(&self.destination.key(part))) {
            return Ok(false);
        }
        let head = self.head(manifest)?;
        Ok(head.is_some_and(|head| recorded(&head).is_some_and(|found| found == digest)))
    }

    /// Sends an object unless it is there; true when it was.
    pub(super) fn put(&self, name: &str, bytes: &[u8], digest: &Digest, kept: Kept) -> Result<bool, Error> {
        let key = self.destination.key(name);
        let ours = self.standing(name);
        let asked = match &self.there {
            Some(there) => there.get(&key).is_some_and(|size| *size == bytes.len() as u64),
            None => true,
        };
        if asked && self.head(name)?.is_some_and(|head| is_same(&head, bytes, digest)) {
            if let Some(ours) = ours {
                self.journal.made(ours.ticket, "")?;
            }
            return Ok(true);
        }
        // It belongs to the bundle whose manifest is there: that one would be damaged.
        let others = self.foreign.is_some() && ours.is_none();
        if others && self.there.as_ref().is_none_or(|there| there.contains_key(&key)) {
            return Err(Error::Refused(format!(
                "{}: another bundle's object is there; give another name or path, or delete that bundle first",
                self.destination.object(name)
            )));
        }
        let bucket = self.destination.bucket.clone();
        let intent = self.journal.intent(self.region(), &Resource::Object { bucket, key: key.clone() })?;
        let options = PutOptions {
            acl: Some(self.destination.acl.clone()),
            metadata: vec![(SHA1.to_owned(), hex::encode(digest)), (JOURNAL.to_owned(), self.journal.id())],
            content_type: Some(
                match kept {
                    Kept::Part => "application/octet-stream",
                    Kept::Manifest => "application/xml",
                }
                .to_owned(),
            ),
            ..PutOptions::default()
        };
        let put = s3::put_object(&self.client, &self.destination.bucket, &key, bytes, &options);
        intent.settle(put).map_err(|source| Error::Object {
            object: self.destination.object(name),
            what: "send it",
            source,
        })?;
        self.journal.made(intent.ticket, "")?;
        Ok(false)
    }

    /// Sends the manifest; true when it was there.
    pub(super) fn put_manifest(&self, name: &str, text: &str) -> Result<bool, Error> {
        if text.len() as u64 > LARGEST_MANIFEST {
            return Err(Error::Refused(format!(
                "{name}: the manifest has {} bytes, and {LARGEST_MANIFEST} are the most; make larger parts",
                text.len()
            )));
        }
        self.refuse_foreign(name, Some(text))?;
        if self.foreign.is_some() {
            return Ok(true);
        }
        self.put(name, text.as_bytes(), &Sha1::digest(text).into(), Kept::Manifest)
    }

    fn head(&self, name: &str) -> Result<Option<Head>, Error> {
        match s3::head_object(&self.client, &self.destination.bucket, &self.destination.key(name)) {
            Ok(head) => Ok(head),
            // Keys that may not list get this for what is not there.
            Err(error) if error.status() == Some(403) => Ok(None),
            Err(source) => {
                Err(Error::Object { object: self.destination.object(name), what: "look at it", source })
            }
        }
    }

    fn standing(&self, name: &str) -> Option<crate::journal::Standing> {
        let (bucket, key) = (self.destination.bucket.clone(), self.destination.key(name));
        self.journal.find(self.region(), &Resource::Object { bucket, key })
    }

    fn is_ours(&self, name: &str) -> bool {
        self.standing(name).is_some()
    }

    fn region(&self) -> &str {
        &self.client.place().region
    }
}

/// The SHA-1 that an object says it has.
fn recorded(head: &Head) -> Option<&str> {
    head.metadata.iter().find(|(name, _)| name == SHA1).map(|(_, value)| value.as_str())
}

/// Whether an object is these bytes. Where other programs sent it, its tag can be its MD5.
fn is_same(head: &Head, bytes: &[u8], digest: &Digest) -> bool {
    head.size == bytes.len() as u64
        && match recorded(head) {
            Some(found) => found.eq_ignore_ascii_case(&hex::encode(digest)),
            None => head.etag.eq_ignore_ascii_case(&hex::encode(&Md5::digest(bytes))),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_the_right_one_by_its_sha1_or_without_it_by_its_md5() {
        let digest: Digest = Sha1::digest(b"part").into();
        let head = |size, etag: &str, sha1: Option<&str>| Head {
            size,
            etag: etag.to_owned(),
            metadata: sha1.map(|sha1| (SHA1.to_owned(), sha1.to_owned())).into_iter().collect(),
        };
        let (sha1, md5) = (hex::encode(&digest), hex::encode(&Md5::digest(b"part")));
        let noise = "0123456789abcdef0123456789abcdef";
        assert!(is_same(&head(4, noise, Some(&sha1)), b"part", &digest));
        assert!(is_same(&head(4, &md5, None), b"part", &digest));
        assert!(!is_same(&head(5, &md5, Some(&sha1)), b"part", &digest));
        assert!(!is_same(&head(4, noise, None), b"part", &digest));
        assert!(!is_same(&head(4, &md5, Some(noise)), b"part", &digest), "what is recorded counts");
    }
}
