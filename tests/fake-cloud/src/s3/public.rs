//! What those may who have no right of their own ("Blocking public access", "ACL overview", S3 user guide).

use crate::cloud::Shared;
use crate::route::{Route, bucket_and_key};
use crate::world::Bucket;

/// The region that a request without a signature is for: its bucket's.
pub(crate) fn region(shared: &Shared, path: &str) -> String {
    let (bucket, _) = bucket_and_key(path);
    let world = shared.world();
    world.buckets.get(&bucket).map_or_else(|| shared.options.region.clone(), |bucket| bucket.region.clone())
}

/// Whether everybody may do this, by an ACL or a policy. An object that is not there is denied to those who may not
/// list.
pub(super) fn allows(shared: &Shared, route: &Route, known: &Bucket, bucket: &str, key: &str) -> bool {
    if known.block_public {
        return false;
    }
    let by_acl = |acl: &str| {
        acl.starts_with("public-read") && known.ownership.as_deref() != Some("BucketOwnerEnforced")
    };
    let (read, list) = known.policy;
    let may_list = list || by_acl(&known.acl);
    match route.action.as_str() {
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => may_list,
        "GetObject" | "HeadObject" => {
            let there = shared.store.file(bucket, key).is_file();
            let world = shared.world();
            let acl = world.acls.get(&(bucket.to_owned(), key.to_owned()));
            if there { read || acl.is_some_and(|acl| by_acl(acl)) } else { may_list }
        }
        _ => false,
    }
}
