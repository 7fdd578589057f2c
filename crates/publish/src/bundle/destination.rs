//! Where a bundle goes.

use hardtack_cloud::s3::check_bucket_name;
use hardtack_cloud::{Client, Kind};

use crate::Error;

/// Canned ACLs: S3's, and `ec2-bundle-read` of Eucalyptus.
pub const ACLS: &[&str] = &[
    "aws-exec-read",
    "ec2-bundle-read",
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// Bytes of a key. Names of parts have at most 110 of them.
const LONGEST_PATH: usize = 1024 - 128;
/// Parts that are sent at the same time, unless told otherwise.
const PARALLEL: usize = 3;

/// Where a bundle goes.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Of `BUCKET` or `BUCKET/PATH`, with `s3://` before it or not.
    ///
    /// # Errors
    /// It is no bucket's name, no path, or no ACL.
    pub fn parse(text: &str, acl: &str) -> Result<Self, Error> {
        let fail = |what: &str| Err(Error::Usage(format!("{text:?} is no BUCKET or BUCKET/PATH: {what}")));
        let plain = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, path) = plain.split_once('/').unwrap_or((plain, ""));
        // AWS takes 3 to 63 lower-case letters, digits, dots and hyphens; Eucalyptus' older rules are wider.
        let of_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
        if !(3..=255).contains(&bucket.len()) || !bucket.chars().all(of_name) {
            return fail("a bucket's name is 3 to 63 lower-case letters, digits, dots and hyphens");
        }
        if !bucket.starts_with(|char: char| char.is_ascii_alphanumeric()) || bucket.contains("..") {
            return fail("a bucket's name begins with a letter or a digit, and has no two dots in a row");
        }
        let path = path.trim_matches('/');
        if path.len() > LONGEST_PATH {
            return fail(&format!("the path has more than {LONGEST_PATH} bytes"));
        }
        if path.chars().any(char::is_control) {
            return fail("a control character is in it");
        }
        if !path.is_empty() && path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return fail("`//`, `.` and `..` in a path are lost on the way");
        }
        if !ACLS.contains(&acl) {
            return Err(Error::Usage(format!("{acl:?} is no canned ACL; there are {}", ACLS.join(", "))));
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            path: path.to_owned(),
            acl: acl.to_owned(),
            location: None,
            parallel: PARALLEL,
        })
    }

    /// The key of a file.
    pub fn key(&self, file: &str) -> String {
        if self.path.is_empty() { file.to_owned() } else { format!("{}/{file}", self.path) }
    }

    /// Bucket and key of a file, as `RegisterImage` and people want them.
    pub fn object(&self, file: &str) -> String {
        format!("{}/{}", self.bucket, self.key(file))
    }

    /// What is wrong with the bucket's name where `kind` is stricter than [`parse`](Self::parse).
    pub(crate) fn unfit(&self, kind: Kind) -> Option<String> {
        check_bucket_name(kind, &self.bucket).err().map(|error| error.to_string())
    }

    /// The client of the bucket's region: on AWS a location is a region.
    pub(crate) fn client(&self, client: &Client) -> Client {
        match &self.location {
            Some(location) if client.place().kind == Kind::Aws && *location != client.place().region => {
                client.in_region(location)
            }
            _ => client.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn buckets_with_and_without_paths() {
        for (text, bucket, path) in [
            ("images", "images", ""),
            ("images/", "images", ""),
            ("images/a/b", "images", "a/b"),
            ("s3://images/a b/ü/", "images", "a b/ü"),
            ("My_Bucket", "My_Bucket", ""),
        ] {
            let destination = Destination::parse(text, "aws-exec-read").unwrap();
            assert_eq!((&*destination.bucket, &*destination.path), (bucket, path), "{text}");
        }
        let destination = Destination::parse("images/a", "private").unwrap();
        assert_eq!(destination.key("x.part.00"), "a/x.part.00");
        assert_eq!(destination.object("x.part.00"), "images/a/x.part.00");
        assert_eq!(Destination::parse("images", "private").unwrap().object("x"), "images/x");
        assert!(destination.unfit(Kind::Aws).is_none());
        let loose = Destination::parse("My_Bucket", "private").unwrap();
        assert!(loose.unfit(Kind::Aws).is_some() && loose.unfit(Kind::Euca).is_none());
    }

    #[test]
    fn what_is_no_bucket_path_or_acl_is_refused() {
        let long = format!("images/{}", "x".repeat(1000));
        for text in ["", "ab", "/images", "s3://", "-images", "a..b", "im ages", "images//a/b//c", &long] {
            assert!(Destination::parse(text, "private").is_err(), "{text}");
        }
        for text in ["images/../a", "images/a/./b", "images/a\nb", "http://images"] {
            assert!(Destination::parse(text, "private").is_err(), "{text}");
        }
        let error = Destination::parse("images", "aws-exec").unwrap_err().to_string();
        assert!(error.contains("aws-exec-read"), "{error}");
    }
}
