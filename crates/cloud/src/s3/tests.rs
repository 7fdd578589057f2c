use super::name::check_key;
use super::*;
use crate::served::{Given, Served, given, ok};
use crate::{Error, Kind};

fn aws(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Aws, answers)
}

fn euca(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Euca, answers)
}

fn no(status: u16, code: &str) -> Given {
    given(status, format!("<Error><Code>{code}</Code><Message>no</Message><RequestId>1</RequestId></Error>"))
}

#[test]
fn an_object_is_put_with_md5_acl_and_metadata() {
    let served = aws([given(200, "").with("etag", "\"5d41402abc4b2a76b9719d911017c592\"")]);
    let options = PutOptions {
        acl: Some("aws-exec-read".to_owned()),
        metadata: vec![("Hardtack-SHA1".to_owned(), "abc".to_owned())],
        content_type: None,
        ..PutOptions::default()
    };
    let tag = put_object(&served.client(), "images", "a b/ü+?.part.00", b"hello", &options).unwrap();
    assert_eq!(tag, "5d41402abc4b2a76b9719d911017c592");
    let sent = served.only();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("PUT", "/images/a%20b/%C3%BC%2B%3F.part.00"));
    assert_eq!(sent.body, b"hello");
    assert_eq!(sent.header("content-length"), "5");
    assert_eq!(sent.header("content-md5"), "XUFAKrxLKna5cZ2REBfFkg==");
    assert_eq!(sent.header("x-amz-acl"), "aws-exec-read");
    assert_eq!(sent.header("x-amz-meta-hardtack-sha1"), "abc");
    assert_eq!(
        sent.header("x-amz-content-sha256"),
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(sent.header("transfer-encoding"), "");
    for name in ["content-md5", "x-amz-acl", "x-amz-meta-hardtack-sha1"] {
        assert!(sent.header("authorization").contains(name), "{name} is not signed");
    }
}

#[test]
fn what_no_header_can_hold_is_not_sent() {
    let served = aws([]);
    let long = "x".repeat(2049);
    for (name, value) in
        [("a b", "c"), ("", "c"), ("a", "b\r\nx-amz-acl: public-read"), ("a", "ü"), ("a", &long)]
    {
        let options =
            PutOptions { metadata: vec![(name.to_owned(), value.to_owned())], ..PutOptions::default() };
        let error = put_object(&served.client(), "images", "k", b"", &options).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
    }
    assert!(served.sent().is_empty());
}

#[test]
fn an_answer_without_an_entity_tag_is_none() {
    let served = aws([given(200, "<html>welcome to the hotel</html>")]);
    let error = put_object(&served.client(), "images", "k", b"", &PutOptions::default()).unwrap_err();
    assert!(error.to_string().contains("PutObject") && error.to_string().contains("etag"), "{error}");
}

#[test]
fn an_object_is_looked_at() {
    let served = aws([given(200, "")
        .with("content-length", "10485760")
        .with("etag", "\"abc-2\"")
        .with("x-amz-meta-Hardtack-Sha1", "d0")]);
    let head = head_object(&served.client(), "images", "k").unwrap().unwrap();
    assert_eq!(head.size, 10_485_760);
    assert_eq!(head.etag, "abc-2");
    assert_eq!(head.metadata, [("hardtack-sha1".to_owned(), "d0".to_owned())]);
    assert_eq!(served.only().method, "HEAD");
}

#[test]
fn what_is_not_there_is_none_and_gone() {
    let served = aws([
        given(404, ""),
        no(404, "NoSuchKey"),
        no(404, "NoSuchKey"),
        no(404, "NoSuchBucket"),
        given(404, ""),
    ]);
    let client = served.client();
    assert_eq!(head_object(&client, "images", "k").unwrap(), None);
    assert_eq!(get_object(&client, "images", "k", 10).unwrap(), None);
    delete_object(&client, "images", "k").unwrap();
    delete_bucket(&client, "images").unwrap();
    assert_eq!(head_bucket(&client, "images").unwrap(), Bucket::Missing);
    let sent: Vec<String> =
        served.sent().iter().map(|sent| format!("{} {}", sent.method, sent.target)).collect();
    assert_eq!(
        sent,
        ["HEAD /images/k", "GET /images/k", "DELETE /images/k", "DELETE /images", "HEAD /images"]
    );
}

