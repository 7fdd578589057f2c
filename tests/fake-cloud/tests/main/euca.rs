//! Eucalyptus: paths, old signatures, bundles.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_bundle::{
    BundleOptions, Manifest, PrivateKey, PublicKey, Session, hex, manifest_path, write_manifest, write_parts,
};
use hardtack_fake_cloud::{BucketOwnership, CLOUD_CERTIFICATE, Cloud, USER_CERTIFICATE, USER_KEY};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::raw::{Answer, Ask, send};

const STORE: &str = "/services/objectstorage";

fn object(cloud: &Cloud, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
    let path = format!("{STORE}/{path}");
    Ask {
        method,
        path: &path,
        headers: headers.to_vec(),
        body,
        service: "s3",
        region: "any",
        ..Ask::default()
    }
    .send(cloud)
}

fn query(cloud: &Cloud, path: &str, query: &str) -> Answer {
    let query = format!("{query}&Version=2016-11-15");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    Ask { path, query: &pairs.join("&"), service: "whatever", region: "any", ..Ask::default() }.send(cloud)
}

/// A bundle of `disk` in the bucket, with this ACL.
fn upload(cloud: &Cloud, account: &str, disk: &[u8], acl: &str) {
    let directory = tempfile::tempdir().unwrap();
    let session =
        Session::from_hex("000102030405060708090a0b0c0d0e0f", "f0e0d0c0b0a090807060504030201000").unwrap();
    let options = BundleOptions { part_size: 64 * 1024, ..BundleOptions::new("disk", directory.path()) };
    let mut written = write_parts(&disk.to_vec(), &session, &options, &|_, _, _| {}).unwrap();
    let certificate = |pem: &str| PublicKey::from_certificate(pem.as_bytes(), Path::new("pem")).unwrap();
    let manifest = Manifest {
        bundler: ("hardtack".to_owned(), "1".to_owned()),
        architecture: "x86_64".to_owned(),
        name: "disk".to_owned(),
        user: account.to_owned(),
        digest: written.digest,
        size: written.size,
        bundled_size: written.bundled_size,
        cloud_key: certificate(CLOUD_CERTIFICATE).seal(&session).unwrap(),
        user_key: certificate(USER_CERTIFICATE).seal(&session).unwrap(),
        parts: written.parts.clone(),
        ..Manifest::default()
    };
    let key = PrivateKey::from_pem(USER_KEY.as_bytes(), Path::new("pem")).unwrap();
    let path = manifest_path(directory.path(), "disk");
    write_manifest(&path, &manifest.to_xml(Some(&key)).unwrap(), false, false).unwrap();
    written.keep();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let headers = [("x-amz-acl", acl.to_owned())];
        let path = format!("images/path/{}", entry.file_name().to_str().unwrap());
        let answer = object(cloud, "PUT", &path, &headers, &std::fs::read(entry.path()).unwrap());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn bundles_are_taken_apart_when_they_are_registered() {
    let cloud = Cloud::builder().eucalyptus().start();
    assert_eq!(object(&cloud, "PUT", "images", &[], b"").status, 200);
    let disk: Vec<u8> =
        (0..300_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let register = |more: &str| {
        let text =
            format!("Action=RegisterImage&ImageLocation=images%2Fpath%2Fdisk.manifest.xml&Name=disk{more}");
        query(&cloud, "/services/compute", &text)
    };
    upload(&cloud, "123456789012", &disk, "private");
    assert_eq!(register("&VirtualizationType=hvm").element("Code"), "InvalidAMIID.NotFound");
    upload(&cloud, "210987654321", &disk, "aws-exec-read");
    assert_eq!(register("&VirtualizationType=hvm").element("Code"), "AuthFailure");
    upload(&cloud, "123456789012", &disk, "aws-exec-read");
    assert_eq!(register("").element("Code"), "MissingParameter");
    assert_eq!(register("&VirtualizationType=hvm&EnaSupport=true").element("Code"), "UnknownParameter");

    let part = cloud.object("images", "path/disk.part.01").unwrap();
    let mut spoilt = part.clone();
    spoilt[100] ^= 1;
    cloud.spoil("images", "path/disk.part.01", &spoilt);
    assert_eq!(register("&VirtualizationType=hvm").element("Code"), "InvalidManifest");
    cloud.spoil("images", "path/disk.part.01", &part);
    let answer = register("&VirtualizationType=hvm");
    let id = answer.element("imageId");
    assert!(id.starts_with("emi-"), "{}", answer.text());
    let image = cloud.images().pop().unwrap();
    assert_eq!(image.sha256, Some(hex::encode(Sha256::digest(&disk).as_slice())));
    assert_eq!(image.values["Architecture"], "x86_64");
    assert_eq!(register("&VirtualizationType=hvm").element("Code"), "InvalidAMIName.Duplicate");
}

#[test]
fn old_signatures_are_taken_and_checked() {
    let cloud = Cloud::builder().eucalyptus().start();
    cloud.make_bucket("images", BucketOwnership::Unset);
    let host = cloud.url().trim_start_matches("http://").to_owned();
    let output = std::process::Command::new("date").args(["-u", "-R"]).output().unwrap();
    let date = String::from_utf8(output.stdout).unwrap().trim().replace("+0000", "GMT");
    let mac = |secret: &str, text: &str| {
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    };
    for (secret, path, status) in [
        ("secret/of+the-first+account", "/services/objectstorage/images/a", 200),
        ("secret/of+the-first+account", "/images/a", 200),
        ("secret/of+the-first+account", "/images/b", 403),
        ("another", "/images/a", 403),
    ] {
        let text = format!("PUT\n\n\n{date}\nx-amz-acl:aws-exec-read\n{path}");
        let headers = [
            ("host".to_owned(), host.clone()),
            ("date".to_owned(), date.clone()),
            ("x-amz-acl".to_owned(), "aws-exec-read".to_owned()),
            ("authorization".to_owned(), format!("AWS AKIDEXAMPLE:{}", mac(secret, &text))),
        ];
        let answer = send(&cloud, "PUT", &format!("{STORE}/images/a"), &headers, b"hello");
        assert_eq!(answer.status, status, "{path} {}", answer.text());
    }
    assert_eq!(cloud.object("images", "a").unwrap(), b"hello");

    let output =
        std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H%%3A%M%%3A%SZ"]).output().unwrap();
    let stamp = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let pairs = format!(
        "AWSAccessKeyId=AKIDEXAMPLE&Action=DescribeImages&SignatureMethod=HmacSHA256&SignatureVersion=2\
         &Timestamp={stamp}&Version=2016-11-15"
    );
    for (secret, status) in [("secret/of+the-first+account", 200), ("another", 403)] {
        let text = format!("GET\n{host}\n/services/compute\n{pairs}");
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let headers = [("host".to_owned(), host.clone())];
        let target = format!("/services/compute?{pairs}&Signature={signature}");
        assert_eq!(send(&cloud, "GET", &target, &headers, b"").status, status, "{secret}");
    }
}

#[test]
fn what_eucalyptus_does_not_know_is_refused() {
    let cloud = Cloud::builder().eucalyptus().start();
    cloud.make_bucket("images", BucketOwnership::Unset);
    let path = format!("{STORE}/images/a");
    let ask = Ask { method: "PUT", path: &path, service: "s3", body: b"hello", ..Ask::default() };
    let stream = Ask { payload: Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ..ask.clone() }.send(&cloud);
    assert_eq!((stream.status, stream.element("Code").as_str()), (501, "NotImplemented"));
    assert_eq!(Ask { payload: Some("UNSIGNED-PAYLOAD"), ..ask.clone() }.send(&cloud).status, 200);
    let other = Ask { payload: Some(&"00".repeat(32)), ..ask }.send(&cloud);
    assert_eq!(other.element("Code"), "XAmzContentSHA256Mismatch");
    assert_eq!(object(&cloud, "GET", "images?x=1", &[], b"").status, 403, "a query that was not signed");
    assert_eq!(
        query(&cloud, "/services/compute", "Action=GetEbsEncryptionByDefault").element("Code"),
        "InvalidAction"
    );
    let answer = query(&cloud, "/services/Empyrean", "Action=DescribeServiceCertificates");
    assert_eq!(answer.element("certificate"), CLOUD_CERTIFICATE);
}
