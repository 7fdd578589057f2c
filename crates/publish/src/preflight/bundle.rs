//! Before a bundle is sent and registered.
//!
//! Facts: a bucket whose owner is enforced takes no ACLs (S3, "object ownership"; the default since 2023), and it is by
//! the ACL `aws-exec-read` that EC2 reads a bundle. Eucalyptus compares the manifest's account with the caller's, and
//! takes images of `images.max_image_size_gb`, 30 unless its administrator says otherwise; EC2 takes 10 GiB.

use crate::GIB;
use hardtack_bundle::{LARGEST_MANIFEST, PART_SIZE};
use hardtack_cloud::s3::{self, Bucket, Ownership};
use hardtack_cloud::sts::caller_identity;
use hardtack_cloud::{Client, Error as Cloud, Kind, Service};

use super::snapshot::{clash, spelling};
use super::{Check, Outcome};
use crate::Error;
use crate::bundle::Destination;
use crate::image::Existing;
use crate::journal::{Journal, Resource};
use crate::refusal::denied;

/// GiB of a bundled image on AWS.
const LARGEST_AWS: u64 = 10;
/// GiB of a bundled image on Eucalyptus, unless its administrator says otherwise.
const LARGEST_EUCA: u64 = 30;
/// Bytes of a manifest for each part: `<part index="100"><filename>…` with a short name.
const PART_TEXT: u64 = 160;

/// Before a bundle is sent and registered. `account` is the manifest's, which Eucalyptus compares with the caller's;
/// `size` are bytes of the disk. `name` is `None` where no image is registered, or where the journal says that this
/// run's image has the name already.
pub fn bundle(
    client: &Client,
    destination: &Destination,
    name: Option<(&str, Existing)>,
    account: &str,
    size: u64,
) -> Result<Vec<Check>, Error> {
    let kind = client.place().kind;
    let mut checks = caller(client, account);
    let goes_on = checks.iter().all(|check| check.subject != "credentials" || check.outcome != Outcome::Bad);
    checks.push(length(kind, size));
    if let Some((name, _)) = name {
        checks.extend(spelling(name));
    }
    if let Some(what) = destination.unfit(kind) {
        checks.push(Check::bad("bucket", what));
    } else if goes_on {
        checks.extend(bucket(&destination.client(client), destination));
    }
    if let Some((name, existing)) = name.filter(|_| goes_on) {
        checks.push(clash(client, name, existing));
    }
    Ok(checks)
}

/// Whether the manifest of the bundle `prefix` has a place of its own: one that is there, and that this journal did
/// not make, is never replaced, because an image that is registered with it would no longer start.
pub fn manifest(
    client: &Client,
    destination: &Destination,
    prefix: &str,
    journal: Option<&Journal>,
) -> Check {
    const SUBJECT: &str = "manifest";
    let client = destination.client(client);
    let file = format!("{prefix}.manifest.xml");
    let (key, object) = (destination.key(&file), destination.object(&file));
    let resource = Resource::Object { bucket: destination.bucket.clone(), key: key.clone() };
    if journal.is_some_and(|journal| journal.find(&client.place().region, &resource).is_some()) {
        return Check::good(SUBJECT, format!("{object} is of an earlier run with this journal"));
    }
    match s3::head_object(&client, &destination.bucket, &key) {
        Ok(None) => Check::good(SUBJECT, format!("{object} is free")),
        Ok(Some(_)) => Check::bad(
            SUBJECT,
            format!(
                "{object} is there already, and an image that is registered with it would no longer start: give \
                 another name or path, or delete that bundle first"
            ),
        ),
        Err(error) => Check::unknown(SUBJECT, &format!("whether {object} is there"), &error.into()),
    }
}

/// Credentials, and whose account they are of.
fn caller(client: &Client, account: &str) -> Vec<Check> {
    const SUBJECT: &str = "credentials";
    let digits = |text: &str| text.chars().filter(|char| *char != '-').collect::<String>();
    let origin = match client.provider().get() {
        Ok(credentials) => credentials.origin,
        Err(error) => return vec![Check::bad(SUBJECT, error.to_string())],
    };
    let unknown = |error: &dyn std::fmt::Display| {
        vec![Check::doubtful(SUBJECT, format!("whose the keys from {origin} are cannot be known: {error}"))]
    };
    // eucarc may tell of EC2 and S3 only.
    if let Err(error) = client.place().endpoint(Service::Sts) {
        return unknown(&error);
    }
    match caller_identity(client) {
        Ok(identity) => {
            let text = format!("account {} as {}, from {origin}", identity.account, identity.arn);
            let mut checks = vec![Check::good(SUBJECT, text)];
            if digits(account) != identity.account {
                checks.push(Check::bad(
                    "account",
                    format!(
                        "the manifest would be of account {account}, and the keys are of {}: give --user {}, or the \
                         other account's keys",
                        identity.account, identity.account
                    ),
                ));
            }
            checks
        }
        Err(error @ Cloud::Transport { .. }) => unknown(&error),
        // Old Eucalyptus knows no such call, and a policy may forbid it.
        Err(error)
            if denied(&error) || error.is("InvalidAction") || matches!(error.status(), Some(404 | 501)) =>
        {
            unknown(&error)
        }
        Err(error) => vec![Check::bad(SUBJECT, format!("the keys from {origin} are not taken: {error}"))],
    }
}

