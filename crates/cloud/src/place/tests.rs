#![allow(clippy::unwrap_used)]

use super::*;
use crate::credentials::tests::{environment, home};

fn options(region: &str) -> PlaceOptions {
    PlaceOptions {
        region: Some(region.to_owned()).filter(|region| !region.is_empty()),
        ..PlaceOptions::default()
    }
}

#[test]
fn services_of_each_partition() {
    for (region, service, fips, url, partition) in [
        ("us-east-1", Service::Ec2, false, "https://ec2.us-east-1.amazonaws.com", "aws"),
        ("eu-west-1", Service::S3, false, "https://s3.eu-west-1.amazonaws.com", "aws"),
        ("eu-west-1", Service::S3, true, "https://s3-fips.eu-west-1.amazonaws.com", "aws"),
        ("cn-north-1", Service::Ebs, false, "https://ebs.cn-north-1.amazonaws.com.cn", "aws-cn"),
        ("us-gov-west-1", Service::Ec2, true, "https://ec2.us-gov-west-1.amazonaws.com", "aws-us-gov"),
        ("us-gov-west-1", Service::Kms, true, "https://kms-fips.us-gov-west-1.amazonaws.com", "aws-us-gov"),
        ("us-iso-east-1", Service::Sts, false, "https://sts.us-iso-east-1.c2s.ic.gov", "aws-iso"),
        ("us-isob-east-1", Service::Ssm, false, "https://ssm.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b"),
        ("eusc-de-east-1", Service::Ec2, false, "https://ec2.eusc-de-east-1.amazonaws.eu", "aws-eusc"),
    ] {
        let place = Place { fips, ..Place::new(Kind::Aws, region) };
        let endpoint = place.endpoint(service).unwrap();
        assert_eq!((&*endpoint.url, &*endpoint.region), (url, region));
        assert_eq!(place.partition(), partition);
    }
    assert!(Place::new(Kind::Aws, "us-east-1").endpoint(Service::Bootstrap).is_err());
    for region in ["", "a.b", "x/y", "eu west", "EU-WEST-1", "evil.com#", "me@us-east-1", "-a"] {
        assert!(Place::new(Kind::Aws, region).endpoint(Service::Ec2).is_err(), "{region}");
    }
}

#[test]
fn aws_region_and_addresses_by_precedence() {
    let home = home(&[(
        ".aws/config",
        "[default]\nregion = eu-central-1\n[profile p]\nregion = eu-west-2\nservices = s\n\
         endpoint_url = http://all.example/\n[services s]\ns3 =\n  endpoint_url = http://s3.example\n",
    )]);
    let find = |options: &PlaceOptions, variables: &[(&str, &str)]| {
        Place::find(Kind::Aws, options, &environment(home.path(), variables)).unwrap()
    };
    assert_eq!(find(&options(""), &[]).region, "eu-central-1");
    assert_eq!(find(&options(""), &[("AWS_DEFAULT_REGION", "a-1")]).region, "a-1");
    assert_eq!(find(&options(""), &[("AWS_DEFAULT_REGION", "a-1"), ("AWS_REGION", "b-1")]).region, "b-1");
    assert_eq!(find(&options("c-1"), &[("AWS_REGION", "b-1")]).region, "c-1");
    let profile = PlaceOptions { profile: Some("p".to_owned()), ..options("") };
    let place = find(&profile, &[]);
    assert_eq!(place.region, "eu-west-2");
    let url = |place: &Place, service| place.endpoint(service).unwrap().url;
    assert_eq!(url(&place, Service::S3), "http://s3.example");
    assert_eq!(url(&place, Service::Ec2), "http://all.example");
    assert_eq!(place.in_region("us-east-2").endpoint(Service::Ec2).unwrap().region, "us-east-2");
    let variables =
        [("AWS_PROFILE", "p"), ("AWS_ENDPOINT_URL", "http://e"), ("AWS_ENDPOINT_URL_EBS", "http://b")];
    let place = find(&options(""), &variables);
    assert_eq!(url(&place, Service::S3), "http://e");
    assert_eq!(url(&place, Service::Ebs), "http://b");
    let given = PlaceOptions { s3_url: Some("http://127.0.0.1:9000/".to_owned()), ..profile.clone() };
    let place = find(&given, &variables);
    assert_eq!(url(&place, Service::S3), "http://127.0.0.1:9000");
    let ignore = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_ENDPOINT_URL", "http://e")];
    assert_eq!(url(&find(&profile, &ignore), Service::S3), "https://s3.eu-west-2.amazonaws.com");
}

