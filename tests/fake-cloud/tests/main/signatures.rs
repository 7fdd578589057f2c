//! Who may call.

use hardtack_fake_cloud::Cloud;

use crate::raw::{Ask, ec2, s3, send};

#[test]
fn a_call_that_is_signed_is_answered() {
    let cloud = Cloud::start();
    let ask = Ask { query: "Action=GetCallerIdentity&Version=2011-06-15", service: "sts", ..Ask::default() };
    let answer = ask.send(&cloud);
    assert_eq!(
        (answer.status, answer.element("Account").as_str()),
        (200, "123456789012"),
        "{}",
        answer.text()
    );
    assert_eq!(cloud.log()[0].action, "GetCallerIdentity");
}

#[test]
fn a_call_that_is_not_is_refused() {
    let cloud = Cloud::start();
    let query = "Action=DescribeRegions&Version=2016-11-15";
    let ask = |change: fn(&mut Ask<'static>)| {
        let mut ask = Ask { query, ..Ask::default() };
        change(&mut ask);
        let answer = ask.send(&cloud);
        (answer.status, answer.element("Code"))
    };
    assert_eq!(ask(|ask| ask.secret = "another"), (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(ask(|ask| ask.id = "AKIDNOBODY"), (401, "AuthFailure".to_owned()));
    assert_eq!(ask(|ask| ask.ahead = 1000), (400, "RequestExpired".to_owned()));
    assert_eq!(ask(|ask| ask.service = "s3"), (403, "SignatureDoesNotMatch".to_owned()));
    let host = vec![("host".to_owned(), "x".to_owned())];
    let answer = send(&cloud, "GET", &format!("/?{query}"), &host, b"");
    assert_eq!((answer.status, answer.element("Code").as_str()), (403, "MissingAuthenticationToken"));
}

#[test]
fn objects_come_back() {
    let cloud = Cloud::start();
    let acls = [("x-amz-object-ownership", "ObjectWriter".to_owned())];
    assert_eq!(s3(&cloud, "PUT", "/images", &acls, b"").status, 200);
    let headers = [
        ("x-amz-acl", "aws-exec-read".to_owned()),
        ("x-amz-meta-hardtack-sha1", "00ff".to_owned()),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==".to_owned()),
    ];
    let answer = s3(&cloud, "PUT", "/images/path/part.00", &headers, b"hello");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(cloud.acl("images", "path/part.00").as_deref(), Some("aws-exec-read"));
    let answer = s3(&cloud, "HEAD", "/images/path/part.00", &[], b"");
    assert!(answer.head.contains("x-amz-meta-hardtack-sha1: 00ff"), "{}", answer.head);
    assert!(answer.head.contains("content-length: 5"), "{}", answer.head);
    assert!(answer.head.contains("5d41402abc4b2a76b9719d911017c592"), "{}", answer.head);
    assert_eq!(s3(&cloud, "GET", "/images/path/part.00", &[], b"").body, b"hello");
    let wrong = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==".to_owned())];
    let answer = s3(&cloud, "PUT", "/images/path/part.01", &wrong, b"hello");
    assert_eq!((answer.status, answer.element("Code").as_str()), (400, "BadDigest"));
    assert_eq!(s3(&cloud, "DELETE", "/images", &[], b"").status, 409);
    assert_eq!(s3(&cloud, "DELETE", "/images/path/part.00", &[], b"").status, 204);
}

#[test]
fn a_bucket_that_takes_no_acls_refuses_them() {
    let cloud = Cloud::start();
    assert_eq!(s3(&cloud, "PUT", "/images", &[], b"").status, 200);
    let acl = [("x-amz-acl", "aws-exec-read".to_owned())];
    let answer = s3(&cloud, "PUT", "/images/a", &acl, b"hello");
    assert_eq!((answer.status, answer.element("Code").as_str()), (400, "AccessControlListNotSupported"));
    assert_eq!(ec2(&cloud, "Action=DescribeImages").status, 200);
}
