//! Buckets and objects, in a real S3.

use hardtack_cloud::s3::{self, Bucket, Ownership, PutOptions};
use hardtack_fake_cloud::{BucketOwnership, Cloud, Fault, FaultKind, Service};

use crate::places::{client, other};

fn options(sha1: &str) -> PutOptions {
    PutOptions {
        acl: Some("aws-exec-read".to_owned()),
        metadata: vec![("hardtack-sha1".to_owned(), sha1.to_owned())],
        content_type: None,
        ..PutOptions::default()
    }
}

#[test]
fn a_bundle_comes_and_goes() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    assert_eq!(s3::head_bucket(&client, "images").unwrap(), Bucket::Missing);
    s3::create_bucket(&client, "images", None, true).unwrap();
    s3::create_bucket(&client, "images", None, true).unwrap();
    assert!(matches!(s3::head_bucket(&client, "images").unwrap(), Bucket::Usable(_)));
    assert_eq!(s3::ownership(&client, "images").unwrap(), Ownership::Acls);

    // Names with everything that a path, a query or XML could stumble over.
    let keys = ["a b/i.part.0", "a b/i.part.1", "a b/ü+%25&<?#=.xml", "a b/x/y"];
    for key in keys {
        let tag = s3::put_object(&client, "images", key, key.as_bytes(), &options("d0")).unwrap();
        assert!(!tag.is_empty());
        assert_eq!(cloud.object("images", key).unwrap(), key.as_bytes());
        assert_eq!(cloud.acl("images", key).as_deref(), Some("aws-exec-read"));
        let head = s3::head_object(&client, "images", key).unwrap().unwrap();
        assert_eq!((head.size, head.etag), (key.len() as u64, tag));
        assert!(
            head.metadata.contains(&("hardtack-sha1".to_owned(), "d0".to_owned())),
            "{:?}",
            head.metadata
        );
        assert_eq!(s3::get_object(&client, "images", key, 100).unwrap().unwrap(), key.as_bytes());
    }
    assert!(s3::get_object(&client, "images", keys[0], 3).is_err());
    let mut listed = s3::list_objects(&client, "images", "a b/").unwrap();
    listed.sort();
    let mut expected = keys.map(|key| (key.to_owned(), key.len() as u64));
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(s3::list_objects(&client, "images", "a b/i.part.").unwrap().len(), 2);
    assert!(s3::list_objects(&client, "images", "c").unwrap().is_empty());

    assert!(s3::delete_bucket(&client, "images").is_err(), "it is not empty");
    for key in keys {
        s3::delete_object(&client, "images", key).unwrap();
        s3::delete_object(&client, "images", key).unwrap();
        assert_eq!(s3::head_object(&client, "images", key).unwrap(), None);
        assert_eq!(s3::get_object(&client, "images", key, 1).unwrap(), None);
    }
    s3::delete_bucket(&client, "images").unwrap();
    s3::delete_bucket(&client, "images").unwrap();
    assert!(cloud.leftovers().is_empty(), "{:?}", cloud.leftovers());
}

#[test]
fn whose_bucket_it_is_and_whether_it_takes_acls() {
    let cloud = Cloud::start();
    cloud.make_bucket("enforced", BucketOwnership::Enforced);
    cloud.make_bucket("unset", BucketOwnership::Unset);
    let client = client(&cloud);
    assert_eq!(s3::ownership(&client, "enforced").unwrap(), Ownership::Enforced);
    assert_eq!(s3::ownership(&client, "unset").unwrap(), Ownership::Acls);
    let error = s3::put_object(&client, "enforced", "k", b"x", &options("d0")).unwrap_err();
    assert!(error.is("AccessControlListNotSupported"), "{error}");
    assert_eq!(s3::head_bucket(&other(&cloud), "unset").unwrap(), Bucket::Forbidden);
    let error = s3::create_bucket(&other(&cloud), "unset", None, true).unwrap_err();
    assert!(error.is("BucketAlreadyExists"), "{error}");
}

#[test]
fn a_bucket_of_another_region_is_told_with_its_region() {
    let cloud = Cloud::start();
    cloud.make_bucket_of("far", BucketOwnership::Writer, 0, "ap-south-1", false);
    let error = s3::head_bucket(&client(&cloud), "far").unwrap_err().to_string();
    assert!(error.contains("ap-south-1"), "{error}");
    let near = client(&cloud).in_region("ap-south-1");
    assert!(matches!(s3::head_bucket(&near, "far").unwrap(), Bucket::Usable(_)));
    s3::create_bucket(&client(&cloud).in_region("eu-west-1"), "there", None, true).unwrap();
    assert!(matches!(
        s3::head_bucket(&client(&cloud).in_region("eu-west-1"), "there").unwrap(),
        Bucket::Usable(_)
    ));
}

#[test]
fn what_passes_is_tried_again_and_nothing_is_stored_twice() {
    let cloud = Cloud::start();
    cloud.make_bucket("images", BucketOwnership::Writer);
    let client = client(&cloud);
    for kind in
        [FaultKind::Status(503), FaultKind::Status(500), FaultKind::Reset, FaultKind::CloseAfterRequest]
    {
        cloud.inject(Fault::new(Service::S3, "PutObject", kind));
        s3::put_object(&client, "images", "k", b"hello", &options("d0")).unwrap();
    }
    assert_eq!(cloud.keys("images"), ["k"]);
    cloud.clear_log();
    cloud.inject(Fault::new(Service::S3, "PutObject", FaultKind::Status(403)));
    assert!(s3::put_object(&client, "images", "k", b"hello", &options("d0")).is_err());
    assert_eq!(cloud.log().len(), 1, "{:?}", cloud.log());
}
