//! Objects, and the bucket that was made for them, if nothing else is in it.

use hardtack_cloud::s3::{self, Bucket};

use super::{Fate, Task};
use crate::Error;
use crate::bundle::JOURNAL;

impl Task<'_, '_> {
    /// Deletes it if its metadata say that it is of this journal: a run may have ended before it sent it, and somebody
    /// may have written over it since. `made`: the run knows that it has sent it.
    pub(super) fn object(&self, bucket: &str, key: &str, made: bool) -> Result<Fate, Error> {
        let object = format!("{bucket}/{key}");
        match s3::head_object(self.client, bucket, key) {
            Ok(None) => return Ok(Fate::Gone(format!("object {object}"))),
            Ok(Some(head)) => {
                let of = head.metadata.iter().find(|(name, _)| name == JOURNAL);
                if of.is_none_or(|(_, id)| *id != self.journal.id()) {
                    return Ok(Fate::Left(format!("object {object}: it is not of this journal")));
                }
            }
            // Keys that may write and delete, and not read.
            Err(error) if made && error.status() == Some(403) => {}
            Err(source) => return Err(Error::Object { object, what: "look whose it is", source }),
        }
        match s3::delete_object(self.client, bucket, key) {
            Ok(()) => Ok(Fate::Removed(format!("object {object}"))),
            // The bucket is gone, and everything with it.
            Err(error) if error.is("NoSuchBucket") => Ok(Fate::Gone(format!("object {object}"))),
            Err(source) => Err(Error::Object { object, what: "delete it", source }),
        }
    }

    pub(super) fn bucket(&mut self, name: &str) -> Result<Fate, Error> {
        let text = format!("bucket {name}");
        match s3::head_bucket(self.client, name)? {
            Bucket::Missing => return Ok(Fate::Gone(text)),
            Bucket::Forbidden => return Ok(Fate::Left(format!("{text}: it is somebody else's"))),
            Bucket::Usable(_) => {}
        }
        loop {
            match s3::delete_bucket(self.client, name) {
                Ok(()) => return Ok(Fate::Removed(text)),
                Err(error) if error.is("BucketNotEmpty") => {
                    let others = s3::list_objects(self.client, name, "")?.len();
                    if others > 0 {
                        let objects = if others == 1 { "an object" } else { "objects" };
                        return Ok(Fate::Left(format!("{text}: {objects} of others in it ({others})")));
                    }
                    // It may not yet know that the last one is gone.
                    if !self.fresh.again() {
                        return Err(Error::Object { object: text, what: "delete it", source: error });
                    }
                }
                Err(source) => return Err(Error::Object { object: text, what: "delete it", source }),
            }
        }
    }
}