fn length(kind: Kind, size: u64) -> Check {
    const SUBJECT: &str = "size";
    let gib = size.div_ceil(GIB);
    let text = format!("{size} bytes, so {gib} GiB");
    match kind {
        _ if size == 0 => Check::bad(SUBJECT, "the disk has no bytes"),
        Kind::Aws if size > LARGEST_AWS * GIB => Check::bad(
            SUBJECT,
            format!(
                "{text}, and a bundle on AWS has at most {LARGEST_AWS}: make the disk smaller, or use --ebs"
            ),
        ),
        // Where nothing of it can be packed.
        _ if (size / PART_SIZE).saturating_mul(PART_TEXT) > LARGEST_MANIFEST => Check::doubtful(
            SUBJECT,
            format!(
                "{text}: its manifest may need more than the {} MiB that are accepted",
                LARGEST_MANIFEST >> 20
            ),
        ),
        Kind::Euca if size > LARGEST_EUCA * GIB => Check::doubtful(
            SUBJECT,
            format!(
                "{text}, and Eucalyptus takes {LARGEST_EUCA} unless its administrator allows more \
                 (images.max_image_size_gb)"
            ),
        ),
        _ => Check::good(SUBJECT, text),
    }
}

fn bucket(client: &Client, destination: &Destination) -> Vec<Check> {
    const SUBJECT: &str = "bucket";
    let (bucket, here) = (&destination.bucket, &client.place().region);
    let aws = client.place().kind == Kind::Aws;
    match s3::head_bucket(client, bucket) {
        Ok(Bucket::Missing) => {
            let place = destination.location.as_ref().unwrap_or(here);
            vec![Check::good(SUBJECT, format!("{bucket} is not there, and will be made in {place}"))]
        }
        Ok(Bucket::Forbidden) => vec![Check::bad(
            SUBJECT,
            format!(
                "{bucket} is somebody else's, or the keys may not list it (s3:ListBucket): choose another bucket, or \
                 ask its owner"
            ),
        )],
        Ok(Bucket::Usable(Some(there))) if aws && there != *here => vec![Check::bad(
            SUBJECT,
            format!(
                "{bucket} is in {there}, and images of {here} cannot be made of it: choose another, or --region {there}"
            ),
        )],
        Ok(Bucket::Usable(_)) => {
            let mut checks = vec![Check::good(SUBJECT, format!("{bucket} is there"))];
            checks.extend(acls(client, destination));
            checks
        }
        Err(Cloud::State(text)) => vec![Check::bad(SUBJECT, text)],
        Err(error) => vec![Check::unknown(SUBJECT, &format!("whether {bucket} can be used"), &error.into())],
    }
}

/// Whether objects can have the ACL that they are sent with.
fn acls(client: &Client, destination: &Destination) -> Option<Check> {
    const SUBJECT: &str = "acl";
    let (bucket, acl) = (&destination.bucket, &destination.acl);
    match s3::ownership(client, bucket) {
        // These two say nothing that the bucket does not say itself.
        _ if matches!(acl.as_str(), "private" | "bucket-owner-full-control") => None,
        Ok(Ownership::Enforced) => Some(Check::bad(
            SUBJECT,
            format!(
                "{bucket} takes no ACLs (its object ownership is BucketOwnerEnforced), and by {acl} the cloud reads \
                 the bundle: choose another bucket, or run `aws s3api put-bucket-ownership-controls --bucket {bucket} \
                 --ownership-controls 'Rules=[{{ObjectOwnership=ObjectWriter}}]'`"
            ),
        )),
        Ok(Ownership::Acls) => Some(Check::good(SUBJECT, format!("{bucket} takes ACLs"))),
        Ok(Ownership::Unknown) => {
            Some(Check::doubtful(SUBJECT, format!("whether {bucket} takes ACLs, it does not say")))
        }
        Err(error) => Some(Check::unknown(SUBJECT, &format!("whether {bucket} takes ACLs"), &error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_places_own() {
        for (kind, size, outcome) in [
            (Kind::Aws, 10 * GIB, Outcome::Good),
            (Kind::Aws, 10 * GIB + 1, Outcome::Bad),
            (Kind::Euca, 10 * GIB + 1, Outcome::Good),
            (Kind::Euca, 30 * GIB, Outcome::Good),
            (Kind::Euca, 30 * GIB + 512, Outcome::Doubtful),
            (Kind::Euca, u64::MAX, Outcome::Doubtful),
            (Kind::Euca, 0, Outcome::Bad),
        ] {
            assert_eq!(length(kind, size).outcome, outcome, "{kind:?} {size}");
        }
    }
}