#[test]
fn what_names_no_place_is_refused() {
    let home = home(&[(".aws/config", "[profile p]\nservices = none\n[profile q]\n")]);
    let error = |options: &PlaceOptions, variables: &[(&str, &str)]| {
        Place::find(Kind::Aws, options, &environment(home.path(), variables)).unwrap_err().to_string()
    };
    assert!(error(&options(""), &[]).contains("AWS_REGION"));
    let unknown = PlaceOptions { profile: Some("x".to_owned()), ..options("a-1") };
    assert!(error(&unknown, &[]).contains("there is no profile x"), "{}", error(&unknown, &[]));
    assert!(error(&options("a-1"), &[("AWS_PROFILE", "p")]).contains("[services none]"));
    for url in ["ftp://x", "http://", "x.example", "http://a b", "http://x/?y", "http://x#y", ""] {
        let result = checked(url);
        assert!(result.is_err(), "{url}: {result:?}");
    }
    let error = checked("http://me:SECRET@x").unwrap_err().to_string();
    assert!(!error.contains("SECRET"), "{error}");
}

#[test]
fn eucalyptus_by_options_variables_and_files() {
    let ini = "[region here]\nec2-url = http://ini:8773/services/compute\nverify-ssl = True\ns3-force-sigv4=true\n\
        [region dns]\nbootstrap-url = https://bootstrap.example.com:8773/\nuser = me\n";
    let files = home(&[(".euca/a.ini", ini), ("eucarc", "export S3_URL=http://rc:8773/services/Walrus\n")]);
    let find = |options: &PlaceOptions, variables: &[(&str, &str)]| {
        Place::find(Kind::Euca, options, &environment(files.path(), variables)).unwrap()
    };
    let url = |place: &Place, service| place.endpoint(service).unwrap().url;
    let place = find(&options("here"), &[("EC2_URL", "http://env:8773/services/compute")]);
    assert_eq!(url(&place, Service::Ec2), "http://ini:8773/services/compute");
    assert_eq!(url(&place, Service::S3), "http://ini:8773/services/objectstorage");
    assert_eq!(url(&place, Service::Sts), "http://ini:8773/services/Tokens");
    assert_eq!(url(&place, Service::Bootstrap), "http://ini:8773/services/Empyrean");
    assert!(place.endpoint(Service::Ebs).is_err());
    assert_eq!(place.endpoint(Service::Ec2).unwrap().region, "here");
    assert!(place.verify && place.s3_v4);
    let old = PlaceOptions { scheme: Some(Scheme::V2), ..options("me@here") };
    let place = find(&old, &[]);
    assert_eq!((place.scheme(Service::Ec2), place.scheme(Service::S3)), (Scheme::V2, Scheme::V4));

    let place = find(
        &options(""),
        &[("EC2_URL", "http://10.0.0.1:8773/services/Eucalyptus/"), ("AWS_AUTH_REGION", "r")],
    );
    assert_eq!(url(&place, Service::Ec2), "http://10.0.0.1:8773/services/Eucalyptus");
    assert_eq!(url(&place, Service::S3), "http://10.0.0.1:8773/services/Walrus");
    assert_eq!((&*place.region, place.verify), ("eucalyptus", false));
    assert_eq!(place.endpoint(Service::S3).unwrap().region, "r");

    let place = find(&options(""), &[("EUCA_DEFAULT_REGION", "me@dns")]);
    assert_eq!(url(&place, Service::Ec2), "https://ec2.example.com:8773");
    assert_eq!(url(&place, Service::S3), "https://s3.example.com:8773");

    let given = PlaceOptions { eucarc: Some(files.path().join("eucarc")), ..options("") };
    let place = find(&given, &[("S3_URL", "http://env")]);
    assert_eq!(url(&place, Service::Ec2), "http://rc:8773/services/Eucalyptus");
    let place = find(&options(""), &[("EC2_URL", "http://127.0.0.1:8000")]);
    assert!(place.endpoint(Service::S3).unwrap_err().to_string().contains("S3_URL"));
    assert!(Place::find(Kind::Euca, &options("unknown"), &environment(files.path(), &[])).is_err());
    let given = PlaceOptions { ec2_url: Some("http://x".to_owned()), ..options("unknown") };
    assert_eq!(find(&given, &[]).endpoint(Service::Ec2).unwrap().region, "unknown");
    let none = Place::find(Kind::Euca, &options(""), &environment(files.path(), &[])).unwrap_err();
    assert!(none.to_string().contains("EC2_URL"), "{none}");
}
