use super::super::*;
use super::{answer, aws, euca};
use crate::Error;
use crate::served::refused;

#[test]
fn encryption_by_default_is_told_with_its_key() {
    let by_default = |value: &str| {
        answer(
            "GetEbsEncryptionByDefault",
            &format!("<ebsEncryptionByDefault>{value}</ebsEncryptionByDefault>"),
        )
    };
    let key = |key: &str| answer("GetEbsDefaultKmsKeyId", &format!("<kmsKeyId>{key}</kmsKeyId>"));
    let own = "arn:aws:kms:eu-central-1:1:key/k";
    let served = aws([
        by_default("false"),
        by_default("true"),
        key("alias/aws/ebs"),
        by_default("true"),
        key("arn:aws:kms:eu-central-1:1:alias/aws/ebs"),
        by_default("true"),
        key(own),
        by_default("maybe"),
        answer("GetEbsEncryptionByDefault", ""),
    ]);
    let client = served.client();
    let told = |enabled, key: Option<&str>| EncryptionDefault { enabled, kms_key: key.map(str::to_owned) };
    for expected in [told(false, None), told(true, None), told(true, None), told(true, Some(own))] {
        assert_eq!(encryption_default(&client).unwrap(), expected);
    }
    assert!(matches!(encryption_default(&client), Err(Error::Answer { .. })));
    assert!(matches!(encryption_default(&client), Err(Error::Answer { .. })));
}

#[test]
fn whether_sharing_with_everybody_is_blocked() {
    let image = |state: &str| {
        let content = format!("<imageBlockPublicAccessState>{state}</imageBlockPublicAccessState>");
        answer("GetImageBlockPublicAccessState", &content)
    };
    let snapshot =
        |state: &str| answer("GetSnapshotBlockPublicAccessState", &format!("<state>{state}</state>"));
    let served = aws([
        image("unblocked"),
        image("block-new-sharing"),
        refused("UnauthorizedOperation"),
        refused("AuthFailure"),
        snapshot("unblocked"),
        snapshot("block-all-sharing"),
        snapshot("new-thing"),
    ]);
    let client = served.client();
    for expected in [PublicAccess::Allowed, PublicAccess::Blocked, PublicAccess::Unknown] {
        assert_eq!(image_public_access(&client).unwrap(), expected);
    }
    assert!(image_public_access(&client).unwrap_err().is("AuthFailure"));
    for expected in [PublicAccess::Allowed, PublicAccess::Blocked, PublicAccess::Unknown] {
        assert_eq!(snapshot_public_access(&client).unwrap(), expected);
    }
}

#[test]
fn regions_are_listed() {
    let list = "<regionInfo><item><regionName>us-east-1</regionName><regionEndpoint>ec2.us-east-1.amazonaws.com\
        </regionEndpoint></item><item><regionName>eu-west-1</regionName></item></regionInfo>";
    let served = aws([answer("DescribeRegions", list), answer("DescribeRegions", "")]);
    assert_eq!(regions(&served.client()).unwrap(), ["us-east-1", "eu-west-1"]);
    assert!(matches!(regions(&served.client()), Err(Error::Answer { .. })));
}

#[test]
fn eucalyptus_is_not_asked_what_it_does_not_know() {
    let served = euca([]);
    let client = served.client();
    assert_eq!(encryption_default(&client).unwrap(), EncryptionDefault::default());
    assert_eq!(image_public_access(&client).unwrap(), PublicAccess::Unknown);
    assert_eq!(snapshot_public_access(&client).unwrap(), PublicAccess::Unknown);
    assert_eq!(regions(&client).unwrap(), ["eu-central-1"]);
    assert!(served.sent().is_empty());
}
