//! The object storage of a cloud.

use hardtack_cloud::Client;
use hardtack_cloud::s3::{self, Look};

use super::{Answer, Bucket, Page, World, is_plain};
use crate::Error;

/// A cloud's.
#[derive(Clone, Debug)]
pub struct Cloud {
    client: Client,
}

impl Cloud {
    /// That of `client`.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    fn there(&self, region: Option<&str>) -> Client {
        region.map_or_else(|| self.client.clone(), |region| self.client.in_region(region))
    }
}

impl World for Cloud {
    fn buckets(&self) -> Result<Vec<(String, Option<String>)>, Error> {
        let all = s3::list_buckets(&self.client)?;
        Ok(all.into_iter().map(|bucket| (bucket.name, bucket.region)).collect())
    }

    fn region(&self, bucket: &str) -> Result<Option<String>, Error> {
        s3::bucket_location(&self.client, bucket)
    }

    fn page(&self, bucket: &Bucket, marker: Option<&str>, signed: bool) -> Result<Page, Error> {
        let client = self.there(bucket.region.as_deref());
        let listing = if signed {
            s3::list_page(&client, &bucket.name, "", marker)?
        } else {
            let look = s3::look_at_bucket(&client, &bucket.name, "", marker)?;
            look.listing.ok_or_else(|| {
                Error::State(format!(
                    "the next page is answered by status {} without credentials",
                    look.status
                ))
            })?
        };
        let next = listing.keys.last().filter(|_| listing.more).map(|(key, _)| key.clone());
        Ok(Page { objects: listing.keys, next })
    }

    fn listing(&self, bucket: &str, region: Option<&str>) -> Result<Answer, Error> {
        s3::look_at_bucket(&self.there(region), bucket, "", None).map(answer)
    }

    fn object(&self, bucket: &str, region: Option<&str>, key: &str) -> Result<Answer, Error> {
        let client = self.there(region);
        let head = s3::look_at_head(&client, bucket, key)?;
        if is_plain(head.status) || (300..400).contains(&head.status) {
            return Ok(answer(head));
        }
        let first = s3::look_at_object(&client, bucket, key)?;
        // An empty object has no first byte, and says so to those who may read it.
        let status = if first.readable() && first.status == 416 { 200 } else { first.status };
        Ok(Answer { status, ..answer(first) })
    }
}

fn answer(look: Look) -> Answer {
    Answer { status: look.status, region: look.region }
}
