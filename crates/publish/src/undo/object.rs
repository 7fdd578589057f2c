//! Objects, and the bucket that was made for them, if nothing else is in it.

use hardtack_cloud::s3::{self, Bucket};

use super::{Fate, Task};
use crate::Error;

impl Task<'_, '_> {
    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Fate, Error> {
        let object = format!("{bucket}/{key}");
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