#[test]
fn no_right_is_not_gone() {
    let served = aws([given(403, ""), no(403, "AccessDenied"), no(403, "AccessDenied"), given(403, "")]);
    let client = served.client();
    assert_eq!(head_object(&client, "images", "k").unwrap_err().status(), Some(403));
    assert!(get_object(&client, "images", "k", 10).unwrap_err().is("AccessDenied"));
    assert!(delete_object(&client, "images", "k").unwrap_err().is("AccessDenied"));
    assert_eq!(head_bucket(&client, "images").unwrap(), Bucket::Forbidden);
}

#[test]
fn an_object_beyond_its_limit_is_not_read() {
    let served = aws([ok("0123456789a"), ok("0123456789")]);
    let client = served.client();
    assert!(get_object(&client, "images", "k", 10).is_err());
    assert_eq!(get_object(&client, "images", "k", 10).unwrap().unwrap(), b"0123456789");
}

#[test]
fn a_bucket_tells_its_region() {
    let served = aws([
        given(200, "").with("x-amz-bucket-region", "eu-central-1"),
        given(301, "").with("x-amz-bucket-region", "us-west-2"),
        given(400, "").with("x-amz-bucket-region", "us-west-2"),
    ]);
    let client = served.client();
    assert_eq!(head_bucket(&client, "images").unwrap(), Bucket::Usable(Some("eu-central-1".to_owned())));
    for _ in 0..2 {
        let error = head_bucket(&client, "images").unwrap_err().to_string();
        assert!(error.contains("us-west-2"), "{error}");
    }
}

#[test]
fn a_bucket_is_made_in_its_region_with_acls() {
    let served = aws([
        given(200, ""),
        given(200, ""),
        no(409, "BucketAlreadyOwnedByYou"),
        no(409, "BucketAlreadyExists"),
    ]);
    let client = served.client();
    create_bucket(&client, "images", None, true).unwrap();
    create_bucket(&client.in_region("us-east-1"), "images", None, false).unwrap();
    create_bucket(&client, "images", Some("eu-west-1"), false).unwrap();
    assert!(create_bucket(&client, "images", None, false).unwrap_err().is("BucketAlreadyExists"));
    let sent = served.sent();
    assert_eq!(sent[0].target, "/images");
    assert_eq!(sent[0].header("x-amz-object-ownership"), "ObjectWriter");
    let configuration = |region: &str| {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    assert_eq!(String::from_utf8_lossy(&sent[0].body), configuration("eu-central-1"));
    assert!(sent[1].body.is_empty());
    assert_eq!(sent[1].header("x-amz-object-ownership"), "");
    assert_eq!(String::from_utf8_lossy(&sent[2].body), configuration("eu-west-1"));
    assert!(create_bucket(&client, "images", Some("a<b"), false).is_err());
}

#[test]
fn eucalyptus_is_told_a_location_only_when_somebody_names_one() {
    let served = euca([given(200, ""), given(200, "")]);
    let client = served.client();
    create_bucket(&client, "Old_Images", None, true).unwrap();
    create_bucket(&client, "images", Some("cloud-7"), true).unwrap();
    let sent = served.sent();
    assert!(sent[0].body.is_empty());
    assert_eq!(sent[0].header("x-amz-object-ownership"), "");
    assert!(
        String::from_utf8_lossy(&sent[1].body).contains("<LocationConstraint>cloud-7</LocationConstraint>")
    );
}

#[test]
fn whether_a_bucket_takes_acls() {
    let controls = |value: &str| {
        ok(format!(
            "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
             <ObjectOwnership>{value}</ObjectOwnership></Rule></OwnershipControls>"
        ))
    };
    let served = aws([
        controls("BucketOwnerEnforced"),
        controls("BucketOwnerPreferred"),
        no(404, "OwnershipControlsNotFoundError"),
        no(501, "NotImplemented"),
        no(403, "AccessDenied"),
        no(404, "NoSuchBucket"),
        ok("nothing"),
    ]);
    let client = served.client();
    let expected =
        [Ownership::Enforced, Ownership::Acls, Ownership::Acls, Ownership::Unknown, Ownership::Unknown];
    for expected in expected {
        assert_eq!(ownership(&client, "images").unwrap(), expected);
    }
    assert!(ownership(&client, "images").unwrap_err().is("NoSuchBucket"));
    assert!(ownership(&client, "images").is_err());
    assert_eq!(served.sent()[0].target, "/images?ownershipControls");
    assert_eq!(ownership(&euca([]).client(), "images").unwrap(), Ownership::Acls);
}

fn listing(truncated: bool, keys: &[&str]) -> Given {
    let keys: String = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><ETag>\"x\"</ETag><Size>7</Size></Contents>"))
        .collect();
    ok(format!(
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>images</Name><Prefix/><Marker/><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>\
         <IsTruncated>{truncated}</IsTruncated>{keys}</ListBucketResult>"
    ))
}

