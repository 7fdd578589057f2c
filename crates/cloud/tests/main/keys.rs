//! Who calls, parameters, keys of KMS; and that nothing is done for who has the wrong secret.

use hardtack_cloud::credentials::Credentials;
use hardtack_cloud::ebs::{self, BLOCK, BlockEntry, StartSnapshot};
use hardtack_cloud::ec2::{
    self, CopyImage, CopySnapshot, ImageFilter, Launchers, RegisterImage, RunInstance,
};
use hardtack_cloud::s3::{self, Bucket, PutOptions};
use hardtack_cloud::{Client, Error, Scheme, kms, ssm, sts};
use hardtack_fake_cloud::{Cloud, MasterKey};

use crate::places::{client, with};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

#[test]
fn callers_and_roles() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    assert_eq!(sts::caller_identity(&client).unwrap().account, "123456789012");
    let role = sts::assume_role(&client, ROLE, "session", None, Some(900)).unwrap();
    assert!(role.expires.is_some() && role.token.is_some());
    let nobody = with(&cloud, "nobody", "none", Scheme::V4);
    let web = sts::assume_role_with_web_identity(&nobody, ROLE, "session", "a-web-identity").unwrap();
    assert!(web.token.is_some());
    let error = sts::assume_role_with_web_identity(&nobody, ROLE, "session", "another").unwrap_err();
    assert_eq!(error.status(), Some(400), "{error}");
    for Credentials { id, secret, token, .. } in [role, web] {
        // The token is part of the signature: without it the keys are nobody's.
        assert!(token.is_some());
        assert!(sts::caller_identity(&with(&cloud, &id, &secret, Scheme::V4)).is_err());
    }
}

#[test]
fn parameters() {
    let cloud = Cloud::start();
    let client = client(&cloud);
    assert_eq!(ssm::get_parameter(&client, "/images/x").unwrap(), None);
    ssm::put_parameter(&client, "/images/x", "one", false).unwrap();
    ssm::put_parameter(&client, "/images/x", "two", false).unwrap();
    assert_eq!(ssm::get_parameter(&client, "/images/x").unwrap().as_deref(), Some("two"));
    let root = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    let image = cloud.make_image("us-east-1", "image-n", &root, "x86_64", false);
    ssm::put_parameter(&client, "/images/ami", &image, true).unwrap();
    assert_eq!(ssm::get_parameter(&client, "/images/ami").unwrap().as_deref(), Some(image.as_str()));
    for name in ["/images/x", "/images/x", "/images/ami"] {
        ssm::delete_parameter(&client, name).unwrap();
    }
    assert_eq!(ssm::get_parameter(&client, "/images/x").unwrap(), None);
    cloud.make_parameter("us-east-1", "/aws/service/os/latest", "ami-1");
    let found = ssm::get_parameter(&client, "/aws/service/os/latest").unwrap();
    assert_eq!(found.as_deref(), Some("ami-1"));
}

#[test]
fn keys_and_whom_they_are_for() {
    let cloud = Cloud::start();
    let arn = "arn:aws:kms:us-east-1:123456789012:key/1".to_owned();
    cloud.make_key(
        "us-east-1",
        MasterKey {
            arn: arn.clone(),
            alias: "alias/images".to_owned(),
            managed_by_aws: false,
            state: "Enabled".to_owned(),
            grantees: vec!["arn:aws:iam::210987654321:role/r".to_owned()],
            principals: vec!["arn:aws:iam::111111111111:root".to_owned()],
        },
    );
    let client = client(&cloud);
    let key = kms::describe_key(&client, "alias/images").unwrap();
    assert_eq!(
        (key.arn.as_str(), key.account.as_str(), key.managed_by_aws),
        (arn.as_str(), "123456789012", false)
    );
    for name in ["alias/images", &arn] {
        let found = kms::grantees(&client, name).unwrap();
        for who in ["arn:aws:iam::210987654321:role/r", "arn:aws:iam::111111111111:root"] {
            assert!(found.iter().any(|grantee| grantee == who), "{found:?}");
        }
    }
    let error = kms::describe_key(&client, "alias/none").unwrap_err();
    assert!(error.is("NotFoundException"), "{error}");
}

