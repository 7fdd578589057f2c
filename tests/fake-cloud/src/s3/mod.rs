//! S3: `s3s-fs` does the work; what it has no notion of is added here: owners, regions and ownership of buckets, ACLs,
//! entity tags that are no MD5 (S3's API reference; "Controlling ownership of objects", S3 user guide).

mod public;
mod store;

pub(crate) use public::region;
pub(crate) use store::Store;

use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::refusal::{Answer, Refusal};
use crate::route::{Route, bucket_and_key};
use crate::world::Bucket;
use crate::xml::{self, Xml};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Canned ACLs of both clouds.
const ACLS: [&str; 9] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "ec2-bundle-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
];

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let (bucket, key) = bucket_and_key(&route.path);
    if route.action == "CreateBucket" {
        return create(shared, request, caller, &bucket);
    }
    if route.action == "ListBuckets" && caller.account.is_empty() {
        return Err(denied());
    }
    if route.action == "ListBuckets" {
        return Ok(list(shared, caller));
    }
    let known = shared.world().buckets.get(&bucket).cloned();
    let known =
        known.ok_or_else(|| Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist"))?;
    if !shared.euca() && known.region != caller.region {
        let text = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        return Err(Refusal::new(301, "PermanentRedirect", text).with("x-amz-bucket-region", &known.region));
    }
    if known.owner != caller.account && !public::allows(shared, route, &known, &bucket, &key) {
        let refusal = denied();
        let told =
            !shared.euca() && matches!(route.action.as_str(), "HeadBucket" | "ListObjects" | "ListObjectsV2");
        return Err(if told { refusal.with("x-amz-bucket-region", &known.region) } else { refusal });
    }
    let region = known.region.clone();
    let acl = acl(shared, request, &known)?;
    let answer = match route.action.as_str() {
        "HeadBucket" => {
            let response = Response::new(200, "application/xml", "");
            Ok(if shared.euca() { response } else { response.with("x-amz-bucket-region", known.region) })
        }
        "GetBucketLocation" => Ok(location(&known)),
        "GetBucketOwnershipControls" => ownership(shared, &known),
        "PutBucketOwnershipControls" => set_ownership(shared, request, &bucket),
        "GetObjectAcl" => object_acl(shared, &bucket, &key),
        "GetBucketAcl" => Ok(acl_of(&known.owner, &known.acl)),
        "PutBucketAcl" => {
            if let Some(bucket) = shared.world().buckets.get_mut(&bucket) {
                bucket.acl = acl.clone().unwrap_or_else(|| "private".to_owned());
            }
            Ok(Response::new(200, "application/xml", ""))
        }
        "PutObjectAcl" => {
            if let Some(acl) = acl.clone() {
                shared.world().acls.insert((bucket.clone(), key.clone()), acl);
            }
            Ok(Response::new(200, "application/xml", ""))
        }
        "DeleteBucket" if !shared.store.keys(&bucket).is_empty() => {
            Err(Refusal::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"))
        }
        _ => shared.store.call(shared, route, request),
    };
    let mut response = answer?;
    if !shared.euca() && matches!(route.action.as_str(), "ListObjects" | "ListObjectsV2") {
        response = response.with("x-amz-bucket-region", region);
    }
    if response.status < 300 {
        let mut world = shared.world();
        match route.action.as_str() {
            "DeleteBucket" => drop(world.buckets.remove(&bucket)),
            "PutObject" | "CreateMultipartUpload" => {
                let acl = acl.unwrap_or_else(|| "private".to_owned());
                world.acls.insert((bucket.clone(), key.clone()), acl);
            }
            "DeleteObject" => {
                world.acls.remove(&(bucket.clone(), key.clone()));
                drop(world);
                shared.store.tidy(&bucket, &key);
            }
            _ => {}
        }
    }
    if known.kms {
        for (name, value) in &mut response.headers {
            if name == "etag" {
                *value = format!("\"{}\"", value.trim_matches('"').chars().rev().collect::<String>());
            }
        }
    }
    Ok(response)
}

/// The canned ACL that comes with a request, if the bucket takes it.
fn acl(shared: &Shared, request: &Request, bucket: &Bucket) -> Result<Option<String>, Refusal> {
    let grants = request.headers.iter().any(|(name, _)| name.starts_with("x-amz-grant-"));
    let acl = request.header("x-amz-acl");
    if !grants && acl.is_none() {
        return Ok(None);
    }
    let enforced = bucket.ownership.as_deref() == Some("BucketOwnerEnforced");
    if enforced && acl != Some("bucket-owner-full-control") {
        return Err(Refusal::bad("AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    if let Some(acl) = acl {
        let known = ACLS.contains(&acl) && (shared.euca() || acl != "ec2-bundle-read");
        if !known {
            return Err(Refusal::bad("InvalidArgument", format!("x-amz-acl {acl}")));
        }
        if bucket.block_public && acl.starts_with("public-") {
            return Err(Refusal::new(403, "AccessDenied", "Access Denied: public ACLs are blocked"));
        }
    }
    Ok(acl.map(str::to_owned))
}

fn create(shared: &Shared, request: &Request, caller: &Caller, bucket: &str) -> Answer {
    let good = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
        && bucket.starts_with(|first: char| first.is_ascii_alphanumeric())
        && bucket.ends_with(|last: char| last.is_ascii_alphanumeric());
    if !good {
        return Err(Refusal::bad("InvalidBucketName", "The specified bucket is not valid."));
    }
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let constraint = xml::find(&body, "LocationConstraint").unwrap_or_default();
    let expected = if caller.region == "us-east-1" { "" } else { caller.region.as_str() };
    if !shared.euca() && constraint != expected {
        let text = format!(
            "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
            if constraint.is_empty() { "unspecified" } else { constraint }
        );
        let code = if constraint == "us-east-1" {
            "InvalidLocationConstraint"
        } else {
            "IllegalLocationConstraintException"
        };
        return Err(Refusal::bad(code, text));
    }
    if let Some(have) = shared.world().buckets.get(bucket) {
        if have.owner != caller.account {
            return Err(Refusal::new(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available.",
            ));
        }
        if shared.euca() || caller.region != "us-east-1" {
            let text = "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(Refusal::new(409, "BucketAlreadyOwnedByYou", text));
        }
        return Ok(Response::new(200, "application/xml", "").with("location", format!("/{bucket}")));
    }
    let ownership = match request.header("x-amz-object-ownership") {
        _ if shared.euca() => None,
        None => Some("BucketOwnerEnforced".to_owned()),
        Some(text @ ("BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter")) => {
            Some(text.to_owned())
        }
        Some(text) => {
            return Err(Refusal::bad("InvalidArgument", format!("Invalid x-amz-object-ownership {text}")));
        }
    };
    shared
        .store
        .make_bucket(bucket)
        .map_err(|error| Refusal::new(500, "InternalError", error.to_string()))?;
    let acl = request.header("x-amz-acl").unwrap_or("private");
    if !ACLS.contains(&acl) {
        return Err(Refusal::bad("InvalidArgument", format!("x-amz-acl {acl}")));
    }
    if acl != "private" && !shared.euca() {
        // New buckets block public access, and most take no ACLs.
        return Err(if ownership.as_deref() == Some("BucketOwnerEnforced") {
            let text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
            Refusal::bad("InvalidBucketAclWithObjectOwnership", text)
        } else {
            denied()
        });
    }
    let made = Bucket {
        owner: caller.account.clone(),
        region: caller.region.clone(),
        ownership,
        block_public: !shared.euca(),
        kms: false,
        acl: acl.to_owned(),
        policy: (false, false),
    };
    shared.world().buckets.insert(bucket.to_owned(), made);
    Ok(Response::new(200, "application/xml", "").with("location", format!("/{bucket}")))
}

fn list(shared: &Shared, caller: &Caller) -> Response {
    let mut xml = Xml::new("ListAllMyBucketsResult", Some(NAMESPACE));
    xml.nest("Owner", |xml| {
        xml.text("ID", &caller.account);
    });
    let world = shared.world();
    xml.nest("Buckets", |xml| {
        for (name, _) in world.buckets.iter().filter(|(_, bucket)| bucket.owner == caller.account) {
            xml.nest("Bucket", |xml| {
                xml.text("Name", name).text("CreationDate", "2026-01-01T00:00:00.000Z");
            });
        }
    });
    Response::new(200, "application/xml", xml.finish())
}

fn location(bucket: &Bucket) -> Response {
    let region = if bucket.region == "us-east-1" { "" } else { bucket.region.as_str() };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"{NAMESPACE}\">{region}\
         </LocationConstraint>"
    );
    Response::new(200, "application/xml", body)
}

fn ownership(shared: &Shared, bucket: &Bucket) -> Answer {
    if shared.euca() {
        let text = "A header you provided implies functionality that is not implemented";
        return Err(Refusal::new(501, "NotImplemented", text));
    }
    let Some(ownership) = &bucket.ownership else {
        let text = "The bucket ownership controls were not found";
        return Err(Refusal::new(404, "OwnershipControlsNotFoundError", text));
    };
    let mut xml = Xml::new("OwnershipControls", Some(NAMESPACE));
    xml.nest("Rule", |xml| {
        xml.text("ObjectOwnership", ownership);
    });
    Ok(Response::new(200, "application/xml", xml.finish()))
}

fn set_ownership(shared: &Shared, request: &Request, bucket: &str) -> Answer {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let Some(ownership) = xml::find(&body, "ObjectOwnership").filter(|_| !shared.euca()) else {
        return Err(Refusal::bad("MalformedXML", "The XML you provided was not well-formed"));
    };
    if let Some(bucket) = shared.world().buckets.get_mut(bucket) {
        bucket.ownership = Some(ownership.to_owned());
    }
    Ok(Response::new(200, "application/xml", ""))
}

fn object_acl(shared: &Shared, bucket: &str, key: &str) -> Answer {
    let world = shared.world();
    let acl = world.acls.get(&(bucket.to_owned(), key.to_owned()));
    let acl = acl.ok_or_else(|| Refusal::new(404, "NoSuchKey", "The specified key does not exist."))?;
    let owner = world.buckets.get(bucket).map(|bucket| bucket.owner.clone()).unwrap_or_default();
    Ok(acl_of(&owner, acl))
}

/// What a canned ACL stands for.
fn acl_of(owner: &str, acl: &str) -> Response {
    let mut xml = Xml::new("AccessControlPolicy", Some(NAMESPACE));
    xml.nest("Owner", |xml| {
        xml.text("ID", owner);
    });
    xml.nest("AccessControlList", |xml| {
        let mut grant = |id: &str, permission: &str| {
            xml.nest("Grant", |xml| {
                xml.nest("Grantee", |xml| {
                    xml.text(if id.starts_with("http:") { "URI" } else { "ID" }, id);
                });
                xml.text("Permission", permission);
            });
        };
        grant(owner, "FULL_CONTROL");
        if acl.starts_with("public-read") {
            grant("http://acs.amazonaws.com/groups/global/AllUsers", "READ");
        }
        if acl == "aws-exec-read" {
            grant("6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c", "READ");
        }
    });
    Response::new(200, "application/xml", xml.finish())
}

fn denied() -> Refusal {
    Refusal::new(403, "AccessDenied", "Access Denied")
}