#[test]
fn all_pages_of_a_list_are_read_by_markers() {
    let served =
        aws([listing(true, &["a+b/%C3%BC%2B.1", "a+b/%C3%BC%2B.2"]), listing(false, &["a+b/%C3%BC%2B.3"])]);
    let found = list_objects(&served.client(), "images", "a b/ü").unwrap();
    let expected = ["a b/ü+.1", "a b/ü+.2", "a b/ü+.3"].map(|key| (key.to_owned(), 7));
    assert_eq!(found, expected);
    let sent = served.sent();
    assert_eq!(sent[0].target, "/images?max-keys=1000&prefix=a%20b%2F%C3%BC");
    assert_eq!(sent[1].target, "/images?max-keys=1000&prefix=a%20b%2F%C3%BC&marker=a%20b%2F%C3%BC%2B.2");
}

#[test]
fn eucalyptus_lists_keys_as_they_are() {
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated>\
                <Contents><Key>a+%20&amp;b</Key><Size>1</Size></Contents></ListBucketResult>";
    let served = euca([ok(page)]);
    assert_eq!(list_objects(&served.client(), "images", "").unwrap(), [("a+%20&b".to_owned(), 1)]);
    assert_eq!(served.only().target, "/images?max-keys=1000");
}

#[test]
fn a_list_that_does_not_end_or_that_nobody_asked_for_is_refused() {
    for answers in [
        vec![listing(true, &["a1"]), listing(true, &["a1"])],
        vec![listing(true, &[])],
        vec![listing(false, &["b1"])],
        vec![listing(false, &["a%zz"])],
        vec![listing(false, &["a%FF"])],
        vec![ok("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>")],
        vec![ok("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>")],
        vec![ok("<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>")],
        vec![ok("<html><p>welcome</p></html>")],
        vec![ok("")],
    ] {
        let error = list_objects(&aws(answers).client(), "images", "a").unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains("ListObjects"), "{error}");
    }
}

#[test]
fn names_are_looked_at_before_anything_is_sent() {
    let long = "x".repeat(64);
    for bad in
        ["", "ab", "Images", "a_b", "-ab", "ab-", "a..b", ".abc", "1.2.3.4", "a/b", "a b", "ü--", &long]
    {
        assert!(check_bucket_name(Kind::Aws, bad).is_err(), "{bad}");
    }
    for good in ["abc", "a.b-c.1", "1.2.3.x"] {
        check_bucket_name(Kind::Aws, good).unwrap();
    }
    for bad in ["", "ab", "a/b", "...", "a b", "a\n--"] {
        let error = check_bucket_name(Kind::Euca, bad).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }
    for good in ["Old_Images", long.as_str()] {
        check_bucket_name(Kind::Euca, good).unwrap();
    }
    for bad in ["", "a/../b", ".", "./a", "a\tb", &"k".repeat(1025)] {
        assert!(check_key(bad).is_err(), "{bad}");
    }
    for good in ["a", "/a", "a//b", "a/.b", "a b", &"k".repeat(1024)] {
        check_key(good).unwrap();
    }
    let served = aws([]);
    assert!(get_object(&served.client(), "images", "a/../../other/secret", 1).is_err());
    assert!(delete_bucket(&served.client(), "images/k").is_err());
    assert!(served.sent().is_empty());
}

#[test]
fn the_buckets_of_an_account_are_listed() {
    let list = "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>o</ID></Owner><Buckets>\
        <Bucket><Name>One_Old</Name><CreationDate>2006-02-03T16:45:09.000Z</CreationDate></Bucket>\
        <Bucket><Name>two</Name><CreationDate>c</CreationDate><BucketRegion>eu-west-1</BucketRegion></Bucket>\
        </Buckets></ListAllMyBucketsResult>";
    let served = aws([ok(list), ok(list.replace("two", "")), ok("<html/>"), no(403, "AccessDenied")]);
    let client = served.client();
    let found = list_buckets(&client).unwrap();
    let names: Vec<_> = found.iter().map(|bucket| (bucket.name.as_str(), bucket.region.as_deref())).collect();
    assert_eq!(names, [("One_Old", None), ("two", Some("eu-west-1"))]);
    assert_eq!(found[0].created, "2006-02-03T16:45:09.000Z");
    for _ in 0..3 {
        assert!(list_buckets(&client).is_err());
    }
    assert_eq!(served.sent()[0].target, "/");
}