/// Every call that is signed.
fn calls(client: &Client) -> Vec<(&'static str, Result<(), Error>)> {
    let (launchers, tags) = (
        Launchers { accounts: vec!["210987654321".to_owned()], ..Launchers::default() },
        [("a".to_owned(), "b".to_owned())],
    );
    let register = RegisterImage {
        name: "n-1".to_owned(),
        architecture: "x86_64".to_owned(),
        location: Some("images/i.manifest.xml".to_owned()),
        ..RegisterImage::default()
    };
    let start = StartSnapshot { size: 1, token: "t".to_owned(), timeout: 60, ..StartSnapshot::default() };
    let block = BlockEntry { index: 0, token: "t".to_owned() };
    vec![
        ("CreateBucket", s3::create_bucket(client, "images", None, true)),
        ("DeleteBucket", s3::delete_bucket(client, "images")),
        (
            "GetBucketOwnershipControls",
            match s3::ownership(client, "images") {
                // No right to ask is no more than that.
                Ok(s3::Ownership::Unknown) => s3::list_objects(client, "images", "").map(drop),
                other => other.map(drop),
            },
        ),
        ("PutObject", s3::put_object(client, "images", "k", b"", &PutOptions::default()).map(drop)),
        ("HeadObject", s3::head_object(client, "images", "k").map(drop)),
        ("GetObject", s3::get_object(client, "images", "k", 1).map(drop)),
        ("DeleteObject", s3::delete_object(client, "images", "k")),
        ("ListObjects", s3::list_objects(client, "images", "").map(drop)),
        ("DescribeImages", ec2::describe_images(client, &ImageFilter::default()).map(drop)),
        ("RegisterImage", ec2::register_image(client, &register).map(drop)),
        ("DeregisterImage", ec2::deregister_image(client, "ami-1")),
        ("CopyImage", ec2::copy_image(client, &CopyImage::default()).map(drop)),
        ("DescribeImageAttribute", ec2::launchers(client, "ami-1").map(drop)),
        ("ModifyImageAttribute", ec2::modify_launchers(client, "ami-1", &launchers, &Launchers::default())),
        ("CreateTags", ec2::create_tags(client, &["ami-1"], &tags)),
        ("DescribeSnapshots", ec2::describe_snapshots(client, &[], &[]).map(drop)),
        ("CopySnapshot", ec2::copy_snapshot(client, &CopySnapshot::default()).map(drop)),
        ("DeleteSnapshot", ec2::delete_snapshot(client, "snap-1")),
        ("ModifySnapshotAttribute", ec2::share_snapshot(client, "snap-1", &launchers.accounts, false)),
        ("RunInstances", ec2::run_instance(client, &RunInstance::default()).map(drop)),
        ("DescribeInstances", ec2::describe_instances(client, &[], &[]).map(drop)),
        ("TerminateInstances", ec2::terminate_instance(client, "i-1")),
        ("GetConsoleOutput", ec2::console_output(client, "i-1", false).map(drop)),
        ("GetEbsEncryptionByDefault", ec2::encryption_default(client).map(drop)),
        ("GetImageBlockPublicAccessState", ec2::image_public_access(client).map(drop)),
        ("GetSnapshotBlockPublicAccessState", ec2::snapshot_public_access(client).map(drop)),
        ("DescribeRegions", ec2::regions(client).map(drop)),
        ("StartSnapshot", ebs::start_snapshot(client, &start).map(drop)),
        ("PutSnapshotBlock", ebs::put_block(client, "snap-1", 0, &vec![0; BLOCK], &[0; 32])),
        ("CompleteSnapshot", ebs::complete_snapshot(client, "snap-1", 0, &[0; 32])),
        ("ListSnapshotBlocks", ebs::list_blocks(client, "snap-1", None).map(drop)),
        ("GetSnapshotBlock", ebs::get_block(client, "snap-1", &block).map(drop)),
        ("GetCallerIdentity", sts::caller_identity(client).map(drop)),
        ("AssumeRole", sts::assume_role(client, ROLE, "s", None, None).map(drop)),
        ("GetParameter", ssm::get_parameter(client, "/images/x").map(drop)),
        ("PutParameter", ssm::put_parameter(client, "/images/x", "v", false)),
        ("DeleteParameter", ssm::delete_parameter(client, "/images/x")),
        ("DescribeKey", kms::describe_key(client, "k").map(drop)),
        ("ListGrants", kms::grantees(client, "k").map(drop)),
    ]
}

#[test]
fn with_another_secret_every_call_is_refused() {
    const SECRET: &str = "not/the+secret";
    let cloud = Cloud::start();
    for (id, secret) in [("AKIDEXAMPLE", SECRET), ("AKIDNOBODY", SECRET)] {
        let wrong = with(&cloud, id, secret, Scheme::V4);
        cloud.clear_log();
        for (name, result) in calls(&wrong) {
            let error = result.expect_err(name);
            assert!(matches!(error.status(), Some(400 | 401 | 403)), "{name}: {error}");
            assert!(!format!("{error} {error:?}").contains(SECRET), "{name}: {error:?}");
        }
        assert_eq!(s3::head_bucket(&wrong, "images").unwrap(), Bucket::Forbidden);
        let log = cloud.log();
        assert!(log.iter().all(|entry| !entry.done), "{log:?}");
        // Nothing was tried again: a wrong secret does not get right by itself.
        assert!(log.len() < 45, "{}", log.len());
    }
    assert!(cloud.leftovers().is_empty(), "{:?}", cloud.leftovers());
}
