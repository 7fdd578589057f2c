//! Published examples.

use std::time::Duration;

use zeroize::Zeroizing;

use super::*;

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        token: token.map(|token| Zeroizing::new(token.to_owned())),
        expires: None,
        origin: String::new(),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// "Signature Version 2 signing process" (AWS general reference), the example of Elastic MapReduce; its timestamp has
/// no `Z`, so the text is compared by the signature of the documented canonical string.
#[test]
fn the_signature_of_the_documented_string() {
    let text = "GET\nelasticmapreduce.amazonaws.com\n/\nAWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows\
                &SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-10-03T15%3A19%3A30&Version=2009-03-31";
    assert_eq!(
        hmac_sha256(credentials(None).secret.as_bytes(), text.as_bytes()),
        "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs="
    );
}

#[test]
fn queries_are_signed_over_host_with_port_path_and_sorted_parameters() {
    let url = Url::new("http://10.0.0.1:8773/services/compute", "", &[]).unwrap();
    let parameters = pairs(&[("Version", "2016-11-15"), ("Action", "DescribeImages"), ("a b", "*~")]);
    let signed = sign_query("POST", &url, &parameters, &credentials(Some("t/k")), at(1_317_655_170));
    let text = "POST\n10.0.0.1:8773\n/services/compute\nAWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages\
                &SecurityToken=t%2Fk&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-10-03T15%3A19%3A30Z\
                &Version=2016-11-15&a%20b=%2A~";
    let expected = hmac_sha256(credentials(None).secret.as_bytes(), text.as_bytes());
    assert_eq!(signed.last().unwrap(), &("Signature".to_owned(), expected));
    assert!(signed.iter().all(|(_, value)| !value.contains("wJalr")));
}

/// "Signing and authenticating REST requests" (Amazon S3 developer guide). Its examples are in the style of virtual
/// hosts: the resource is the same in the style of paths. Its times end with `+0000`, ours with `GMT`.
#[test]
fn the_examples_of_s3() {
    let cases = [
        (
            "object GET",
            "GET",
            "/awsexamplebucket1/photos/puppy.jpg",
            pairs(&[]),
            pairs(&[("date", "Tue, 27 Mar 2007 19:36:42 +0000")]),
            "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        ),
        (
            "object PUT",
            "PUT",
            "/awsexamplebucket1/photos/puppy.jpg",
            pairs(&[]),
            pairs(&[
                ("content-type", "image/jpeg"),
                ("content-length", "94328"),
                ("date", "Tue, 27 Mar 2007 21:15:45 +0000"),
            ]),
            "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        ),
        (
            "list",
            "GET",
            "/awsexamplebucket1/",
            pairs(&[("prefix", "photos"), ("max-keys", "50"), ("marker", "puppy")]),
            pairs(&[("user-agent", "Mozilla/5.0"), ("date", "Tue, 27 Mar 2007 19:42:41 +0000")]),
            "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        ),
        (
            "fetch",
            "GET",
            "/awsexamplebucket1/",
            pairs(&[("acl", "")]),
            pairs(&[("date", "Tue, 27 Mar 2007 19:44:46 +0000")]),
            "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        ),
        (
            "list all my buckets",
            "GET",
            "/",
            pairs(&[]),
            pairs(&[("date", "Wed, 28 Mar 2007 01:29:59 +0000")]),
            "qGdzdERIC03wnaRNKh6OqZehG9s=",
        ),
        (
            "Unicode keys",
            "GET",
            "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
            pairs(&[]),
            pairs(&[("date", "Wed, 28 Mar 2007 01:49:49 +0000")]),
            "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, method, path, query, headers, expected) in cases {
        // The endpoint's own path is no part of the resource.
        let url = Url::new("http://10.0.0.1:8773/services/objectstorage", path, &query).unwrap();
        let text = s3_text(method, &url, &headers.iter().collect::<Vec<_>>());
        if hmac_sha1(credentials(None).secret.as_bytes(), text.as_bytes()) != expected {
            wrong.push((name, text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn requests_to_s3_get_a_date_the_token_and_a_signature() {
    let url = Url::new("http://a", "/b/k", &[]).unwrap();
    let added = sign_s3("GET", &url, &[], &credentials(Some("t")), at(1_175_024_202));
    let names: Vec<&str> = added.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["date", "x-amz-security-token", "authorization"]);
    let text = "GET\n\n\nTue, 27 Mar 2007 19:36:42 GMT\nx-amz-security-token:t\n/b/k";
    let signature = hmac_sha1(credentials(None).secret.as_bytes(), text.as_bytes());
    assert_eq!(added.last().unwrap().1, format!("AWS AKIAIOSFODNN7EXAMPLE:{signature}"));
}

#[test]
fn headers_of_amazons_are_signed_sorted_and_the_token_among_them() {
    let url = Url::new("http://a", "/b/k", &[]).unwrap();
    let headers = pairs(&[("x-amz-meta-b", " 2 "), ("x-amz-acl", "aws-exec-read"), ("host", "a")]);
    let token = ("x-amz-security-token".to_owned(), "t".to_owned());
    let all: Vec<&(String, String)> = headers.iter().chain([&token]).collect();
    assert_eq!(
        s3_text("PUT", &url, &all),
        "PUT\n\n\n\nx-amz-acl:aws-exec-read\nx-amz-meta-b:2\nx-amz-security-token:t\n/b/k"
    );
}