#[test]
fn where_a_bucket_is() {
    let location = |text: &str| ok(format!("<LocationConstraint xmlns=\"x\">{text}</LocationConstraint>"));
    let served = aws([location(""), location("EU"), location("ap-south-1"), ok("<Error/>")]);
    let client = served.client();
    let found = [(); 3].map(|()| bucket_location(&client, "Old_Bucket").unwrap().unwrap());
    assert_eq!(found, ["us-east-1", "eu-west-1", "ap-south-1"]);
    assert!(bucket_location(&client, "b-2").is_err());
    assert_eq!(served.sent()[0].target, "/Old_Bucket?location");
    assert_eq!(bucket_location(&euca([location("")]).client(), "bucket").unwrap(), None);
}

#[test]
fn a_bucket_is_listed_page_by_page() {
    let page = |more: bool| {
        ok(format!(
            "<ListBucketResult><IsTruncated>{more}</IsTruncated><Contents><Key>k2</Key><Size>3</Size></Contents>\
             </ListBucketResult>"
        ))
    };
    let served = aws([page(true), page(true), page(false)]);
    let client = served.client();
    let found = list_page(&client, "bucket", "", Some("k1")).unwrap();
    assert_eq!(found, Listing { keys: vec![("k2".to_owned(), 3)], more: true });
    assert!(list_page(&client, "bucket", "", Some("k2")).is_err());
    assert!(!list_page(&client, "bucket", "", Some("k2")).unwrap().more);
    assert_eq!(served.sent()[0].target, "/bucket?max-keys=1000&marker=k1");
}

#[test]
fn what_anybody_may_list_is_seen_without_credentials() {
    let list = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>3</Size></Contents>\
        </ListBucketResult>";
    let served = aws([
        ok(list).with("x-amz-bucket-region", "eu-west-1"),
        no(403, "AccessDenied"),
        no(301, "PermanentRedirect").with("x-amz-bucket-region", "us-west-2"),
        ok("<html>"),
        no(503, "SlowDown"),
    ]);
    let client = served.client();
    let found = look_at_bucket(&client, "bucket", "", None).unwrap();
    let listing = Listing { keys: vec![("k".to_owned(), 3)], more: false };
    assert!(found.readable());
    assert_eq!((found.region.as_deref(), found.listing), (Some("eu-west-1"), Some(listing)));
    let found = look_at_bucket(&client, "bucket", "", None).unwrap();
    assert!(!found.readable() && found.listing.is_none());
    assert_eq!((found.status, found.code.as_deref()), (403, Some("AccessDenied")));
    let found = look_at_bucket(&client, "bucket", "", None).unwrap();
    assert_eq!((found.status, found.region.as_deref()), (301, Some("us-west-2")));
    assert!(look_at_bucket(&client, "bucket", "", None).is_err());
    assert!(look_at_bucket(&client, "bucket", "", None).is_err());
    for sent in served.sent() {
        assert_eq!((sent.header("authorization"), sent.header("x-amz-date")), ("", ""));
    }
}

#[test]
fn what_anybody_may_read_is_seen_without_credentials() {
    let whole = vec![b'x'; 1 << 20];
    let served = aws([
        given(206, "x").with("content-range", "bytes 0-0/5"),
        ok(whole),
        no(416, "InvalidRange"),
        no(404, "NoSuchKey"),
        given(403, ""),
        given(200, "").with("content-length", "5000000000"),
    ]);
    let client = served.client();
    let readable = [(); 4].map(|()| look_at_object(&client, "bucket", "a b").unwrap().readable());
    assert_eq!(readable, [true, true, true, false]);
    let readable = [(); 2].map(|()| look_at_head(&client, "bucket", "a b").unwrap().readable());
    assert_eq!(readable, [false, true]);
    let sent = served.sent();
    assert_eq!((sent[0].target.as_str(), sent[0].header("range")), ("/bucket/a%20b", "bytes=0-0"));
    assert_eq!((sent[5].method.as_str(), sent[5].header("authorization")), ("HEAD", ""));
    assert!(matches!(look_at_object(&client, "bucket", "../x"), Err(Error::Usage(_))));
}
